//! The durable form of a dead letter.
//!
//! | field | type | note |
//! |---|---|---|
//! | format | u8 | 1; 2 where the origin is 3 |
//! | origin | u8 | 1 sink, 2 node, 3 data log |
//! | attempts | u32 | |
//! | time | i64 | milliseconds since 1970 |
//! | origin id, kind, reason | text each | |
//! | sinks | u16 count, text each | |
//! | message | the rest | an envelope |

use bytes::Bytes;
use hermod_sdk::{Message, Text};

use super::{DeadLetter, Fate, Origin};
use crate::{
    envelope,
    wire::{Fields, WireError, put_bytes},
};

const FORMAT: u8 = 2;

/// What origins 1 and 2 are written as, so that nodes before format 2 read them.
const FORMAT_BEFORE: u8 = 1;

/// A dead letter before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    pub(crate) origin: Origin,
    pub(crate) sinks: Vec<Text>,
    pub(crate) kind: Text,
    pub(crate) reason: String,
    pub(crate) attempts: u32,
    pub(crate) time_ms: i64,
}

impl Entry {
    pub(super) fn into_letter(self, seq: u64, state: Fate) -> DeadLetter {
        let Self {
            message,
            origin,
            sinks,
            kind,
            reason,
            attempts,
            time_ms,
        } = self;
        DeadLetter {
            seq,
            message,
            reason,
            origin,
            sinks,
            kind,
            attempts,
            time_ms,
            state,
        }
    }
}

pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let (origin, id) = match &entry.origin {
        Origin::Sink(id) => (1, id),
        Origin::Node(id) => (2, id),
        Origin::Log(place) => (3, place),
    };
    out.push(if origin == 3 { FORMAT } else { FORMAT_BEFORE });
    out.push(origin);
    out.extend_from_slice(&entry.attempts.to_le_bytes());
    out.extend_from_slice(&entry.time_ms.to_le_bytes());
    for text in [
        id.as_bytes(),
        entry.kind.as_bytes(),
        entry.reason.as_bytes(),
    ] {
        put_bytes(out, text);
    }
    out.extend_from_slice(&(entry.sinks.len() as u16).to_le_bytes());
    for sink in &entry.sinks {
        put_bytes(out, sink.as_bytes());
    }
    envelope::encode(&entry.message, None, out);
}

pub(super) fn decode(bytes: &Bytes) -> Result<Entry, WireError> {
    let mut fields = Fields::new(bytes);
    let format = fields.u8()?;
    if format == 0 || format > FORMAT {
        return Err(WireError::Newer {
            what: "dead letter",
            found: format,
            supported: FORMAT,
        });
    }
    let at = fields.at();
    let origin = fields.u8()?;
    let attempts = fields.u32()?;
    let time_ms = fields.i64()?;
    let id = fields.text()?;
    let origin = match origin {
        1 => Origin::Sink(id),
        2 => Origin::Node(id),
        3 if format >= 2 => Origin::Log(id),
        other => {
            return Err(WireError::Unknown {
                what: "origin",
                value: u64::from(other),
                at,
            });
        }
    };
    let kind = fields.text()?;
    let reason = fields.text()?.to_string();
    let count = fields.u16()?;
    let sinks = (0..count)
        .map(|_| fields.text())
        .collect::<Result<Vec<_>, _>>()?;
    let message = envelope::decode(&fields.rest())?.message;
    Ok(Entry {
        message,
        origin,
        sinks,
        kind,
        reason,
        attempts,
        time_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(origin: Origin) -> Entry {
        Entry {
            message: Message::new("7", vec![0xff, 0]),
            origin,
            sinks: vec!["a".into(), "b".into()],
            kind: "rejected".into(),
            reason: "422 unprocessable".into(),
            attempts: 4,
            time_ms: 1_767_225_600_000,
        }
    }

    #[test]
    fn round_trip_and_every_prefix_refused() {
        for origin in [
            Origin::Sink("lake".into()),
            Origin::Node("n3".into()),
            Origin::Log("segment 3, offset 99".into()),
        ] {
            let entry = entry(origin);
            let mut bytes = Vec::new();
            encode(&entry, &mut bytes);
            let bytes = Bytes::from(bytes);
            assert_eq!(decode(&bytes).unwrap(), entry);
            for length in 0..bytes.len() {
                assert!(
                    decode(&bytes.slice(..length)).is_err(),
                    "prefix of {length} bytes"
                );
            }
        }
    }

    #[test]
    fn golden_file_of_format_2_is_written_and_read_byte_for_byte() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/testdata/dead_letter/format-2.bin"
        );
        let golden = Bytes::from(std::fs::read(path).expect("golden file"));
        let lost = entry(Origin::Log("segment 3, offset 99".into()));
        let mut bytes = Vec::new();
        encode(&lost, &mut bytes);
        assert_eq!(bytes, golden);
        assert_eq!(decode(&golden).unwrap(), lost);
    }

    #[test]
    fn golden_file_of_format_1_is_written_and_read_byte_for_byte() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/testdata/dead_letter/format-1.bin"
        );
        let golden = Bytes::from(std::fs::read(path).expect("golden file"));
        let mut bytes = Vec::new();
        encode(&entry(Origin::Sink("lake".into())), &mut bytes);
        assert_eq!(bytes, golden);
        assert_eq!(decode(&golden).unwrap(), entry(Origin::Sink("lake".into())));
    }
}
