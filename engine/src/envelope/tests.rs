use std::path::PathBuf;

use hermod_sdk::TypedPosition;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Serialize, Deserialize)]
struct Offset(u64);

impl TypedPosition for Offset {
    const VERSION: u16 = 1;
    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

fn full() -> Envelope {
    let mut message = Message::new("order-7", r#"{"total": 9007199254740993.10}"#)
        .with_operation(Operation::Update)
        .with_table("orders")
        .with_key(vec![0, 255, 7])
        .with_position(Position::encode(3, &Offset(42)));
    message.database = "shop".into();
    message.schema = "public".into();
    message.before = Some(Bytes::from_static(b"\x00\x01\xff"));
    message.metadata.set("trace", "abc");
    message.event_time_ms = Some(-5);
    message.ingest_time_ms = 1_767_225_600_000;
    Envelope {
        message,
        target: Some(Target::Graph(vec!["lake".into(), "mail".into()])),
    }
}

fn bytes_of(envelope: &Envelope) -> Bytes {
    let mut out = Vec::new();
    encode(&envelope.message, envelope.target.as_ref(), &mut out);
    out.into()
}

#[test]
fn round_trip_of_a_full_and_of_a_bare_message() {
    let bare = Envelope {
        message: Message::new("", ""),
        target: None,
    };
    for envelope in [full(), bare] {
        assert_eq!(decode(&bytes_of(&envelope)).unwrap(), envelope);
    }
}

#[test]
fn golden_file_of_format_1_is_written_and_read_byte_for_byte() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/envelope/format-1.bin");
    let golden = Bytes::from(std::fs::read(&path).expect("golden file"));
    assert_eq!(bytes_of(&full()), golden);
    assert_eq!(decode(&golden).unwrap(), full());
}

#[test]
fn every_prefix_is_refused_and_a_newer_format_is_named() {
    let bytes = bytes_of(&full());
    for length in 0..bytes.len() {
        assert!(
            decode(&bytes.slice(..length)).is_err(),
            "prefix of {length} bytes"
        );
    }
    let mut newer = bytes.to_vec();
    newer[0] = 2;
    let error = decode(&newer.into()).unwrap_err();
    assert_eq!(
        error,
        WireError::Newer {
            what: "message",
            found: 2,
            supported: 1
        }
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Decoding either fails or gives something that encodes again.
        if let Ok(envelope) = decode(&Bytes::from(bytes)) {
            prop_assert_eq!(decode(&bytes_of(&envelope)).unwrap(), envelope);
        }
    }

    #[test]
    fn any_message_comes_back(id in ".*", payload in proptest::collection::vec(any::<u8>(), 0..300), key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20))) {
        let mut message = Message::new(id, payload);
        message.key = key.map(Bytes::from);
        let envelope = Envelope { message, target: None };
        prop_assert_eq!(decode(&bytes_of(&envelope)).unwrap(), envelope);
    }
}
