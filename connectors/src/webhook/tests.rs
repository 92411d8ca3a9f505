use hermod_sdk::validate;

use super::*;
use crate::source;

/// HMAC-SHA256 of `{"a":1}` under the key `hunter2`, by `openssl dgst -sha256 -hmac hunter2`.
const SIGNED: &str = "6e73a1a57a6e6edb9dff174d2a53bc61a27cfc639a2964743ed35fd59c8bc82d";

fn sign(body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(b"hunter2").unwrap();
    let bytes = mac.chain_update(body).finalize().into_bytes();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn open(config: &Value) -> WebhookSource {
    let config = validate::<WebhookConfig>(&source("webhook").unwrap().schema(), config).unwrap();
    WebhookSource::open(config).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let parse = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(parse).collect()
}

fn post(
    source: &WebhookSource,
    pairs: &[(&'static str, &str)],
    body: &'static [u8],
) -> Result<Message, Refusal> {
    let request = Request {
        method: &Method::POST,
        path: "orders",
        query: "shop=7",
        headers: &headers(pairs),
    };
    let mut messages = source.accept(&request, Bytes::from_static(body))?;
    assert_eq!(messages.len(), 1);
    Ok(messages.remove(0))
}

#[test]
fn a_signed_body_is_taken_from_either_header_and_any_other_is_refused() {
    let source = open(&json!({"path": "orders", "secret": "hunter2"}));
    let body = br#"{"a":1}"#;
    let prefixed = format!("sha256={SIGNED}");
    let upper = SIGNED.to_uppercase();
    for header in SIGNATURE_HEADERS {
        for signature in [&prefixed, SIGNED, &upper] {
            let message = post(&source, &[(header, signature)], body).unwrap();
            assert_eq!(message.payload.bytes(), &body[..]);
        }
    }
    let flipped = SIGNED.replace(|c| c == SIGNED.chars().next().unwrap(), "0");
    for pairs in [
        &[][..],
        &[("x-hub-signature-256", "")],
        &[("x-hub-signature-256", "sha256=00")],
        &[("x-hub-signature-256", &flipped)],
        &[(
            "x-hub-signature-256",
            "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709",
        )],
    ] {
        let refusal = post(&source, pairs, body).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unauthenticated, "{pairs:?}");
        assert!(!refusal.to_string().contains("hunter2"));
    }
    let refusal = post(&source, &[("x-webhook-signature", SIGNED)], br#"{"a":2}"#).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unauthenticated);
}

#[test]
fn case_http3_a_signed_body_that_is_not_utf_8_is_verified_over_its_raw_bytes() {
    let source = open(&json!({"path": "orders", "secret": "hunter2"}));
    let body: &[u8] = &[0xff, 0xfe, 0x00, b'\n', 0x80];
    let hex = sign(body);
    let message = post(&source, &[("x-hub-signature-256", &hex)], body).unwrap();
    assert_eq!(message.payload.bytes(), body);
}

#[test]
fn case_http4_a_multipart_body_is_signed_like_any_other() {
    let source = open(&json!({"path": "orders", "secret": "hunter2"}));
    let body = b"--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--b--\r\n";
    let hex = sign(b"");
    let multipart = ("content-type", "multipart/form-data; boundary=b");
    let refused = post(&source, &[multipart, ("x-hub-signature-256", &hex)], body);
    assert_eq!(refused.unwrap_err().kind, RefusalKind::Unauthenticated);
}

#[test]
fn the_idempotency_key_is_the_id_and_without_one_the_engine_gives_it() {
    let source = open(&json!({"path": "/api/webhooks/orders/"}));
    let with = |value: &str| post(&source, &[("idempotency-key", value)], b"x");
    assert_eq!(with("order-1").unwrap().id, "order-1");
    assert_eq!(with(" \"order-1\" ").unwrap().id, "order-1");
    for bad in ["", "\"\"", &"x".repeat(256)] {
        assert_eq!(with(bad).unwrap_err().kind, RefusalKind::Malformed);
    }
    assert_eq!(post(&source, &[], b"x").unwrap().id, "");
}

#[test]
fn message_carries_table_content_type_query_and_the_key_of_a_field_or_header() {
    let source = open(&json!({"path": "orders", "key_field": "customer.id"}));
    let json = ("content-type", "application/json");
    let message = post(
        &source,
        &[json],
        br#"{ "customer": {"id": 9007199254740993} }"#,
    )
    .unwrap();
    assert_eq!(message.table, "orders");
    assert_eq!(
        message.metadata.get("content_type").unwrap(),
        "application/json"
    );
    assert_eq!(message.metadata.get("query").unwrap(), "shop=7");
    assert_eq!(message.key.unwrap(), "9007199254740993");
    let spaced = br#"{ "customer": {"id": 9007199254740993} }"#;
    assert_eq!(
        message.payload.bytes(),
        &spaced[..],
        "bytes stay as they came"
    );
    for keyless in [&b"not json"[..], b"{}", br#"{"customer":{"id":null}}"#] {
        assert_eq!(post(&source, &[], keyless).unwrap().key, None);
    }
    let source = open(&json!({"path": "orders", "key_header": "X-Tenant"}));
    let message = post(&source, &[("x-tenant", "seven")], b"x").unwrap();
    assert_eq!(message.key.unwrap(), "seven");
}

#[test]
fn other_methods_and_long_bodies_are_refused() {
    let source = open(&json!({"path": "orders", "body_bytes_max": 3}));
    assert_eq!(source.body_bytes_max(), 3);
    let refusal = post(&source, &[], b"four").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    let request = Request {
        method: &Method::GET,
        path: "orders",
        query: "",
        headers: &HeaderMap::new(),
    };
    let refusal = source.accept(&request, Bytes::new()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Malformed);
}

#[test]
fn configuration_is_checked_across_fields() {
    let schema = source("webhook").unwrap().schema();
    let problems = |config: &Value| validate::<WebhookConfig>(&schema, config).unwrap_err();
    for path in ["", "a//b", "a/../b", "a b", "a?b", "/"] {
        let found = problems(&json!({ "path": path }));
        assert_eq!(found.iter().next().unwrap().pointer, "/path", "{path}");
    }
    let found = problems(&json!({"path": "x", "secret": "", "key_field": "a", "key_header": "é"}));
    assert_eq!(found.len(), 3, "{found}");
}

#[test]
fn an_open_webhook_warns_and_an_empty_secret_does_not_open() {
    let open_to_all: WebhookConfig = serde_json::from_value(json!({"path": "x"})).unwrap();
    assert!(
        WebhookSource::warning(&open_to_all)
            .unwrap()
            .contains("`x`")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let reference = format!("${{file:{}}}", file.path().display());
    let config = json!({"path": "x", "secret": reference});
    let config: WebhookConfig = serde_json::from_value(config).unwrap();
    assert_eq!(WebhookSource::warning(&config), None);
    let error = WebhookSource::open(config).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Auth);
}
