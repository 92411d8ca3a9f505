//! The body of a request, within its limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, StatusCode,
    body::{Body as _, Incoming},
    header::CONTENT_LENGTH,
};

use crate::{Code, problem::Problem};

/// Largest frame that is copied out of the connection's read buffer.
const COPIED_BYTES_MAX: usize = 32 << 10;

/// Returns how many bytes a request says that it has.
pub(super) fn declared(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    text.parse().ok()
}

/// Reads a body to its end, within a time, unless it says itself that it is too large.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    if declared(headers).is_some_and(|n| n > limit as u64) {
        return Err(too_large(limit));
    }
    match tokio::time::timeout(timeout, gather(body, limit)).await {
        Ok(body) => body,
        Err(_) => Err(too_slow(timeout)),
    }
}

/// Reads a body to its end, counting what really comes, whatever the headers say.
async fn gather(mut body: Incoming, limit: usize) -> Result<Bytes, Problem> {
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

/// A body that is not read leaves the connection unusable for another request.
pub(super) fn unread(body: &Incoming, problem: Problem) -> Problem {
    if body.is_end_stream() {
        problem
    } else {
        problem.closing()
    }
}

pub(super) fn too_large(limit: usize) -> Problem {
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
