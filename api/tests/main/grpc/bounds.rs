//! What the port of gRPC takes at most, and how it ends.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hermod_api::BindError;
use hermod_proto::source::grpc::v1::PublishRequest;
use hyper::{Request, StatusCode, body::Frame};
use tokio::io::AsyncReadExt as _;
use tonic::{Code, body::Body, codegen::Service as _};

use super::{
    client::{Wire, connect, publish, spawn, to},
    taking,
};
use crate::node::{Double, options, run, stand, try_run};

const PUBLISH: &str = "http://hermod.test/hermod.source.grpc.v1.SourceService/Publish";

#[tokio::test]
async fn i9_a_message_larger_than_any_source_takes_is_refused() {
    let double = Double::new();
    let server = run(taking(&double)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let large = PublishRequest {
        payload: Bytes::from(vec![b'x'; 16 << 20]),
        ..to("orders")
    };
    let status = publish(&wire, large).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert!(double.payloads().is_empty());
    assert!(
        publish(&wire, to("orders")).await.is_ok(),
        "the connection goes on"
    );
}

#[tokio::test]
async fn i9_the_connection_too_many_is_closed_and_the_call_too_many_told_so() {
    let double = Double::gated();
    let mut options = options();
    options.connections_max = 1;
    let server = try_run(taking(&double), options).await.unwrap();
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let first = {
        let wire = wire.clone();
        spawn(async move { publish(&wire, to("orders")).await })
    };
    double.entered.notified().await;
    let status = publish(&wire, to("orders")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.metadata().get("grpc-retry-pushback-ms").is_some());
    let (_other, closed) = connect(server.grpc.unwrap()).await;
    let within = Duration::from_mins(1);
    let closed = tokio::time::timeout(within, closed).await.unwrap();
    drop(closed.unwrap());
    double.gate.add_permits(1);
    first.await.unwrap().unwrap();
    assert_eq!(double.payloads().len(), 1);
}

#[tokio::test]
async fn a_message_that_does_not_come_in_time_keeps_nothing() {
    let double = Double::new();
    let mut options = options();
    options.body_timeout = Duration::from_millis(50);
    let server = try_run(taking(&double), options).await.unwrap();
    let (Wire(mut sender), _connection) = connect(server.grpc.unwrap()).await;
    // A message of 9 bytes, of which two come.
    let begun = Bytes::from_static(&[0, 0, 0, 0, 9, 0x0a, 7]);
    let frames =
        stream::iter([Ok::<_, tonic::Status>(Frame::data(begun))]).chain(stream::pending());
    let request = Request::post(PUBLISH)
        .header("content-type", "application/grpc")
        .body(Body::new(http_body_util::StreamBody::new(frames)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "4");
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn a_connection_without_calls_is_ended() {
    let mut options = options();
    options.head_timeout = Duration::from_millis(50);
    let double = Double::gated();
    let server = try_run(taking(&double), options).await.unwrap();
    let (wire, connection) = connect(server.grpc.unwrap()).await;
    double.gate.add_permits(1);
    publish(&wire, to("orders")).await.unwrap();
    let within = Duration::from_mins(1);
    let ended = tokio::time::timeout(within, connection).await.unwrap();
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_off() {
    let mut options = options();
    options.head_timeout = Duration::from_millis(50);
    let server = try_run(stand([]), options).await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(server.grpc.unwrap())
        .await
        .unwrap();
    let mut sent = Vec::new();
    let within = Duration::from_mins(1);
    let end = tokio::time::timeout(within, stream.read_to_end(&mut sent));
    end.await.unwrap().unwrap();
}

#[tokio::test]
async fn stopping_finishes_the_open_call_and_takes_no_other() {
    let double = Double::gated();
    let server = run(taking(&double)).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let (_idle, idle) = connect(server.grpc.unwrap()).await;
    let call = spawn(async move { publish(&wire, to("orders")).await });
    double.entered.notified().await;
    server.stop.cancel();
    idle.await.unwrap().unwrap();
    double.gate.add_permits(1);
    assert_eq!(call.await.unwrap().unwrap().id, "k");
    server.ended.await.unwrap();
    let refused = tokio::net::TcpStream::connect(server.grpc.unwrap()).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_call_that_outlasts_the_stop_is_cut_off() {
    let double = Double::gated();
    let mut options = options();
    options.stop_timeout = Duration::from_millis(50);
    let server = try_run(taking(&double), options).await.unwrap();
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let call = spawn(async move { publish(&wire, to("orders")).await });
    double.entered.notified().await;
    server.stop.cancel();
    server.ended.await.unwrap();
    assert!(call.await.unwrap().is_err());
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so() {
    let server = run(stand([])).await;
    let (mut wire, _connection) = connect(server.grpc.unwrap()).await;
    let plain = Request::post(PUBLISH).body(Body::empty()).unwrap();
    let response = wire.call(plain).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for (path, timeout, code) in [
        ("http://hermod.test/other.Service/Call", "1S", "12"),
        (PUBLISH, "soon", "3"),
    ] {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout)
            .body(Body::empty())
            .unwrap();
        let response = wire.call(request).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], code, "{path}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error_and_the_port_may_be_off() {
    let server = run(stand([])).await;
    let mut options = options();
    options.grpc = server.grpc;
    let error = try_run(stand([]), options.clone()).await.err().unwrap();
    assert!(matches!(error, BindError::InUse { address } if Some(address) == server.grpc));
    options.grpc = None;
    assert_eq!(try_run(stand([]), options).await.unwrap().grpc, None);
}
