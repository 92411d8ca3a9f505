//! Waiting for a batch to become durable.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::shared::Shared;
use crate::signal::{Signal, block};
use crate::{AppendError, Lsn, Seq, StreamId};

type Callback = Box<dyn FnOnce(Result<Lsn, AppendError>) + Send>;

/// Who waits for a batch.
pub(crate) enum Waiter {
    Signal(Signal),
    Callback(Callback),
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal(_) => "Signal",
            Self::Callback(_) => "Callback",
        })
    }
}

impl Waiter {
    pub(crate) fn tell(self, lsn: u64, outcome: Result<(), AppendError>) {
        match self {
            Self::Signal(signal) => signal.wake(),
            Self::Callback(callback) => callback(outcome.map(|()| Lsn(lsn))),
        }
    }
}

/// A batch on its way to the disk. It is ready once the batch is durable (I1), or failed.
///
/// Dropping a ticket does not take the batch back.
#[derive(Debug)]
#[must_use = "an append is durable only once its ticket is ready"]
pub struct Ticket {
    shared: Arc<Shared>,
    lsn: u64,
    first: Option<(StreamId, Seq)>,
    firsts: Vec<(StreamId, Seq)>,
    waiter: Option<u64>,
}

impl Ticket {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lsn: u64,
        first: Option<(StreamId, Seq)>,
        firsts: Vec<(StreamId, Seq)>,
    ) -> Self {
        Self {
            shared,
            lsn,
            first,
            firsts,
            waiter: None,
        }
    }

    /// Place of the batch among all batches.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.lsn)
    }

    /// Number of the first record that the batch appended to a stream.
    pub fn first(&self, stream: StreamId) -> Option<Seq> {
        self.first
            .iter()
            .chain(&self.firsts)
            .find_map(|(known, first)| (*known == stream).then_some(*first))
    }

    /// Whether the batch is durable or failed; never blocks.
    pub fn outcome(&self) -> Option<Result<Lsn, AppendError>> {
        Some(self.shared.outcome(self.lsn)?.map(|()| Lsn(self.lsn)))
    }

    /// Blocks until the batch is durable.
    pub fn wait(mut self) -> Result<Lsn, AppendError> {
        block(None, |signal| self.poll_with(signal)).unwrap_or(Err(AppendError::Failed))
    }

    /// Calls `then` once the batch is durable or failed: on the writer's thread, which it must not block, or at once
    /// on this one if that is known already. Callbacks of batches that become durable are called in their order.
    pub fn on_durable(self, then: impl FnOnce(Result<Lsn, AppendError>) + Send + 'static) {
        let id = self.shared.new_waiter_id();
        let waiter = Waiter::Callback(Box::new(then));
        if let Err(waiter) = self.shared.wait_for(self.lsn, id, waiter) {
            let outcome = self.shared.outcome(self.lsn);
            waiter.tell(self.lsn, outcome.unwrap_or(Err(AppendError::Failed)));
        }
    }

    fn poll_with(&mut self, signal: Signal) -> Option<Result<Lsn, AppendError>> {
        if let Some(outcome) = self.outcome() {
            // Whoever decides takes the waiters out; at worst this one is woken once more.
            self.waiter = None;
            return Some(outcome);
        }
        let id = *self
            .waiter
            .get_or_insert_with(|| self.shared.new_waiter_id());
        match self.shared.wait_for(self.lsn, id, Waiter::Signal(signal)) {
            Ok(()) => None,
            Err(_) => self.outcome(),
        }
    }

    fn unregister(&mut self) {
        if let Some(id) = self.waiter.take() {
            self.shared.stop_waiting(self.lsn, id);
        }
    }
}

/// # Cancel safety
/// Dropping it unregisters it; the batch goes its way.
impl Future for Ticket {
    type Output = Result<Lsn, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_with(Signal::Task(context.waker().clone())) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.unregister();
    }
}
