//! The sink `http` against a scripted server.

mod contract;
mod tls;

use std::time::Duration;

use hermod_sdk::{
    Batch, ErrorKind, Message, Outcome, Policy, Record, Sink, SinkContext, SinkFactory, Tenure,
    Text, Token, Written,
    testkit::server::{Answer, Http},
};
use serde_json::{Value, json};

fn context() -> SinkContext {
    SinkContext {
        workflow: "w".into(),
        sink: "s".into(),
        stream: "n1/1".into(),
        epoch: 1,
        tenure: Tenure::Owner,
    }
}

fn factory(config: &Value) -> std::sync::Arc<dyn SinkFactory> {
    hermod_connectors::sink("http")
        .expect("`http` is registered")
        .configure(config)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

async fn open(config: Value) -> Box<dyn Sink> {
    factory(&config)
        .open(context())
        .await
        .expect("the sink can be opened")
}

fn batch<T: Into<Text>>(messages: impl IntoIterator<Item = (T, Vec<u8>)>) -> Batch {
    let records: Vec<_> = messages
        .into_iter()
        .zip(1..)
        .map(|((id, payload), seq)| Record {
            seq,
            message: Message::new(id, payload),
        })
        .collect();
    let token = Token {
        stream: "n1/1".into(),
        epoch: 1,
        first: 1,
        last: records.len() as u64,
        position: None,
    };
    Batch { records, token }
}

fn texts(texts: &[&str]) -> Batch {
    let ids = (1..).map(|n| format!("m{n}"));
    batch(ids.zip(texts.iter().map(|text| text.as_bytes().to_vec())))
}

fn is_retry(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retry { .. })
}

fn is_rejected(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected { .. })
}

#[tokio::test]
async fn single_sends_each_payload_as_it_came_with_its_id_as_key() {
    let server = Http::start();
    let mut sink = open(json!({
        "url": server.url("/in?a=1"), "method": "PUT", "headers": {"X-Tenant": "blue"},
    }))
    .await;
    let bytes: Vec<u8> = (0..=255).collect();
    let messages = [
        ("a", br#"{"n": 9007199254740993, "d": 0.10}"#.to_vec()),
        ("b \u{e9}%", bytes.clone()),
    ];
    let mut batch = batch(messages);
    let metadata = &mut batch.records[1].message.metadata;
    metadata.set("content-type", "application/octet-stream");
    assert_eq!(sink.write(&batch).await.unwrap(), Written::All);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((&*seen[0].method, &*seen[0].target), ("PUT", "/in?a=1"));
    assert_eq!(seen[0].text(), r#"{"n": 9007199254740993, "d": 0.10}"#);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("x-tenant"), Some("blue"));
    assert_eq!(seen[0].header("idempotency-key"), Some("a"));
    assert_eq!(seen[1].body, bytes);
    assert_eq!(seen[1].header("idempotency-key"), Some("b%20%C3%A9%25"));
    assert_eq!(
        seen[1].header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
async fn i4_single_stops_at_the_first_message_that_is_not_taken() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/")})).await;
    server.script([Answer::status(200), Answer::status(503)]);
    let Written::Each(outcomes) = sink.write(&texts(&["1", "2", "3"])).await.unwrap() else {
        panic!("not all are written");
    };
    assert_eq!(outcomes[0], Outcome::Written);
    assert!(is_retry(&outcomes[1]) && is_retry(&outcomes[2]));
    assert_eq!(server.seen().len(), 2);

    server.script([Answer::status(503)]);
    let error = sink.write(&texts(&["2", "3"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_rejected_message_rejects_only_itself() {
    let server = Http::start_with(|seen| match seen.text().as_str() {
        "bad" => Answer::status(422).with_body(r#"{"message": "total is missing"}"#),
        _ => Answer::status(201),
    });
    let mut sink = open(json!({"url": server.url("/")})).await;
    let Written::Each(outcomes) = sink.write(&texts(&["a", "bad", "c"])).await.unwrap() else {
        panic!("not all are written");
    };
    assert_eq!(outcomes[0], Outcome::Written);
    assert!(
        matches!(&outcomes[1], Outcome::Rejected { reason } if reason.contains("422") && reason.contains("total is missing"))
    );
    assert!(is_retry(&outcomes[2]));
    assert_eq!(sink.write(&texts(&["c"])).await.unwrap(), Written::All);
}

#[tokio::test]
async fn ndjson_is_one_request_with_a_line_each() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/"), "mode": "ndjson"})).await;
    let batch = texts(&["{\"a\":\n 1.0}", "{\"b\":2}", "two\nlines"]);
    let Written::Each(outcomes) = sink.write(&batch).await.unwrap() else {
        panic!("one cannot be a line");
    };
    assert_eq!(outcomes[..2], [Outcome::Written, Outcome::Written]);
    assert!(is_rejected(&outcomes[2]));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].text(), "{\"a\":1.0}\n{\"b\":2}\n");
    assert_eq!(seen[0].header("content-type"), Some("application/x-ndjson"));
}

#[tokio::test]
async fn a_repeated_batch_has_the_same_key_and_another_batch_another() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/"), "mode": "json_array"})).await;
    let three = texts(&["1", "2", "3"]);
    // The second is gone, the first and the last are as before: it is another request.
    let mut two = three.clone();
    two.records.remove(1);
    for batch in [&three, &three, &two] {
        assert_eq!(sink.write(batch).await.unwrap(), Written::All);
    }
    let seen = server.seen();
    let key = |n: usize| seen[n].header("idempotency-key").unwrap().to_owned();
    assert_eq!(key(0), key(1));
    assert_ne!(key(0), key(2));
    assert_eq!(seen[0].text(), "[1,2,3]");
}

#[tokio::test]
async fn json_array_refuses_only_what_is_not_json() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/"), "mode": "json_array"})).await;
    let Written::Each(outcomes) = sink.write(&texts(&["{", "{\"a\": 1}"])).await.unwrap() else {
        panic!("one is no JSON");
    };
    assert!(is_rejected(&outcomes[0]));
    assert_eq!(outcomes[1], Outcome::Written);
    assert_eq!(server.seen()[0].text(), "[{\"a\": 1}]");
    let nothing = sink.write(&texts(&["{"])).await.unwrap();
    assert!(matches!(nothing, Written::Each(outcomes) if is_rejected(&outcomes[0])));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn case_es3_results_of_single_messages_are_honoured() {
    let server = Http::start();
    let config = json!({"url": server.url("/"), "mode": "ndjson", "items": "/items"});
    assert!(factory(&config).spec().partial);
    let mut sink = open(config).await;
    server.script([Answer::status(200).with_body(
        r#"{"items": [{"status": 201}, {"status": 429}, {"status": 400, "error": "no"}]}"#,
    )]);
    let Written::Each(outcomes) = sink.write(&texts(&["1", "2", "3"])).await.unwrap() else {
        panic!("not all are written");
    };
    assert_eq!(outcomes[0], Outcome::Written);
    assert!(is_retry(&outcomes[1]) && is_rejected(&outcomes[2]));
}

#[tokio::test]
async fn i3_failures_of_single_messages_are_not_passed_over_in_silence() {
    let server = Http::start();
    let config = json!({"url": server.url("/"), "mode": "ndjson"});
    assert!(!factory(&config).spec().partial);
    let mut sink = open(config).await;
    server.script([
        Answer::status(200).with_body(r#"{"items": [{"status": 201}, {"status": 503}]}"#)
    ]);
    let error = sink.write(&texts(&["1", "2"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.report().contains("`items`"), "{}", error.report());
}

#[tokio::test]
async fn a_batch_that_is_refused_as_a_whole_is_an_error() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/"), "mode": "ndjson"})).await;
    for (status, kind) in [
        (400, ErrorKind::Rejected),
        (413, ErrorKind::Rejected),
        (401, ErrorKind::Auth),
        (404, ErrorKind::Auth),
        (500, ErrorKind::Unavailable),
        (302, ErrorKind::Auth),
    ] {
        server.script([Answer::status(status)]);
        let error = sink.write(&texts(&["1"])).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
    }
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn case_http5_a_page_that_is_missing_for_a_while_drops_nothing() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/")})).await;
    server.script([Answer::status(404), Answer::status(404)]);
    for _ in 0..2 {
        let error = sink.write(&texts(&["1"])).await.unwrap_err();
        assert_eq!(error.kind().policy(), Policy::Pause);
    }
    assert_eq!(sink.write(&texts(&["1"])).await.unwrap(), Written::All);
}

#[tokio::test]
async fn case_http6_retry_after_reaches_the_engine() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/")})).await;
    server.script([Answer::status(429).with_header("Retry-After", "17")]);
    let error = sink.write(&texts(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));

    server.script([
        Answer::status(200),
        Answer::status(503).with_header("Retry-After", "5"),
    ]);
    let Written::Each(outcomes) = sink.write(&texts(&["1", "2"])).await.unwrap() else {
        panic!("not all are written");
    };
    assert!(
        matches!(&outcomes[1], Outcome::Retry { after: Some(wait), .. } if *wait == Duration::from_secs(5))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Http::start();
    let elsewhere = Http::start();
    let mut sink = open(json!({"url": server.url("/")})).await;
    server
        .script([Answer::status(307).with_header("Location", &elsewhere.url("/new?key=hunter2"))]);
    let error = sink.write(&texts(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(!error.report().contains("hunter2"), "{}", error.report());
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn case_http7_every_failure_of_the_network_is_worth_another_try() {
    let mut server = Http::start();
    let config = json!({"url": server.url("/")});
    let mut hasty = config.clone();
    hasty["timeout_ms"] = 200.into();
    for (answer, config) in [(Answer::Close, &config), (Answer::Hang, &hasty)] {
        server.script([answer]);
        let mut sink = open(config.clone()).await;
        let error = sink.write(&texts(&["1"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    let mut sink = open(config.clone()).await;
    server.kill();
    let error = sink.write(&texts(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = factory(&config).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    server.restart();
    factory(&config).probe().await.unwrap();
    assert_eq!(sink.write(&texts(&["1"])).await.unwrap(), Written::All);
}

#[tokio::test]
async fn i9_an_endless_answer_is_read_up_to_a_limit() {
    let server = Http::start();
    let mut sink = open(json!({"url": server.url("/"), "mode": "ndjson"})).await;
    server.script([Answer::status(200).with_body(vec![b'x'; 8 << 20])]);
    assert_eq!(sink.write(&texts(&["1"])).await.unwrap(), Written::All);

    let mut sink = open(json!({"url": server.url("/"), "mode": "ndjson", "items": "/items"})).await;
    server.script([Answer::status(200).with_body(vec![b'x'; 8 << 20])]);
    let error = sink.write(&texts(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn i10_secrets_do_not_show_even_if_the_service_repeats_them() {
    let mut server = Http::start_with(|seen| {
        let sent = seen.header("authorization").unwrap_or_default();
        Answer::status(400).with_body(json!({"message": format!("bad {sent}")}).to_string())
    });
    let config = json!({
        "url": server.url("/in?token=hunter2hunter2"),
        "headers": {"Authorization": "Bearer swordfish"},
    });
    let mut sink = open(config.clone()).await;
    let Written::Each(outcomes) = sink.write(&texts(&["1"])).await.unwrap() else {
        panic!("not all are written");
    };
    let mut shown = format!("{outcomes:?}");
    server.kill();
    shown.push_str(&sink.write(&texts(&["1"])).await.unwrap_err().report());
    shown.push_str(&factory(&config).probe().await.unwrap_err().report());
    assert!(shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains("swordfish"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let problems = hermod_connectors::sink("http")
        .unwrap()
        .configure(&json!({
            "url": "ftp://user:secret@example.com/",
            "headers": {"Content-Length": "5", "bad name": "x"},
            "items": "items",
        }))
        .err()
        .expect("it is full of mistakes");
    let text = problems.to_string();
    for pointer in [
        "/url",
        "/headers/Content-Length",
        "/headers/bad name",
        "/items",
    ] {
        assert!(text.contains(pointer), "{pointer} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}
