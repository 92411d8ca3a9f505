//! Reflection and health.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hermod_api::LogState;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use super::client::{Wire, connect, origin};
use crate::node::{Running, run, stand};

const SERVICE: &str = "hermod.source.grpc.v1.SourceService";

async fn start() -> (Running, Wire) {
    let server = run(stand([])).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    (server, wire)
}

macro_rules! ask {
    ($version:ident, $wire:expr, $request:expr) => {{
        use $version::server_reflection_client::ServerReflectionClient;
        let mut client = ServerReflectionClient::with_origin($wire.clone(), origin());
        let request = $version::ServerReflectionRequest {
            host: String::new(),
            message_request: Some($request),
        };
        let answers = client.server_reflection_info(stream::iter([request])).await;
        let mut answers = answers.unwrap().into_inner();
        let answer = answers.next().await.unwrap();
        answer.map(|answer| answer.message_response.unwrap())
    }};
}

#[tokio::test]
async fn reflection_lists_what_clients_may_call_and_nothing_between_nodes() {
    let (_server, wire) = start().await;
    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let answer = ask!(v1, wire, list).unwrap();
    let v1::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}");
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        SERVICE,
    ];
    assert_eq!(names, expected);

    let symbol = |name: &str| {
        v1::server_reflection_request::MessageRequest::FileContainingSymbol(name.to_owned())
    };
    let answer = ask!(v1, wire, symbol(SERVICE)).unwrap();
    let v1::server_reflection_response::MessageResponse::FileDescriptorResponse(file) = answer
    else {
        panic!("{answer:?}");
    };
    let text = String::from_utf8_lossy(&file.file_descriptor_proto[0]).into_owned();
    assert!(text.contains("PublishRequest"), "{text}");
    let status = ask!(v1, wire, symbol("hermod.cluster.v1.Node")).unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn the_older_reflection_is_there_too() {
    let (_server, wire) = start().await;
    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let answer = ask!(v1alpha, wire, list).unwrap();
    assert!(format!("{answer:?}").contains(SERVICE), "{answer:?}");
}

#[tokio::test]
async fn health_follows_the_data_log_and_a_watch_ends_with_the_server() {
    let stand = std::sync::Arc::new(stand([]));
    let server = run(stand.clone()).await;
    let (wire, _connection) = connect(server.grpc.unwrap()).await;
    let mut client = HealthClient::with_origin(wire, origin());
    let ask = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    let unknown = client.check(ask("other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let watch = client.watch(Request::new(ask(""))).await.unwrap();
    let mut watch = watch.into_inner();
    let mut seen = async |expected: ServingStatus| {
        let within = Duration::from_mins(1);
        let status = tokio::time::timeout(within, watch.next()).await.unwrap();
        assert_eq!(status.unwrap().unwrap().status(), expected);
    };
    seen(ServingStatus::Serving).await;
    *stand.log.lock().unwrap() = LogState::Failed {
        reason: "disk".to_owned(),
    };
    seen(ServingStatus::NotServing).await;
    let status = client.check(ask("")).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::NotServing);
    // Full is a state, not a death.
    *stand.log.lock().unwrap() = LogState::Full;
    seen(ServingStatus::Serving).await;
    server.stop.cancel();
    assert!(
        watch.next().await.is_none(),
        "a watch does not hold up the end"
    );
    server.ended.await.unwrap();
}
