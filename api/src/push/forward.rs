//! Requests whose source lives on another node: handed to that node as they came, once, and its answer handed back.

mod owner;
mod request;
mod room;

use std::time::Duration;

use axum::body::Body;
use hermod_sdk::PushProtocol;
use hyper::{
    Method, Response, StatusCode,
    body::{Body as _, Incoming},
    http::request::Parts,
};

pub use self::{
    owner::answer_forwarded,
    request::{Forward, Forwarded, ForwardedAnswer},
};
pub(crate) use self::{request::carried, room::Room};
use super::{answer, body};
use crate::{Code, Node, Whereabouts, connection::Shared, problem::Problem};

/// Largest body that is handed on. A source may take less; its node says so.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// How long the other node may take, where the sender sets no limit.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer its answer is waited for, so that it is the other node that gives up.
const GRACE: Duration = Duration::from_secs(2);

/// When to come back while it is being found out who has the workflow, or while it moves.
const MOVE_WAIT: Duration = Duration::from_secs(1);

/// Hands a request of HTTP to the node that has its source, if there may be one.
pub(super) async fn elsewhere<N: Node>(
    shared: &Shared<N>,
    protocol: PushProtocol,
    path: &str,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Problem> {
    ask(&*shared.node, protocol, path)
        .await
        .map_err(|problem| body::unread(&body, problem))?;
    if head.method != Method::POST {
        return Err(body::unread(&body, answer::wrong_method(protocol)));
    }
    // A body that does not say its length may be as long as any.
    let expected = body.size_hint().exact().unwrap_or(BODY_BYTES_MAX as u64);
    let expected = usize::try_from(expected).map_or(BODY_BYTES_MAX, |n| n.min(BODY_BYTES_MAX));
    let room = shared.room.hold(expected);
    let mut room = room.map_err(|problem| body::unread(&body, problem))?;
    let timeout = shared.options.body_timeout;
    let body = body::read(&head.headers, body, BODY_BYTES_MAX, timeout).await?;
    // What is not needed is given back before the other node is asked, which may take long.
    room::shrink(&mut room, body.len());
    let request = Forwarded {
        protocol,
        path: path.to_owned(),
        method: head.method.as_str().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: carried(&head.headers),
        body,
        deadline_ms: TIMEOUT.as_millis() as u64,
    };
    let answer = send(&*shared.node, request).await?;
    answer.into_response().ok_or_else(not_understood)
}

/// Asks whether another node may have a source.
pub(super) async fn ask<N: Node>(
    node: &N,
    protocol: PushProtocol,
    path: &str,
) -> Result<(), Problem> {
    match node.whereabouts(protocol, path).await {
        Whereabouts::Elsewhere => Ok(()),
        Whereabouts::Nowhere => Err(answer::nobody(protocol)),
        // A sender that is told 404 does not come again.
        Whereabouts::Unknown => Err(not_known_yet(MOVE_WAIT)),
    }
}

fn not_known_yet(retry_after: Duration) -> Problem {
    let detail =
        "it is not known yet which node has the workflow; nothing of this request was kept";
    Problem::new(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, detail)
        .retry_after(Some(retry_after))
}

/// Hands a request on and waits for the answer.
pub(super) async fn send<N: Node>(
    node: &N,
    request: Forwarded,
) -> Result<ForwardedAnswer, Problem> {
    let protocol = request.protocol;
    let limit = Duration::from_millis(request.deadline_ms) + GRACE;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    match tokio::time::timeout(limit, node.forward(request)).await {
        Ok(Forward::Answer(answer)) => Ok(answer),
        Ok(Forward::Nobody) => Err(answer::nobody(protocol)),
        Ok(Forward::OwnerUnknown { retry_after }) => Err(not_known_yet(retry_after)),
        Ok(Forward::OwnerUnreachable) => {
            let detail = "the node that has the workflow cannot be reached; nothing of this request was kept";
            Err(Problem::new(Code::NodeUnavailable, unavailable, detail)
                .retry_after(Some(MOVE_WAIT)))
        }
        // I1, I7: no answer is no success and no refusal either.
        Ok(Forward::OutcomeUnknown) | Err(_) => Err(answer::unknown(
            "the node that has the workflow did not answer; the messages may have been kept",
        )),
    }
}

/// An answer that is none. The messages may have been kept.
pub(super) fn not_understood() -> Problem {
    answer::unknown(
        "the node that has the workflow answered what cannot be understood; the messages may have been kept",
    )
}
