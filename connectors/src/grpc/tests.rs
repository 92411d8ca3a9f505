use hermod_sdk::validate;
use http::{HeaderMap, Method};

use super::*;
use crate::source;

fn open(config: &Value) -> GrpcSource {
    let config = validate::<GrpcConfig>(&source("grpc").unwrap().schema(), config).unwrap();
    GrpcSource::open(config).unwrap()
}

fn send(source: &GrpcSource, key: Option<&str>, body: Bytes) -> Result<Message, Refusal> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        headers.insert("x-api-key", key.parse().unwrap());
    }
    let request = Request {
        method: &Method::POST,
        path: source.path(),
        query: "",
        headers: &headers,
    };
    let mut messages = source.accept(&request, body)?;
    assert_eq!(messages.len(), 1);
    Ok(messages.remove(0))
}

fn publish(source: &GrpcSource, request: &Publish) -> Result<Message, Refusal> {
    send(source, None, request.encode_to_vec().into())
}

fn row() -> Publish {
    Publish {
        id: "o-1".to_owned(),
        operation: "update".to_owned(),
        table: "orders".to_owned(),
        schema: "shop".to_owned(),
        before: Bytes::from_static(br#"{"total": 1}"#),
        after: Bytes::from(r#"{ "total": 9007199254740993, "customer": "é" }"#),
        metadata: [("region".to_owned(), "north".to_owned())].into(),
        ..Publish::default()
    }
}

#[test]
fn a_change_of_a_row_keeps_all_its_parts() {
    let source = open(&json!({"path": "/orders", "key_field": "customer"}));
    assert_eq!(source.path(), "orders");
    let message = publish(&source, &row()).unwrap();
    assert_eq!(message.id, "o-1");
    assert_eq!(message.operation, Operation::Update);
    assert_eq!((&*message.schema, &*message.table), ("shop", "orders"));
    assert_eq!(message.before.unwrap(), row().before);
    assert_eq!(message.payload.bytes(), row().after);
    assert_eq!(message.key.unwrap(), "é".as_bytes());
    assert_eq!(message.metadata.get("region").unwrap(), "north");
}

#[test]
fn an_event_needs_nothing_and_need_not_be_json() {
    let source = open(&json!({}));
    assert_eq!(source.path(), "grpc/default");
    let bytes = Bytes::from_static(&[0xff, 0, b'\n']);
    let request = Publish {
        payload: bytes.clone(),
        ..Publish::default()
    };
    let message = publish(&source, &request).unwrap();
    assert_eq!(message.payload.bytes(), bytes);
    assert_eq!(message.operation, Operation::Event);
    assert_eq!((&*message.id, &*message.table), ("", "grpc/default"));
    assert_eq!((message.before, message.key), (None, None));
    assert_eq!(
        publish(&source, &Publish::default())
            .unwrap()
            .payload
            .bytes(),
        ""
    );
}

#[test]
fn a_delete_needs_no_row_after_it_and_the_others_do() {
    let source = open(&json!({"key_metadata": "region"}));
    for name in ["create", "update", "snapshot", "delete", "event"] {
        let request = Publish {
            operation: name.to_owned(),
            after: Bytes::new(),
            ..row()
        };
        let found = publish(&source, &request);
        assert_eq!(found.is_ok(), matches!(name, "delete" | "event"), "{name}");
    }
    let request = Publish {
        operation: "delete".to_owned(),
        after: Bytes::new(),
        ..row()
    };
    assert_eq!(publish(&source, &request).unwrap().key.unwrap(), "north");
}

#[test]
fn what_cannot_be_a_message_is_refused() {
    let source = open(&json!({}));
    let reserved = [("_hermod_source".to_owned(), "x".to_owned())].into();
    for request in [
        Publish {
            operation: "Update".to_owned(),
            ..row()
        },
        Publish {
            operation: "upsert".to_owned(),
            ..row()
        },
        Publish {
            payload: Bytes::from_static(b"{}"),
            ..row()
        },
        Publish {
            id: "x".repeat(256),
            ..row()
        },
        Publish {
            id: "a\nb".to_owned(),
            ..row()
        },
        Publish {
            metadata: reserved,
            ..row()
        },
    ] {
        let refusal = publish(&source, &request).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Malformed, "{refusal}");
    }
    let refusal = send(&source, None, Bytes::from_static(b"{}")).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Malformed, "{refusal}");
}

#[test]
fn size_and_key_are_looked_at_before_the_request() {
    let source = open(&json!({"api_key": "hunter2", "body_bytes_max": 8}));
    let garbage = Bytes::from_static(&[0xff; 9]);
    let refusal = send(&source, None, garbage.clone()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    for key in [None, Some("wrong")] {
        let refusal = send(&source, key, garbage.slice(1..)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unauthenticated);
    }
    let request = Publish {
        payload: Bytes::from_static(b"{}"),
        ..Publish::default()
    };
    assert!(send(&source, Some("hunter2"), request.encode_to_vec().into()).is_ok());
}

#[test]
fn configuration_is_checked_across_fields() {
    let schema = source("grpc").unwrap().schema();
    let config = json!({"path": "//", "api_key": "", "key_field": "a", "key_metadata": "b"});
    let found = validate::<GrpcConfig>(&schema, &config).unwrap_err();
    let pointers: Vec<_> = found.iter().map(|problem| &*problem.pointer).collect();
    assert_eq!(pointers, ["/path", "/api_key", "/key_metadata"]);
    let open_to_all: GrpcConfig = serde_json::from_value(json!({"path": "x"})).unwrap();
    assert!(GrpcSource::warning(&open_to_all).unwrap().contains("`x`"));
}
