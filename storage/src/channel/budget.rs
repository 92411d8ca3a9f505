//! The bytes of calls that are held in memory at once (I9).

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::{BODY_BYTES_MAX, service};

/// Bytes of all calls of a listener that are being received or answered.
pub(super) const BYTES_MAX: usize = 256 << 20;

/// The first bytes of each call are free, so that large calls of others never hold up a heartbeat. They are bounded by the
/// number of calls.
const FREE_BYTES: usize = 64 << 10;

/// Bytes of a message that are not body.
pub(super) const OVERHEAD_BYTES: usize = 1 << 10;

/// What all calls of a listener hold.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: AtomicUsize,
}

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= BYTES_MAX;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// What one call holds, until the last who knows it lets it go.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    charged: AtomicUsize,
}

impl Held {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            charged: AtomicUsize::new(0),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let charged = *self.charged.get_mut();
        self.budget.used.fetch_sub(charged, Ordering::Relaxed);
    }
}

/// A body whose bytes are counted, and refused when they are too many.
pub(super) struct Counted<B> {
    body: B,
    received: usize,
    held: Arc<Held>,
}

impl<B> Counted<B> {
    pub(super) fn new(body: B, held: Arc<Held>) -> Self {
        Self {
            body,
            received: 0,
            held,
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), Status> {
        let charged = self.received.saturating_sub(FREE_BYTES);
        self.received += bytes;
        if self.received > BODY_BYTES_MAX + OVERHEAD_BYTES {
            return Err(service::refused(format!(
                "more than {BODY_BYTES_MAX} bytes"
            )));
        }
        let more = self.received.saturating_sub(FREE_BYTES) - charged;
        if !self.held.budget.take(more) {
            return Err(service::refused(format!(
                "busy: calls hold {BYTES_MAX} bytes"
            )));
        }
        self.held.charged.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }
}

impl<B> Body for Counted<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(Status::from_error(error.into()))));
            }
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        Poll::Ready(Some(self.count(bytes).map(|()| frame)))
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
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    async fn receive(budget: &Arc<Budget>, bytes: usize) -> Result<Arc<Held>, Status> {
        let held = Arc::new(Held::new(Arc::clone(budget)));
        let body = Full::new(Bytes::from(vec![0; bytes]));
        Counted::new(body, Arc::clone(&held)).collect().await?;
        Ok(held)
    }

    #[tokio::test]
    async fn i9_all_calls_together_hold_so_much_and_no_more() {
        let budget = Arc::new(Budget::default());
        let mut held = Vec::new();
        let refused = loop {
            match receive(&budget, BODY_BYTES_MAX).await {
                Ok(one) => held.push(one),
                Err(status) => break status,
            }
        };
        assert_eq!(held.len(), BYTES_MAX / (BODY_BYTES_MAX - FREE_BYTES));
        assert!(refused.metadata().contains_key(service::REFUSED));

        // A heartbeat goes through all the same.
        receive(&budget, FREE_BYTES).await.unwrap();
        held.pop();
        held.push(receive(&budget, BODY_BYTES_MAX).await.unwrap());
        held.clear();
        assert_eq!(budget.used.load(Ordering::Relaxed), 0, "all is given back");
    }
}
