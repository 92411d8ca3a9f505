//! Messages that are pushed: read the request, let the source accept it, submit, answer.
//!
//! `POST /api/webhooks/{path}` is the hot path: no lock, no task and no layer per request. GraphQL goes the same way with
//! other words in the answer. gRPC has a port of its own. A request whose source lives on another node is handed on, once.

pub(crate) mod forward;
pub(crate) mod grpc;
pub(crate) mod path;

mod answer;
mod body;

use axum::body::Body;
use bytes::Bytes;
use hermod_sdk::{Message, PushProtocol, Request};
use hyper::{Method, Response, body::Incoming};

use crate::{Intake, Node, connection::Shared, problem::Problem};

/// What has become of a request that was not refused.
enum Taken {
    /// Kept here; the text says so.
    Here(String),
    /// Handed on; what the other node has answered.
    Elsewhere(Box<Response<Body>>),
}

/// Answers one request of a protocol that speaks HTTP.
pub(crate) async fn handle<N: Node>(
    shared: &Shared<N>,
    protocol: PushProtocol,
    request: hyper::Request<Incoming>,
) -> Response<Body> {
    match take(shared, protocol, request).await {
        Ok(Taken::Here(text)) => answer::success(text),
        Ok(Taken::Elsewhere(response)) => *response,
        Err(problem) => {
            let status = problem.status().as_u16();
            tracing::debug!(status, ?protocol, "pushed request refused");
            answer::failure(protocol, problem)
        }
    }
}

async fn take<N: Node>(
    shared: &Shared<N>,
    protocol: PushProtocol,
    request: hyper::Request<Incoming>,
) -> Result<Taken, Problem> {
    let (head, body) = request.into_parts();
    let Some(path) = path::below(protocol, head.uri.path()) else {
        return Err(body::unread(&body, answer::nobody(protocol)));
    };
    let Some(intake) = shared.node.intake(protocol, &path) else {
        // In a box, so that the usual request does not carry the room that this one needs.
        let elsewhere = Box::pin(forward::elsewhere(shared, protocol, &path, &head, body));
        return elsewhere.await.map(Box::new).map(Taken::Elsewhere);
    };
    if head.method != Method::POST {
        return Err(body::unread(&body, answer::wrong_method(protocol)));
    }
    let limit = intake.source().body_bytes_max();
    let body = body::read(&head.headers, body, limit, shared.options.body_timeout).await?;
    let request = Request {
        method: &head.method,
        path: &path,
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
    };
    let told = |messages: &[Message]| answer::accepted(protocol, messages);
    keep(&intake, &request, body, told).await.map(Taken::Here)
}

/// Lets the source accept a request and the workflow take its messages; then, and only then, returns what to tell.
async fn keep<I: Intake, T>(
    intake: &I,
    request: &Request<'_>,
    body: Bytes,
    told: impl FnOnce(&[Message]) -> T,
) -> Result<T, Problem> {
    let mut messages = intake
        .source()
        .accept(request, body)
        .map_err(answer::refused)?;
    intake.stamp(&mut messages);
    let told = told(&messages);
    // I1: success is answered only after the intake says that the workflow's level holds.
    intake.submit(messages).await.map_err(answer::not_taken)?;
    Ok(told)
}
