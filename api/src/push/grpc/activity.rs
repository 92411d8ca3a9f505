//! When a connection last had a call in hand.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tonic::{Status, body::Body};

/// Calls of one connection.
pub(super) struct Activity(Mutex<State>);

struct State {
    calls: usize,
    idle_since: Instant,
}

/// A call in hand, until it is answered or nobody waits for it any more.
pub(super) struct InHand(Arc<Activity>);

/// An answer whose call is in hand until its end.
struct Held {
    body: Body,
    _in_hand: InHand,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            calls: 0,
            idle_since: Instant::now(),
        }))
    }

    /// Returns when the connection has had nothing to do for a time, if nothing comes before.
    pub(super) fn deadline(&self, timeout: Duration) -> Instant {
        let state = self.state();
        let since = match state.calls {
            0 => state.idle_since,
            _ => Instant::now(),
        };
        since + timeout
    }

    pub(super) fn begin(self: &Arc<Self>) -> InHand {
        self.state().calls += 1;
        InHand(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand {
    /// Keeps the call in hand until its answer has ended.
    pub(super) fn held_by(self, body: Body) -> Body {
        Body::new(Held {
            body,
            _in_hand: self,
        })
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.calls -= 1;
        state.idle_since = Instant::now();
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
