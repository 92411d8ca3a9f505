//! A pushed request between two nodes, and its answer.

use std::{fmt, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use hermod_sdk::PushProtocol;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, HeaderValue,
        RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use serde::{Deserialize, Serialize};

use crate::problem::answer;

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

impl ForwardedAnswer {
    pub(super) async fn read(response: Response<Body>) -> Self {
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
    pub(crate) fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(other, _)| other == name.as_str())?;
        HeaderValue::from_maybe_shared(value.clone()).ok()
    }

    /// Makes the answer to the sender; `None` if it cannot be one.
    pub(super) fn into_response(self) -> Option<Response<Body>> {
        let status = StatusCode::from_u16(self.status).ok()?;
        // Nothing but these was ever answered to a sender.
        let final_status = status == StatusCode::OK || status.as_u16() >= 400;
        if !final_status {
            return None;
        }
        let values = OF_THE_ANSWER.map(|name| (self.header(&name), name));
        let mut response = answer(status, "application/json", self.body);
        for (value, name) in values {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }
}

/// Returns the headers that belong to the request.
pub(crate) fn carried(headers: &HeaderMap) -> Vec<(String, Bytes)> {
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

/// Undoes [`carried`]; `None` if something is no header.
pub(super) fn headers(pairs: Vec<(String, Bytes)>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests;
