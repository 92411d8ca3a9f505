//! `SourceService.Publish`, beside health and reflection.

mod activity;
mod codec;
mod listener;
mod status;
mod tasks;
mod timed;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hermod_proto::source::grpc::v1::{DESCRIPTOR_SET, PublishResponse};
use hermod_sdk::{Message, PushProtocol, Request};
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use prost::Message as _;
use tokio::{sync::Semaphore, time::Instant};
use tonic::{
    Status,
    body::Body,
    codegen::{BoxFuture, Service as _},
    server::{Grpc as Call, UnaryService},
};
use tonic_health::server::HealthReporter;

pub(crate) use self::listener::Grpc;
use self::{activity::InHand, codec::Raw, timed::Timed};
use super::{
    forward::{self, Forwarded, ForwardedAnswer},
    keep,
};
use crate::{BindError, Code, Node, connection::Shared, problem::Problem};

/// The name of the service, as health knows it.
pub(super) const SERVICE: &str = "hermod.source.grpc.v1.SourceService";

/// Where messages are published.
const PUBLISH: &str = "/hermod.source.grpc.v1.SourceService/Publish";

/// The path of a request that names none.
const DEFAULT_PATH: &str = "grpc/default";

/// What stands in the status of an answer: the workflow's level holds.
const ACCEPTED: &str = "accepted";

/// The part of a `PublishRequest` that says where it goes. The source reads the rest.
#[derive(Clone, PartialEq, prost::Message)]
struct Addressed {
    #[prost(string, tag = "1")]
    path: String,
}

type Answering = BoxFuture<Response<Body>, std::convert::Infallible>;
type Tool = Box<dyn Fn(hyper::Request<Incoming>) -> Answering + Send + Sync>;

/// What answers the calls of all connections.
pub(super) struct Service<N> {
    shared: Arc<Shared<N>>,
    /// Calls at a time (I9).
    calls: Semaphore,
    /// What is no ingress, by the beginning of its path.
    tools: [(&'static str, Tool); 3],
}

impl<N: Node> Service<N> {
    /// Makes the services, and what says whether they are in order.
    fn new(shared: Arc<Shared<N>>) -> Result<(Arc<Self>, HealthReporter), BindError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let descriptors = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let unreadable = |error: tonic_reflection::server::Error| BindError::Descriptors {
            reason: error.to_string(),
        };
        let reflection = descriptors().build_v1().map_err(unreadable)?;
        // Most clients still ask the older one.
        let older = descriptors().build_v1alpha().map_err(unreadable)?;
        let tools: [(&str, Tool); 3] = [
            (
                "/grpc.health.v1.Health/",
                Box::new(move |request| health.clone().call(request)),
            ),
            (
                "/grpc.reflection.v1.ServerReflection/",
                Box::new(move |request| reflection.clone().call(request)),
            ),
            (
                "/grpc.reflection.v1alpha.ServerReflection/",
                Box::new(move |request| older.clone().call(request)),
            ),
        ];
        let service = Self {
            calls: Semaphore::new(shared.options.connections_max),
            shared,
            tools,
        };
        Ok((Arc::new(service), reporter))
    }

    /// Answers a call.
    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        in_hand: InHand,
    ) -> Response<Body> {
        let content_type = request.headers().get(CONTENT_TYPE);
        if !content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let path = request.uri().path();
        if path == PUBLISH {
            let response = self.answer_publish(request).await;
            drop(in_hand);
            return response;
        }
        let Some((_, tool)) = self.tools.iter().find(|(name, _)| path.starts_with(name)) else {
            return Status::unimplemented("there is no such method here").into_http();
        };
        match tool(request).await {
            // Such answers may go on for long; their connection does not count as idle.
            Ok(response) => response.map(|body| in_hand.held_by(body)),
            Err(never) => match never {},
        }
    }

    async fn answer_publish(self: Arc<Self>, request: hyper::Request<Incoming>) -> Response<Body> {
        let Ok(_permit) = self.calls.try_acquire() else {
            let detail = "too many calls at a time; nothing was kept";
            let busy = Problem::new(Code::Full, StatusCode::SERVICE_UNAVAILABLE, detail)
                .retry_after(Some(Duration::from_secs(1)));
            return status::of(&busy).into_http();
        };
        let arrived = Instant::now();
        let patience = match timed::patience(request.headers()) {
            Ok(patience) => patience,
            Err(status) => return status.into_http(),
        };
        let body_timeout = self.shared.options.body_timeout;
        let until = arrived + patience.map_or(body_timeout, |patience| patience.min(body_timeout));
        let request = request.map(|body| Timed::new(body, until));
        let publish = Publish {
            service: self.clone(),
            deadline: patience.map(|patience| arrived + patience),
        };
        Call::new(Raw)
            // A source may take less; it says so itself.
            .max_decoding_message_size(forward::BODY_BYTES_MAX)
            .unary(publish, request)
            .await
    }

    async fn publish(&self, headers: HeaderMap, body: Bytes) -> Result<PublishResponse, Problem> {
        let addressed = Addressed::decode(body.clone()).map_err(|_| {
            let detail = "the message is no `PublishRequest`";
            Problem::new(Code::Malformed, StatusCode::BAD_REQUEST, detail)
        })?;
        let path = match addressed.path.trim_matches('/') {
            "" => DEFAULT_PATH,
            path => path,
        };
        let node = &*self.shared.node;
        let Some(intake) = node.intake(PushProtocol::Grpc, path) else {
            return self.forward(path, &headers, body).await;
        };
        let request = Request {
            method: &Method::POST,
            path,
            query: "",
            headers: &headers,
        };
        let told = |messages: &[Message]| messages.first().map(|message| message.id.to_string());
        // I1: there is an answer only after the submit.
        let id = keep(&intake, &request, body, told).await?;
        Ok(accepted(id.unwrap_or_default()))
    }

    async fn forward(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<PublishResponse, Problem> {
        forward::ask(&*self.shared.node, PushProtocol::Grpc, path).await?;
        let _held = self.shared.room.hold(body.len())?;
        let patience = timed::patience(headers).ok().flatten();
        let timeout = patience.map_or(forward::TIMEOUT, |patience| patience.min(forward::TIMEOUT));
        let request = Forwarded {
            protocol: PushProtocol::Grpc,
            path: path.to_owned(),
            method: Method::POST.as_str().to_owned(),
            query: String::new(),
            headers: forward::carried(headers),
            body,
            deadline_ms: (timeout.as_millis() as u64).max(1),
        };
        translated(&forward::send(&*self.shared.node, request).await?)
    }
}

fn accepted(id: String) -> PublishResponse {
    PublishResponse {
        id,
        status: ACCEPTED.to_owned(),
    }
}

/// Reads the answer of another node, which is that of a webhook.
fn translated(answer: &ForwardedAnswer) -> Result<PublishResponse, Problem> {
    #[derive(serde::Deserialize)]
    struct Kept {
        id: String,
    }
    #[derive(serde::Deserialize)]
    struct Refused {
        code: String,
        detail: String,
    }

    let not_understood = || forward::not_understood();
    if answer.status == StatusCode::OK.as_u16() {
        let kept: Kept = serde_json::from_slice(&answer.body).map_err(|_| not_understood())?;
        return Ok(accepted(kept.id));
    }
    let refused: Option<Refused> = serde_json::from_slice(&answer.body).ok();
    let refused = refused.ok_or_else(not_understood)?;
    let code = Code::ALL
        .into_iter()
        .find(|code| code.text() == refused.code);
    let status = StatusCode::from_u16(answer.status).ok();
    let (code, status) = code.zip(status).ok_or_else(not_understood)?;
    let wait = answer
        .header(&RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    Err(Problem::new(code, status, refused.detail).retry_after(wait))
}

/// One call.
struct Publish<N> {
    service: Arc<Service<N>>,
    deadline: Option<Instant>,
}

impl<N: Node> UnaryService<Bytes> for Publish<N> {
    type Response = PublishResponse;
    type Future = BoxFuture<tonic::Response<PublishResponse>, Status>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (service, deadline) = (self.service.clone(), self.deadline);
        Box::pin(async move {
            let (metadata, _, body) = request.into_parts();
            let published = service.publish(metadata.into_headers(), body);
            let published = match deadline {
                None => published.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, published).await {
                    Ok(published) => published,
                    Err(_) => return Err(status::too_late()),
                },
            };
            published.map(tonic::Response::new).map_err(|problem| {
                let status = status::of(&problem);
                tracing::debug!(code = ?status.code(), "published message refused");
                status
            })
        })
    }
}
