use std::time::Duration;

use hermod_engine::SubmitError;
use hermod_sdk::{PushProtocol, Refusal, RefusalKind};
use serde_json::json;

use crate::{
    node::{Double, Running, run, stand},
    wire::{Answer, Client, request},
};

const PATH: &str = "/api/graphql/orders";
const BODY: &str = r#"{"query": "mutation { order }"}"#;

async fn serving(double: &Double) -> Running {
    run(stand([]).with(PushProtocol::Graphql, "orders", double)).await
}

/// Returns the code of an answer in the form of GraphQL.
fn code(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let errors = json["errors"].as_array().unwrap();
    assert_eq!((errors.len(), json.get("data")), (1, None));
    assert!(errors[0]["message"].is_string());
    errors[0]["extensions"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn i1_graphql_success_is_answered_only_after_the_submit() {
    let double = Double::gated();
    let server = serving(&double).await;
    let mut client = Client::connect(server.address).await;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\n");
    let length = BODY.len();
    client
        .send(format!("{head}content-length: {length}\r\n\r\n{BODY}"))
        .await;
    double.entered.notified().await;
    assert!(double.payloads().is_empty());
    assert!(!client.has_answer());
    double.gate.add_permits(1);
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"data": {"accepted": true, "id": "k"}})
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(double.payloads(), [BODY]);
}

#[tokio::test]
async fn a_path_is_of_one_protocol() {
    let (webhook, graphql) = (Double::new(), Double::new());
    let stand = stand([("orders", webhook.clone())]);
    let server = run(stand.with(PushProtocol::Graphql, "orders", &graphql)).await;
    assert_eq!(request(server.address, "POST", PATH, "g").await.status, 200);
    let path = "/api/webhooks/orders";
    assert_eq!(request(server.address, "POST", path, "w").await.status, 200);
    assert_eq!(
        (graphql.payloads(), webhook.payloads()),
        (vec!["g".into()], vec!["w".into()])
    );
}

#[tokio::test]
async fn every_failure_is_in_the_form_of_graphql_with_the_status_of_a_webhook() {
    let retry_after = Duration::from_secs(3);
    let reason = "postgres://user:hunter2@db".to_owned();
    let refusing = |kind| Double::refusing(Refusal::new(kind, "`query` is missing"));
    let failing = Double::failing;
    let large = SubmitError::TooLarge {
        reason: "too large".to_owned(),
    };
    for (double, status, expected, retry) in [
        (refusing(RefusalKind::Malformed), 400, "HMD-0105", None),
        (
            refusing(RefusalKind::Unauthenticated),
            401,
            "HMD-0104",
            None,
        ),
        (refusing(RefusalKind::TooLarge), 413, "HMD-0102", None),
        (
            refusing(RefusalKind::UnsupportedType),
            415,
            "HMD-0106",
            None,
        ),
        (refusing(RefusalKind::Unavailable), 503, "HMD-0111", None),
        (Double::limited(3), 413, "HMD-0102", None),
        (
            failing(SubmitError::Full { retry_after }),
            503,
            "HMD-0107",
            Some("3"),
        ),
        (failing(SubmitError::Draining), 503, "HMD-0108", Some("5")),
        (
            failing(SubmitError::NotRunning { reason }),
            503,
            "HMD-0109",
            Some("5"),
        ),
        (failing(large), 413, "HMD-0102", None),
        (failing(SubmitError::Unknown), 504, "HMD-0110", None),
    ] {
        let server = serving(&double).await;
        let answer = request(server.address, "POST", PATH, BODY).await;
        assert_eq!((answer.status, &*code(&answer)), (status, expected));
        assert_eq!(answer.header("retry-after"), retry, "{expected}");
        // I10: reasons are for the operator's log.
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
        assert!(double.payloads().is_empty());
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_in_the_form_of_graphql_too() {
    let server = serving(&Double::new()).await;
    for path in ["/api/graphql/other", "/api/graphql/", "/api/graphql/%ff"] {
        let answer = request(server.address, "POST", path, BODY).await;
        assert_eq!(
            (answer.status, &*code(&answer)),
            (404, "HMD-0100"),
            "{path}"
        );
    }
    let answer = request(server.address, "GET", PATH, "").await;
    assert_eq!((answer.status, &*code(&answer)), (405, "HMD-0101"));
    assert_eq!(answer.header("allow"), Some("POST"));
}
