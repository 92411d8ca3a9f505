//! Requests whose source lives on another node.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hermod_api::{Forward, Forwarded, ForwardedAnswer, answer_forwarded};
use hermod_engine::SubmitError;
use hermod_proto::source::grpc::v1::PublishRequest;
use hermod_sdk::{PushProtocol, Refusal, RefusalKind};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    grpc::client::{connect, publish, publish_within, spawn, to},
    node::{Double, Elsewhere, Running, Stand, gateway, run, stand},
    wire::{Client, request},
};

const WEBHOOK: &str = "/api/webhooks/orders";
const GRAPHQL: &str = "/api/graphql/orders";

/// A node that has a source under each protocol.
fn owner(double: &Double) -> Arc<Stand> {
    let stand = stand([("orders", double.clone())])
        .with(PushProtocol::Graphql, "orders", double)
        .with(PushProtocol::Grpc, "orders", double);
    Arc::new(stand)
}

/// A node that has none, beside one that has them all.
fn beside(double: &Double) -> Arc<Stand> {
    Arc::new(gateway(Elsewhere::Peer(owner(double))))
}

async fn call(server: &Running) -> Result<String, Status> {
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    publish(&wire, to("orders")).await.map(|answer| answer.id)
}

#[tokio::test]
async fn i1_a_forwarded_request_succeeds_only_after_the_owners_submit() {
    let double = Double::gated();
    let server = run(beside(&double)).await;
    for path in [WEBHOOK, GRAPHQL] {
        let mut client = Client::connect(server.address).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\n");
        client
            .send(format!("{head}content-length: 2\r\n\r\nhi"))
            .await;
        double.entered.notified().await;
        assert!(!client.has_answer());
        double.gate.add_permits(1);
        let answer = client.answer().await;
        let expected = match path {
            WEBHOOK => json!({"id": "k"}),
            _ => json!({"data": {"accepted": true, "id": "k"}}),
        };
        assert_eq!((answer.status, answer.json()), (200, expected));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let call = spawn(async move { publish(&wire, to("orders")).await });
    double.entered.notified().await;
    assert!(!call.is_finished());
    double.gate.add_permits(1);
    let answer = call.await.unwrap().unwrap();
    assert_eq!((&*answer.id, &*answer.status), ("k", "accepted"));
    assert_eq!(double.payloads().len(), 3);
}

#[tokio::test]
async fn the_owner_gets_the_request_as_it_came() {
    let double = Double::new();
    let gateway = beside(&double);
    let server = run(gateway.clone()).await;
    let mut client = Client::connect(server.address).await;
    let head = format!(
        "POST {WEBHOOK}?shop=7 HTTP/1.1\r\nhost: x\r\nX-Hub-Signature-256: sha256=00\r\n\
         authorization: Bearer t\r\nconnection: x-hop\r\nx-hop: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    client.send(head).await;
    client.send("3\r\n\u{0}\n{\r\n2\r\n}}\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    let kept = double.kept.lock().unwrap();
    assert_eq!(kept[0].payload.bytes(), "\u{0}\n{}}");
    let of = |name: &str| kept[0].metadata.get(name).map(ToString::to_string);
    assert_eq!(of("path").unwrap(), "orders");
    assert_eq!(of("query").unwrap(), "shop=7");
    assert_eq!(of("x-hub-signature-256").unwrap(), "sha256=00");
    assert_eq!(of("authorization").unwrap(), "Bearer t");
    for hop in ["connection", "x-hop", "transfer-encoding"] {
        assert_eq!(of(hop), None, "{hop}");
    }
    let forwarded = gateway.forwarded.lock().unwrap();
    assert_eq!(forwarded[0].deadline_ms, 30_000);
}

#[tokio::test]
async fn a_grpc_message_travels_as_it_came_with_its_metadata_and_its_deadline() {
    let double = Double::new();
    let gateway = beside(&double);
    let server = run(gateway.clone()).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let patience = Some(Duration::from_secs(7));
    publish_within(&wire, to("/orders"), patience)
        .await
        .unwrap();
    let kept = double.kept.lock().unwrap();
    let sent = PublishRequest::decode(kept[0].payload.bytes()).unwrap();
    assert_eq!(sent, to("/orders"));
    assert_eq!(kept[0].metadata.get("x-api-key").unwrap(), "hunter2");
    let forwarded = gateway.forwarded.lock().unwrap();
    assert_eq!(
        (&*forwarded[0].path, forwarded[0].deadline_ms),
        ("orders", 7_000)
    );
}

#[tokio::test]
async fn what_the_owner_refuses_is_told_as_if_it_were_here() {
    let retry_after = Duration::from_secs(3);
    let malformed = Refusal::new(RefusalKind::Malformed, "because");
    let unsigned = Refusal::new(RefusalKind::Unauthenticated, "because");
    for (double, status, code, retry, grpc) in [
        (
            Double::refusing(malformed),
            400,
            "HMD-0105",
            None,
            Code::InvalidArgument,
        ),
        (
            Double::refusing(unsigned),
            401,
            "HMD-0104",
            None,
            Code::Unauthenticated,
        ),
        (Double::limited(1), 413, "HMD-0102", None, Code::OutOfRange),
        (
            Double::failing(SubmitError::Full { retry_after }),
            503,
            "HMD-0107",
            Some("3"),
            Code::ResourceExhausted,
        ),
        (
            Double::failing(SubmitError::Unknown),
            504,
            "HMD-0110",
            None,
            Code::Unknown,
        ),
    ] {
        let server = run(beside(&double)).await;
        let answer = request(server.address, "POST", WEBHOOK, "hi").await;
        assert_eq!((answer.status, &*answer.code()), (status, code));
        assert_eq!(answer.header("retry-after"), retry);
        let answer = request(server.address, "POST", GRAPHQL, "hi").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], code);
        assert_eq!(answer.header("retry-after"), retry);
        let failed = call(&server).await.unwrap_err();
        assert_eq!(failed.code(), grpc, "{failed}");
        assert_eq!(failed.metadata().get("hermod-code").unwrap(), code);
        assert!(double.payloads().is_empty());
    }
}

#[tokio::test]
async fn each_way_to_find_no_owner_has_its_answer() {
    let retry_after = Duration::from_secs(2);
    for (forward, status, code, retry, grpc) in [
        (Forward::Nobody, 404, "HMD-0100", None, Code::NotFound),
        (
            Forward::OwnerUnknown { retry_after },
            503,
            "HMD-0111",
            Some("2"),
            Code::Unavailable,
        ),
        (
            Forward::OwnerUnreachable,
            503,
            "HMD-0134",
            Some("1"),
            Code::Unavailable,
        ),
        (
            Forward::OutcomeUnknown,
            504,
            "HMD-0110",
            None,
            Code::Unknown,
        ),
    ] {
        let server = run(gateway(Elsewhere::Always(forward))).await;
        let answer = request(server.address, "POST", WEBHOOK, "hi").await;
        assert_eq!((answer.status, &*answer.code()), (status, code));
        assert_eq!(answer.header("retry-after"), retry, "{code}");
        let answer = request(server.address, "POST", GRAPHQL, "hi").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], code);
        let failed = call(&server).await.unwrap_err();
        assert_eq!(
            (failed.code(), retry.is_some()),
            (
                grpc,
                failed.metadata().contains_key("grpc-retry-pushback-ms"),
            )
        );
    }
}

#[tokio::test]
async fn a_node_that_knows_nothing_yet_sends_nobody_away_for_good() {
    let server = run(gateway(Elsewhere::Unknown)).await;
    let answer = request(server.address, "POST", WEBHOOK, "hi").await;
    assert_eq!((answer.status, &*answer.code()), (503, "HMD-0111"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let answer = request(server.address, "POST", GRAPHQL, "hi").await;
    assert_eq!(answer.status, 503);
    assert_eq!(call(&server).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn i1_an_answer_that_cannot_be_understood_is_no_success() {
    for (status, body) in [(200, ""), (204, "{}"), (503, "no json"), (7, "{}")] {
        let answer = ForwardedAnswer {
            status,
            headers: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let server = run(gateway(Elsewhere::Always(Forward::Answer(answer)))).await;
        let failed = call(&server).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unknown, "{status}");
        if !matches!(status, 200 | 503) {
            let answer = request(server.address, "POST", WEBHOOK, "hi").await;
            assert_eq!((answer.status, &*answer.code()), (504, "HMD-0110"));
        }
    }
}

#[tokio::test]
async fn one_hop_only_and_an_owner_that_is_none_any_more_says_so() {
    let former = Arc::new(gateway(Elsewhere::Never));
    let server = run(gateway(Elsewhere::Peer(former.clone()))).await;
    let answer = request(server.address, "POST", WEBHOOK, "hi").await;
    assert_eq!((answer.status, &*answer.code()), (503, "HMD-0111"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let failed = call(&server).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(former.forwarded.lock().unwrap().is_empty());
}

#[tokio::test]
async fn i9_what_is_too_large_for_every_source_is_not_handed_on() {
    let gateway = Arc::new(gateway(Elsewhere::Never));
    let server = run(gateway.clone()).await;
    let mut client = Client::connect(server.address).await;
    let length = (16 << 20) + 1;
    client
        .send(format!(
            "POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, &*answer.code()), (413, "HMD-0102"));
    let answer = request(server.address, "GET", WEBHOOK, "").await;
    assert_eq!((answer.status, &*answer.code()), (405, "HMD-0101"));
    assert!(gateway.forwarded.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bodies_of_unknown_length_hold_no_more_room_than_they_need() {
    let double = Double::gated();
    let server = run(beside(&double)).await;
    let mut clients = Vec::new();
    // More than would fit if each held what it might have had.
    for _ in 0..20 {
        let mut client = Client::connect(server.address).await;
        let head = format!("POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked");
        client
            .send(format!("{head}\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
            .await;
        double.entered.notified().await;
        clients.push(client);
    }
    double.gate.add_permits(clients.len());
    for mut client in clients {
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn the_owner_gives_up_at_the_deadline_and_takes_nothing_without_one() {
    let double = Double::gated();
    let owner = owner(&double);
    for (deadline_ms, status, code) in [(0, 503, "HMD-0111"), (20, 504, "HMD-0110")] {
        let request = Forwarded {
            protocol: PushProtocol::Webhook,
            path: "orders".to_owned(),
            method: "POST".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::from_static(b"hi"),
            deadline_ms,
        };
        let answer = answer_forwarded(&*owner, request).await;
        assert_eq!(answer.status, status);
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["code"], code);
    }
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn a_node_that_never_hears_of_the_owner_keeps_to_the_senders_deadline() {
    let server = run(gateway(Elsewhere::Never)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let patience = Some(Duration::from_millis(50));
    let failed = publish_within(&wire, to("orders"), patience)
        .await
        .unwrap_err();
    assert_eq!(failed.code(), Code::DeadlineExceeded);
}
