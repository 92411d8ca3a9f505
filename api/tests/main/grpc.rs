//! The port of gRPC, with a client of gRPC.

mod bounds;
pub(crate) mod client;
mod tools;

use std::time::Duration;

use hermod_engine::SubmitError;
use hermod_proto::source::grpc::v1::PublishRequest;
use hermod_sdk::{PushProtocol, Refusal, RefusalKind};
use prost::Message as _;
use tonic::{Code, Status};

use self::client::{connect, publish, publish_within, spawn, to};
use crate::node::{Double, Running, Stand, run, stand};

fn taking(double: &Double) -> Stand {
    stand([]).with(PushProtocol::Grpc, "orders", double)
}

async fn once(server: &Running, path: &str) -> Result<String, Status> {
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let answer = publish(&wire, to(path)).await?;
    assert_eq!(answer.status, "accepted");
    Ok(answer.id)
}

#[tokio::test]
async fn i1_publish_is_answered_only_after_the_submit() {
    let double = Double::gated();
    let server = run(taking(&double)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let call = spawn(async move { publish(&wire, to("/orders")).await });
    double.entered.notified().await;
    assert!(double.payloads().is_empty());
    assert!(!call.is_finished());
    double.gate.add_permits(1);
    let answer = call.await.unwrap().unwrap();
    assert_eq!((&*answer.id, &*answer.status), ("k", "accepted"));
    // The source is given the request as it came, and the metadata as headers.
    let kept = double.kept.lock().unwrap();
    let request = PublishRequest::decode(kept[0].payload.bytes()).unwrap();
    assert_eq!(request, to("/orders"));
    assert_eq!(kept[0].metadata.get("x-api-key").unwrap(), "hunter2");
    assert_eq!(kept[0].metadata.get("path").unwrap(), "orders");
}

#[tokio::test]
async fn a_path_may_have_slashes_and_none_is_the_default() {
    let (orders, default) = (Double::new(), Double::new());
    let server = run(taking(&orders).with(PushProtocol::Grpc, "grpc/default", &default)).await;
    for path in ["orders", "/orders", "/orders/"] {
        assert_eq!(once(&server, path).await.unwrap(), "k", "{path}");
    }
    for path in ["", "/", "/grpc/default"] {
        assert_eq!(once(&server, path).await.unwrap(), "k", "{path}");
    }
    assert_eq!((orders.payloads().len(), default.payloads().len()), (3, 3));
    let status = once(&server, "other").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.metadata().get("hermod-code").unwrap(), "HMD-0100");
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let retry_after = Duration::from_millis(2500);
    let reason = "postgres://user:hunter2@db".to_owned();
    let refusing = |kind| Double::refusing(Refusal::new(kind, "because"));
    let failing = Double::failing;
    let large = SubmitError::TooLarge {
        reason: "too large".to_owned(),
    };
    for (double, code, wait) in [
        (
            refusing(RefusalKind::Malformed),
            Code::InvalidArgument,
            None,
        ),
        (
            refusing(RefusalKind::Unauthenticated),
            Code::Unauthenticated,
            None,
        ),
        (refusing(RefusalKind::TooLarge), Code::OutOfRange, None),
        (
            refusing(RefusalKind::UnsupportedType),
            Code::InvalidArgument,
            None,
        ),
        (refusing(RefusalKind::Unavailable), Code::Unavailable, None),
        (
            failing(SubmitError::Full { retry_after }),
            Code::ResourceExhausted,
            Some("2500"),
        ),
        (
            failing(SubmitError::Draining),
            Code::Unavailable,
            Some("5000"),
        ),
        (
            failing(SubmitError::NotRunning { reason }),
            Code::Unavailable,
            Some("5000"),
        ),
        (failing(large), Code::OutOfRange, None),
        (failing(SubmitError::Unknown), Code::Unknown, None),
    ] {
        let server = run(taking(&double)).await;
        let status = once(&server, "orders").await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        let pushback = status.metadata().get("grpc-retry-pushback-ms");
        assert_eq!(pushback.map(|value| value.to_str().unwrap()), wait);
        // Ours is a `google.rpc.Status` whose first field is the code.
        assert_eq!(status.details()[..2], [8, code as u8]);
        // I10: reasons are for the operator's log.
        assert!(!format!("{status:?}").contains("hunter2"));
        assert!(double.payloads().is_empty());
    }
}

#[tokio::test]
async fn i1_a_deadline_that_passes_is_no_success() {
    let double = Double::gated();
    let server = run(taking(&double)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let patience = Some(Duration::from_millis(50));
    let status = publish_within(&wire, to("orders"), patience)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("may have been kept"), "{status}");
    // The submit was given up with the call.
    double.gate.add_permits(1);
    publish(&wire, to("orders")).await.unwrap();
    assert_eq!(double.payloads().len(), 1);
}

#[tokio::test]
async fn many_calls_share_a_connection_and_each_has_its_answer() {
    let double = Double::gated();
    let server = run(taking(&double)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let wire = wire.clone();
            spawn(async move { publish(&wire, to("orders")).await })
        })
        .collect();
    double.entered.notified().await;
    double.gate.add_permits(100);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().id, "k");
    }
    assert_eq!(double.payloads().len(), 100);
}
