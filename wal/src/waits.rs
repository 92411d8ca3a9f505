//! Waiting for records and for room.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::error::WaitError;
use crate::ledger::{ArrivalWaiter, Ledger, Phase};
use crate::shared::Shared;
use crate::signal::{Signal, block};
use crate::{Seq, StreamId};

/// Ready when a stream has a durable record with a number above `beyond`, or, should it have been trimmed, had one:
/// when the stream's next durable number is above it.
///
/// # Cancel safety
/// Dropping it unregisters it.
#[derive(Debug)]
#[must_use = "it does nothing unless waited for"]
pub struct Arrival {
    shared: Arc<Shared>,
    stream: StreamId,
    beyond: Seq,
    waiter: Option<u64>,
}

impl Arrival {
    pub(crate) fn new(shared: Arc<Shared>, stream: StreamId, beyond: Seq) -> Self {
        Self {
            shared,
            stream,
            beyond,
            waiter: None,
        }
    }

    /// Blocks until it is ready.
    pub fn wait(mut self) -> Result<(), WaitError> {
        block(None, |signal| self.poll_with(signal)).unwrap_or(Err(WaitError::Closed))
    }

    /// Blocks until it is ready, at most for `timeout`: `false` if that passed.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<bool, WaitError> {
        let deadline = Instant::now() + timeout;
        match block(Some(deadline), |signal| self.poll_with(signal)) {
            Some(outcome) => outcome.map(|()| true),
            None => Ok(false),
        }
    }

    fn poll_with(&mut self, signal: Signal) -> Option<Result<(), WaitError>> {
        let mut ledger = self.shared.ledger();
        let id = match self.waiter {
            Some(id) => id,
            None => *self.waiter.insert(ledger.waiter_id()),
        };
        let phase = ledger.phase;
        let Some(stream) = ledger.streams.get_mut(&self.stream) else {
            return Some(Err(WaitError::UnknownStream {
                stream: self.stream,
            }));
        };
        stream.arrivals.retain(|waiter| waiter.id != id);
        if stream.durable.next > self.beyond {
            return Some(Ok(()));
        }
        match phase {
            Phase::Poisoned => return Some(Err(WaitError::Poisoned)),
            Phase::Closed => return Some(Err(WaitError::Closed)),
            Phase::Open | Phase::Full | Phase::Closing => {}
        }
        stream.arrivals.push(ArrivalWaiter {
            id,
            beyond: self.beyond,
            signal,
        });
        None
    }
}

impl Future for Arrival {
    type Output = Result<(), WaitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_with(Signal::Task(context.waker().clone())) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            let mut ledger = self.shared.ledger();
            if let Some(stream) = ledger.streams.get_mut(&self.stream) {
                stream.arrivals.retain(|waiter| waiter.id != id);
            }
        }
    }
}

/// Ready when an append that was refused as `Busy` or `Full` is worth another try: less than half of the pending bytes
/// are taken and the log is not full; also when the log was closed or poisoned, which the append then says.
///
/// # Cancel safety
/// Dropping it unregisters it.
#[derive(Debug)]
#[must_use = "it does nothing unless waited for"]
pub struct Room {
    shared: Arc<Shared>,
    waiter: Option<u64>,
}

impl Room {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            waiter: None,
        }
    }

    /// Blocks until there is room.
    pub fn wait(mut self) {
        block(None, |signal| self.poll_with(signal));
    }

    /// Blocks until there is room, at most for `timeout`: `false` if that passed.
    pub fn wait_timeout(mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        block(Some(deadline), |signal| self.poll_with(signal)).is_some()
    }

    fn poll_with(&mut self, signal: Signal) -> Option<()> {
        let mut ledger = self.shared.ledger();
        let id = match self.waiter {
            Some(id) => id,
            None => *self.waiter.insert(ledger.waiter_id()),
        };
        forget(&mut ledger, id);
        if ledger.has_room() || matches!(ledger.phase, Phase::Poisoned | Phase::Closed) {
            return Some(());
        }
        ledger.rooms.push((id, signal));
        None
    }
}

fn forget(ledger: &mut Ledger, id: u64) {
    ledger.rooms.retain(|(known, _)| *known != id);
}

impl Future for Room {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_with(Signal::Task(context.waker().clone())) {
            Some(()) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            forget(&mut self.shared.ledger(), id);
        }
    }
}
