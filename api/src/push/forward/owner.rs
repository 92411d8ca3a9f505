//! What the node does that has the source.

use std::time::Duration;

use hermod_sdk::{Message, Request};
use hyper::{Method, StatusCode};

use super::{
    MOVE_WAIT,
    request::{Forwarded, ForwardedAnswer, headers},
};
use crate::{
    Code, Intake as _, Node,
    problem::Problem,
    push::{answer, body, keep},
};

/// Answers a request that another node has handed on. It is never handed on again: a node that does not have the source
/// says so.
///
/// # Cancel safety
/// Dropping the future leaves it open whether the messages were kept.
pub async fn answer_forwarded<N: Node>(node: &N, request: Forwarded) -> ForwardedAnswer {
    let protocol = request.protocol;
    let response = match keep_forwarded(node, request).await {
        Ok(text) => answer::success(text),
        Err(problem) => answer::failure(protocol, problem),
    };
    ForwardedAnswer::read(response).await
}

async fn keep_forwarded<N: Node>(node: &N, request: Forwarded) -> Result<String, Problem> {
    let Forwarded {
        protocol,
        path,
        method,
        query,
        headers: pairs,
        body,
        deadline_ms,
    } = request;
    let not_now = |detail| {
        Problem::new(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, detail)
            .retry_after(Some(MOVE_WAIT))
    };
    let Some(intake) = node.intake(protocol, &path) else {
        return Err(not_now(
            "the workflow has moved to another node; nothing of this request was kept",
        ));
    };
    if deadline_ms == 0 {
        return Err(not_now(
            "no time was left; nothing of this request was kept",
        ));
    }
    let method = Method::from_bytes(method.as_bytes()).ok();
    let Some((method, headers)) = method.zip(headers(pairs)) else {
        let detail = "the request was garbled on its way between nodes";
        return Err(Problem::new(
            Code::Malformed,
            StatusCode::BAD_REQUEST,
            detail,
        ));
    };
    let limit = intake.source().body_bytes_max();
    if body.len() > limit {
        return Err(body::too_large(limit));
    }
    let parts = Request {
        method: &method,
        path: &path,
        query: &query,
        headers: &headers,
    };
    let told = |messages: &[Message]| answer::accepted(protocol, messages);
    let kept = keep(&intake, &parts, body, told);
    let limit = Duration::from_millis(deadline_ms);
    tokio::time::timeout(limit, kept).await.unwrap_or_else(|_| {
        Err(answer::unknown(
            "the workflow did not acknowledge in time; the messages may have been kept",
        ))
    })
}
