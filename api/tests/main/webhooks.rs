use std::time::Duration;

use hermod_engine::SubmitError;
use hermod_sdk::{Refusal, RefusalKind};

use crate::{
    node::{Double, run, stand},
    wire::{Client, request},
};

const PATH: &str = "/api/webhooks/orders";

#[tokio::test]
async fn i1_success_is_answered_only_after_the_submit() {
    let double = Double::gated();
    let server = run(stand([("orders", double.clone())])).await;
    let mut client = Client::connect(server.address).await;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\n");
    client
        .send(format!("{head}content-length: 12\r\n\r\n{{\"total\": 1}}"))
        .await;
    double.entered.notified().await;
    assert!(double.payloads().is_empty());
    assert!(!client.has_answer());
    double.gate.add_permits(1);
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), serde_json::json!({"id": "k"}));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(double.payloads(), ["{\"total\": 1}"]);
}

#[tokio::test]
async fn a_body_need_not_be_json_and_one_connection_carries_many() {
    let double = Double::new();
    let server = run(stand([("orders", double.clone())])).await;
    let mut client = Client::connect(server.address).await;
    for body in ["{malformed", "", "text"] {
        assert_eq!(client.request("POST", PATH, body).await.status, 200);
    }
    assert_eq!(double.payloads(), ["{malformed", "", "text"]);
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let double = Double::new();
    let server = run(stand([("orders", double.clone())])).await;
    let mut client = Client::connect(server.address).await;
    let head = format!("POST {PATH}?a=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(head).await;
    for chunk in [
        "3\r\none\r\n",
        "3\r\ntwo\r\n",
        "5\r\nthree\r\n",
        "0\r\n\r\n",
    ] {
        client.send(chunk).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.status, 200);
    let kept = double.kept.lock().unwrap();
    assert_eq!(kept[0].payload.bytes(), "onetwothree");
    assert_eq!(kept[0].metadata.get("query").unwrap(), "a=1");
}

#[tokio::test]
async fn paths_are_decoded_and_unknown_ones_are_404() {
    let server = run(stand([("a b/c", Double::new())])).await;
    let known = request(server.address, "POST", "/api/webhooks/a%20b/c", "x").await;
    assert_eq!(known.status, 200);
    for path in ["/api/webhooks/other", "/api/webhooks/", "/api/webhooks/%ff"] {
        let unknown = request(server.address, "POST", path, "x").await;
        assert_eq!(
            (unknown.status, unknown.code().as_str()),
            (404, "HMD-0100"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let server = run(stand([("orders", Double::new())])).await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = request(server.address, method, PATH, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "HMD-0101"));
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let cases = [
        (RefusalKind::Malformed, 400, "HMD-0105"),
        (RefusalKind::Unauthenticated, 401, "HMD-0104"),
        (RefusalKind::TooLarge, 413, "HMD-0102"),
        (RefusalKind::UnsupportedType, 415, "HMD-0106"),
        (RefusalKind::Unavailable, 503, "HMD-0111"),
    ];
    for (kind, status, code) in cases {
        let mut refusal = Refusal::new(kind, "because");
        refusal.retry_after = Some(Duration::from_millis(1500));
        let server = run(stand([("orders", Double::refusing(refusal))])).await;
        let answer = request(server.address, "POST", PATH, "the payload").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert_eq!(answer.json()["detail"], "because");
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert!(!String::from_utf8_lossy(&answer.body).contains("payload"));
    }
}

#[tokio::test]
async fn every_failed_submit_has_its_status() {
    let retry_after = Duration::from_secs(3);
    let reason = "postgres://user:hunter2@db".to_owned();
    let cases = [
        (
            SubmitError::Full { retry_after },
            503,
            "HMD-0107",
            Some("3"),
        ),
        (SubmitError::Draining, 503, "HMD-0108", Some("5")),
        (
            SubmitError::NotRunning { reason },
            503,
            "HMD-0109",
            Some("5"),
        ),
        (
            SubmitError::TooLarge {
                reason: "too large".to_owned(),
            },
            413,
            "HMD-0102",
            None,
        ),
        (SubmitError::Unknown, 504, "HMD-0110", None),
    ];
    for (error, status, code, retry) in cases {
        let server = run(stand([("orders", Double::failing(error))])).await;
        let answer = request(server.address, "POST", PATH, "x").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert_eq!(answer.header("retry-after"), retry, "{code}");
        // I10: reasons are for the operator's log.
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    }
}
