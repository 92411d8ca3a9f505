//! `POST /api/webhooks/{path}`: the hot path. Read the body, let the source accept it, submit, answer.

use std::{borrow::Cow, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hermod_engine::SubmitError;
use hermod_sdk::{Message, Refusal, RefusalKind, Request};
use http_body_util::BodyExt;
use hyper::{
    Method, Response, StatusCode,
    body::{Body as _, Incoming},
    header::CONTENT_LENGTH,
};

use crate::{
    Code, Intake, Node,
    problem::{Problem, answer},
};

/// Where webhooks live.
pub(crate) const PREFIX: &str = "/api/webhooks/";

/// Largest frame that is copied out of the connection's read buffer.
const COPIED_BYTES_MAX: usize = 32 << 10;

/// How long a sender is asked to wait while the node shuts down or restarts a workflow.
const RESTART_WAIT: Duration = Duration::from_secs(5);

/// Answers one request whose path begins with [`PREFIX`].
pub(crate) async fn handle<N: Node>(
    node: &N,
    request: hyper::Request<Incoming>,
    body_timeout: Duration,
) -> Response<Body> {
    match take(node, request, body_timeout).await {
        Ok(ids) => answer(StatusCode::OK, "application/json", ids),
        Err(problem) => {
            let status = problem.status();
            tracing::debug!(status = status.as_u16(), "webhook request refused");
            problem.into_response()
        }
    }
}

async fn take<N: Node>(
    node: &N,
    request: hyper::Request<Incoming>,
    body_timeout: Duration,
) -> Result<String, Problem> {
    let (head, body) = request.into_parts();
    let path = decode(head.uri.path().strip_prefix(PREFIX).unwrap_or_default());
    let Some(intake) = path.as_deref().and_then(|path| node.webhook(path)) else {
        let detail = "there is no webhook at this path";
        return Err(unread(
            &body,
            Problem::new(Code::NotFound, StatusCode::NOT_FOUND, detail),
        ));
    };
    if head.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let problem = Problem::new(Code::MethodNotAllowed, status, "a webhook takes `POST`");
        return Err(unread(&body, problem.allow("POST")));
    }
    let limit = intake.source().body_bytes_max();
    let declared = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if declared
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|n| n > limit as u64)
    {
        return Err(too_large(limit));
    }
    let body = match tokio::time::timeout(body_timeout, read(body, limit)).await {
        Ok(body) => body?,
        Err(_) => return Err(too_slow(body_timeout)),
    };
    let request = Request {
        method: &head.method,
        path: path.as_deref().unwrap_or_default(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
    };
    let mut messages = intake.source().accept(&request, body).map_err(refused)?;
    intake.stamp(&mut messages);
    let ids = ids(&messages);
    // I1: success is answered only after the intake says that the workflow's level holds.
    intake.submit(messages).await.map_err(not_taken)?;
    Ok(ids)
}

/// Undoes percent encoding; `None` if it is not valid UTF-8 behind it.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let (digits, behind) = after.split_at_checked(2)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
            rest = behind;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Reads a body to its end, counting what really comes, whatever the headers say.
async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| cut_off())?.into_data() else {
            continue; // trailers
        };
        // I9: no more than the limit is held, chunked or not.
        if whole.len() + gathered.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        if whole.is_empty() && gathered.is_empty() {
            // The usual case: one frame holds all of it. A small one is copied, because a slice would keep
            // the connection's whole read buffer alive with it, and make hyper allocate another.
            whole = if data.len() <= COPIED_BYTES_MAX {
                Bytes::copy_from_slice(&data)
            } else {
                data
            };
            continue;
        }
        if gathered.is_empty() {
            gathered.reserve(whole.len() + data.len());
            gathered.extend_from_slice(&std::mem::take(&mut whole));
        }
        gathered.extend_from_slice(&data);
    }
    Ok(if gathered.is_empty() {
        whole
    } else {
        gathered.freeze()
    })
}

/// Returns the ids as JSON: `{"id": …}` for the usual one, `{"ids": […]}` otherwise.
fn ids(messages: &[Message]) -> String {
    let mut text = String::with_capacity(16 + 48 * messages.len());
    let several = messages.len() != 1;
    text += if several { r#"{"ids":["# } else { r#"{"id":"# };
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_quoted(&message.id, &mut text);
    }
    text += if several { "]}" } else { "}" };
    text
}

fn push_quoted(id: &str, text: &mut String) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if id.bytes().all(plain) {
        text.push('"');
        text.push_str(id);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(id).to_string());
    }
}

/// A body that is not read leaves the connection unusable for another request.
fn unread(body: &Incoming, problem: Problem) -> Problem {
    if body.is_end_stream() {
        problem
    } else {
        problem.closing()
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than the {limit} bytes that this source takes");
    Problem::new(Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, detail).closing()
}

fn too_slow(limit: Duration) -> Problem {
    let detail = format!("the body did not come within {} s", limit.as_secs());
    Problem::new(Code::BodyTimeout, StatusCode::REQUEST_TIMEOUT, detail).closing()
}

fn cut_off() -> Problem {
    let detail = "the body ended too early or its framing is not valid";
    Problem::new(Code::Malformed, StatusCode::BAD_REQUEST, detail).closing()
}

fn refused(refusal: Refusal) -> Problem {
    let (code, status) = match refusal.kind {
        RefusalKind::Malformed => (Code::Malformed, StatusCode::BAD_REQUEST),
        RefusalKind::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED),
        RefusalKind::TooLarge => (Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        RefusalKind::UnsupportedType => (Code::UnsupportedType, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        RefusalKind::Unavailable => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
    };
    Problem::new(code, status, refusal.message).retry_after(refusal.retry_after)
}

fn not_taken(error: SubmitError) -> Problem {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    match error {
        SubmitError::Full { retry_after } => {
            let detail = "there is no room for more messages; nothing of this request was kept";
            Problem::new(Code::Full, unavailable, detail).retry_after(Some(retry_after))
        }
        SubmitError::Draining => {
            let detail = "the workflow is shutting down; nothing of this request was kept";
            Problem::new(Code::Draining, unavailable, detail).retry_after(Some(RESTART_WAIT))
        }
        SubmitError::NotRunning { .. } => {
            // The reason may name hosts and paths of ours; it is in the log and in the status.
            let detail = "the workflow does not run; nothing of this request was kept";
            Problem::new(Code::NotRunning, unavailable, detail).retry_after(Some(RESTART_WAIT))
        }
        SubmitError::TooLarge { reason } => {
            Problem::new(Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, reason)
        }
        SubmitError::Unknown => {
            let detail = "the write failed while it was in flight; the messages may have been kept";
            Problem::new(Code::OutcomeUnknown, StatusCode::GATEWAY_TIMEOUT, detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_or_refused() {
        assert_eq!(decode("orders").as_deref(), Some("orders"));
        assert_eq!(decode("a%20b/%C3%A9").as_deref(), Some("a b/é"));
        for bad in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_quoted_as_json() {
        assert_eq!(ids(&[Message::new("a\"b", "")]), r#"{"id":"a\"b"}"#);
        assert_eq!(
            ids(&[Message::new("1", ""), Message::new("2", "")]),
            r#"{"ids":["1","2"]}"#
        );
    }
}
