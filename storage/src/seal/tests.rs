use std::{fs, os::unix::fs::PermissionsExt};

use proptest::prelude::*;
use serde_json::json;

use super::*;

const CONTEXT: &str = "sink/orders";

fn key(byte: u8) -> StoreKey {
    StoreKey::from_bytes(&[byte; KEY_BYTES]).unwrap()
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(plain in prop::collection::vec(any::<u8>(), 0..200), context in ".{0,40}") {
        let sealed = key(1).seal(&context, &plain).unwrap();
        prop_assert_eq!(&**key(1).open(&context, &sealed).unwrap(), &plain[..]);
        prop_assert!(sealed.starts_with("v1:"));
    }

    #[test]
    fn i10_a_changed_text_never_opens(at in 0..75_usize, bit in 0..8_u8) {
        let sealed = key(1).seal(CONTEXT, b"a secret of 19 byte").unwrap();
        let mut bytes = BASE64.decode(&sealed[3..]).unwrap();
        assert_eq!(bytes.len(), 75);
        bytes[at] ^= 1 << bit;
        let error = key(1).open(CONTEXT, &format!("v1:{}", BASE64.encode(bytes))).unwrap_err();
        match at {
            0..8 => prop_assert!(matches!(error, SealError::OtherKey { .. }), "another error"),
            8..16 => prop_assert!(matches!(error, SealError::OtherContext { .. }), "another error"),
            _ => prop_assert_eq!(error, SealError::Damaged),
        }
    }
}

#[test]
fn i10_it_opens_only_with_the_same_key_for_the_same_object() {
    let sealed = key(1).seal(CONTEXT, b"hunter2").unwrap();
    let error = key(2).open(CONTEXT, &sealed).unwrap_err();
    let expected = key(2).fingerprint()[..16].to_owned();
    let found = key(1).fingerprint()[..16].to_owned();
    assert_eq!(error, SealError::OtherKey { found, expected });
    let error = key(1).open("sink/other", &sealed).unwrap_err();
    let context = "sink/other".to_owned();
    assert_eq!(error, SealError::OtherContext { context });
    for text in ["", "hunter2", "v1:", "v1:?", "v2:AAAA", &sealed[..30]] {
        assert_eq!(
            key(1).open(CONTEXT, text),
            Err(SealError::Malformed),
            "{text}"
        );
    }
    assert_eq!(
        key(1).open(CONTEXT, &sealed[..sealed.len() - 4]),
        Err(SealError::Damaged)
    );
}

#[test]
fn a_text_sealed_by_the_first_version_opens() {
    // Never to be changed: such texts stand in stores.
    let sealed = include_str!("../../testdata/sealed-v1.txt").trim();
    let plain = key(7).open(CONTEXT, sealed).unwrap();
    assert_eq!(**plain, *b"\"correct horse\"");
    assert_eq!(key(7).fingerprint(), "19683ed75a1a3c2c84140d0dbb9a85d6");
}

#[test]
fn the_same_secret_is_sealed_differently_each_time() {
    let seal = || key(1).seal(CONTEXT, b"hunter2").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn i10_neither_key_nor_secret_stands_in_debug_or_errors() {
    let key = key(0xab);
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("StoreKey({:?})", key.fingerprint()));
    assert!(!shown.contains("abab") && !shown.contains("171"));
    let mut document = json!({"password": "hunter2"});
    key.seal_at(&mut document, ["/password"], CONTEXT).unwrap();
    assert!(!document.to_string().contains("hunter2"));
    let error = key.unseal_all(&mut document, "sink/other").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let text = "ab".repeat(31);
    let error = StoreKey::from_text(&text).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("abab"));
}

#[test]
fn keys_are_read_from_hexadecimal_and_base64() {
    let key = StoreKey::generate().unwrap();
    let texts = [
        hex(key.expose()),
        hex(key.expose()).to_uppercase(),
        BASE64.encode(key.expose()),
    ];
    for text in texts {
        assert_eq!(StoreKey::from_text(&format!(" {text}\n")).unwrap(), key);
    }
    assert_ne!(StoreKey::generate().unwrap(), key);
    let short = BASE64.encode([1; 31]);
    for text in ["", "password", &"zz".repeat(32), &"é".repeat(32), &short] {
        assert_eq!(StoreKey::from_text(text), Err(MalformedKey), "{text}");
    }
}

#[test]
fn values_of_a_document_are_sealed_and_unsealed_in_place() {
    let original: Value = serde_json::from_str(
        r#"{"url": "http://x", "password": "hunter2", "pin": 0.10, "empty": null, "a/b": "slash",
            "headers": {"x": "1", "y": {"deep": true}}, "list": [{"token": "t1"}, {"token": "t2"}, 7]}"#,
    )
    .unwrap();
    let pointers = [
        "/password",
        "/pin",
        "/empty",
        "/absent/too",
        "/a~1b",
        "/headers/*",
        "/list/*/token",
        "/url/0",
    ];
    let mut document = original.clone();
    assert_eq!(key(1).seal_at(&mut document, pointers, CONTEXT).unwrap(), 7);
    assert!(sealed_text(&document["headers"]["y"]).is_some());
    assert_eq!(
        (&document["url"], &document["empty"]),
        (&json!("http://x"), &Value::Null)
    );
    // Sealed already, they stay.
    let sealed = document.clone();
    assert_eq!(key(1).seal_at(&mut document, pointers, CONTEXT).unwrap(), 0);
    assert_eq!(document, sealed);
    assert_eq!(key(1).unseal_all(&mut document, CONTEXT).unwrap(), 7);
    // Number text and the order of fields are what they were.
    assert_eq!(document.to_string(), original.to_string());
    let mut document = sealed;
    let error = key(2).unseal_all(&mut document, CONTEXT).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("value at `/password` was sealed with"),
        "{error}"
    );
}

#[test]
fn i10_a_key_file_is_made_once_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.key");
    assert_eq!(StoreKey::load(&path).unwrap(), None);
    let made = StoreKey::load_or_create(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(StoreKey::load_or_create(&path).unwrap(), made);
    made.save(&path).unwrap();
    let error = key(1).save(&path).unwrap_err();
    assert!(matches!(error, KeyFileError::Other { .. }), "{error}");
    assert_eq!(StoreKey::load(&path).unwrap().unwrap(), made);
}

#[test]
fn i10_a_key_file_that_is_open_to_others_or_holds_no_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.key");
    key(1).save(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = StoreKey::load_or_create(&path).unwrap_err();
    assert!(matches!(
        error,
        KeyFileError::OpenToOthers { mode: 0o640, .. }
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "").unwrap();
    let error = StoreKey::load_or_create(&path).unwrap_err();
    assert!(matches!(error, KeyFileError::Malformed { .. }));
}
