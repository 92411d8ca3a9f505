//! Time limits of calls.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, body::Incoming};
use tokio::time::{Instant, Sleep};
use tonic::Status;

/// Header that says how long the client waits.
const TIMEOUT: &str = "grpc-timeout";

/// Returns how long the client waits, if it says so. Source: gRPC over HTTP/2, `Timeout`.
pub(super) fn patience(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let read = value.as_bytes().split_last().and_then(duration);
    match read {
        Some(patience) => Ok(Some(patience)),
        None => Err(Status::invalid_argument("`grpc-timeout` is no duration")),
    }
}

fn duration((unit, digits): (&u8, &[u8])) -> Option<Duration> {
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// A body that must have come by a certain time.
pub(super) struct Timed {
    body: Incoming,
    until: Pin<Box<Sleep>>,
}

impl Timed {
    pub(super) fn new(body: Incoming, until: Instant) -> Self {
        Self {
            body,
            until: Box::pin(tokio::time::sleep_until(until)),
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let broken = |_| Status::cancelled("the message ended too early");
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        ready!(self.until.as_mut().poll(cx));
        let late = Status::deadline_exceeded("the message did not come in time; nothing was kept");
        Poll::Ready(Some(Err(late)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Duration>, Status> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT, text.parse().unwrap());
        patience(&headers)
    }

    #[test]
    fn every_unit_is_known() {
        for (text, nanos) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("99999999m", 99_999_999_000_000),
            ("5u", 5_000),
            ("0n", 0),
        ] {
            let found = read(text).unwrap().unwrap();
            assert_eq!(found.as_nanos(), nanos, "{text}");
        }
        for bad in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(patience(&HeaderMap::new()).unwrap(), None);
    }
}
