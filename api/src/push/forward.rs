//! Requests whose source lives on another node: handed to that node as they came, once, and its answer handed back.

use std::{fmt, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use hermod_sdk::{Message, PushProtocol, Request};
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue,
        RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
    http::request::Parts,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{answer, body, keep};
use crate::{
    Code, Intake as _, Node,
    connection::Shared,
    problem::{Problem, answer as respond},
};

/// Largest body that is handed on. A source may take less; its node says so.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// How long the other node may take, where the sender sets no limit.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer its answer is waited for, so that it is the other node that gives up.
const GRACE: Duration = Duration::from_secs(2);

/// Bodies of all requests that are being handed on (I9), in units of [`UNIT_BYTES`].
const HELD_UNITS_MAX: usize = (256 << 20) / UNIT_BYTES;
const UNIT_BYTES: usize = 1 << 10;

/// When to come back while it is being found out who has the workflow, or while it moves.
const MOVE_WAIT: Duration = Duration::from_secs(1);

/// Largest answer that is handed back. Ours are far smaller.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Headers that speak of one connection, not of the request.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers of an answer that mean something to the sender.
const OF_THE_ANSWER: [HeaderName; 3] = [CONTENT_TYPE, RETRY_AFTER, ALLOW];

/// A pushed request on its way to the node that has its source, as it came: signatures are over the raw body.
///
/// `Debug` shows neither headers nor body, for they hold secrets (I10).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// How the source is reached.
    #[serde(with = "Protocol")]
    pub protocol: PushProtocol,
    /// Path of the source, decoded.
    pub path: String,
    /// Method of the request.
    pub method: String,
    /// Query string without the question mark.
    pub query: String,
    /// Headers, or the metadata of gRPC, without those of the connection, in their order.
    pub headers: Vec<(String, Bytes)>,
    /// The body, or the encoded message of gRPC; at most 16 MiB.
    pub body: Bytes,
    /// Time that is left for the answer, in milliseconds, from when it is received: clocks of nodes may differ.
    pub deadline_ms: u64,
}

/// What the node that has the source answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardedAnswer {
    /// Status of HTTP, whatever the protocol.
    pub status: u16,
    /// `content-type`, and where they apply `retry-after` and `allow`.
    pub headers: Vec<(String, Bytes)>,
    /// The body, in the words of the protocol; for gRPC in those of a webhook.
    pub body: Bytes,
}

/// What has become of a request that was to be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The node that has the source has answered.
    Answer(ForwardedAnswer),
    /// No workflow has such a source.
    Nobody,
    /// There is one, and nobody knows at the moment which node has it. Nothing was sent.
    OwnerUnknown {
        /// When to try again.
        retry_after: Duration,
    },
    /// The node that has it cannot be reached. Nothing was sent.
    OwnerUnreachable,
    /// It was sent, and no answer came: the messages may have been kept.
    OutcomeUnknown,
}

/// Numbers of the protocols between nodes: by their order here, which never changes.
#[derive(Serialize, Deserialize)]
#[serde(remote = "PushProtocol")]
enum Protocol {
    Webhook,
    Graphql,
    Grpc,
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded")
            .field("protocol", &self.protocol)
            .field("path", &self.path)
            .field("bytes", &self.body.len())
            .field("deadline_ms", &self.deadline_ms)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ForwardedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The room for bodies that are being handed on, of all connections together.
pub(crate) struct Room(Semaphore);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(HELD_UNITS_MAX))
    }

    /// Takes room until the permit is dropped.
    pub(super) fn hold(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        // I9: whoever has no account here cannot make the node hold more than this.
        self.0.try_acquire_many(units).map_err(|_| {
            let detail = "too many requests are being handed to other nodes; nothing was kept";
            Problem::new(Code::Full, StatusCode::SERVICE_UNAVAILABLE, detail)
                .retry_after(Some(MOVE_WAIT))
        })
    }
}

/// Hands a request of HTTP to the node that has its source, if there may be one.
pub(super) async fn elsewhere<N: Node>(
    shared: &Shared<N>,
    protocol: PushProtocol,
    path: &str,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Problem> {
    if !shared.node.may_forward(protocol, path) {
        return Err(body::unread(&body, answer::nobody(protocol)));
    }
    if head.method != Method::POST {
        return Err(body::unread(&body, answer::wrong_method(protocol)));
    }
    // A body that does not say its length may be as long as any.
    let expected = body.size_hint().exact().unwrap_or(BODY_BYTES_MAX as u64);
    let expected = usize::try_from(expected).map_or(BODY_BYTES_MAX, |n| n.min(BODY_BYTES_MAX));
    let room = shared.room.hold(expected);
    let _room = room.map_err(|problem| body::unread(&body, problem))?;
    let timeout = shared.options.body_timeout;
    let body = body::read(&head.headers, body, BODY_BYTES_MAX, timeout).await?;
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
        Ok(Forward::OwnerUnknown { retry_after }) => {
            let detail =
                "it is not known yet which node has the workflow; nothing of this request was kept";
            Err(Problem::new(Code::Unavailable, unavailable, detail).retry_after(Some(retry_after)))
        }
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

/// Returns the headers that belong to the request.
pub(super) fn carried(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let named: Vec<&str> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(',').map(str::trim))
        .collect();
    let travels = |name: &HeaderName| {
        !OF_THE_CONNECTION.contains(name)
            && !named
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name.as_str()))
    };
    headers
        .iter()
        .filter(|(name, _)| travels(name))
        .map(|(name, value)| {
            let value = Bytes::copy_from_slice(value.as_bytes());
            (name.as_str().to_owned(), value)
        })
        .collect()
}

fn headers(pairs: Vec<(String, Bytes)>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(headers)
}

impl ForwardedAnswer {
    async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let headers = OF_THE_ANSWER
            .iter()
            .filter_map(|name| {
                let value = head.headers.get(name)?;
                let value = Bytes::copy_from_slice(value.as_bytes());
                Some((name.as_str().to_owned(), value))
            })
            .collect();
        // A text of ours: it is there already, and short.
        let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
        Self {
            status: head.status.as_u16(),
            headers,
            body: body.unwrap_or_default(),
        }
    }

    /// Returns the value of a header.
    pub(super) fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(other, _)| other == name.as_str())?;
        HeaderValue::from_maybe_shared(value.clone()).ok()
    }

    /// Makes the answer to the sender; `None` if it cannot be one.
    fn into_response(self) -> Option<Response<Body>> {
        let status = StatusCode::from_u16(self.status).ok()?;
        // Nothing but these was ever answered to a sender.
        let final_status = status == StatusCode::OK || status.as_u16() >= 400;
        if !final_status {
            return None;
        }
        let values = OF_THE_ANSWER.map(|name| (self.header(&name), name));
        let mut response = respond(status, "application/json", self.body);
        for (value, name) in values {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests;
