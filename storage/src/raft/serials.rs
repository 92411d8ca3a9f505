//! Numbers for operations, so that a retry is known as one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::machine::WINDOW;

/// The numbers of one proposer: a start of a node.
#[derive(Debug)]
pub(crate) struct Serials {
    proposer: u64,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// First serials of what is under way.
    first: BTreeSet<u64>,
}

/// Serials in use. Dropped, they are not.
#[derive(Debug)]
pub(crate) struct Held {
    serials: Arc<Serials>,
    first: u64,
}

impl Serials {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            proposer: rand::random(),
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Takes so many, and waits while the oldest in use is too far behind: its retry must still find its answer.
    pub(crate) async fn take(self: &Arc<Self>, count: u64) -> Held {
        loop {
            let freed = self.freed.notified();
            if let Some(first) = self.try_take(count) {
                return Held {
                    serials: Arc::clone(self),
                    first,
                };
            }
            freed.await;
        }
    }

    fn try_take(&self, count: u64) -> Option<u64> {
        let mut open = self.lock();
        let lowest = open.first.first().copied().unwrap_or(open.next);
        if open.next + count > lowest + WINDOW {
            return None;
        }
        let first = open.next;
        open.next += count;
        open.first.insert(first);
        Some(first)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(crate) fn proposer(&self) -> u64 {
        self.serials.proposer
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.serials.lock().first.remove(&self.first);
        self.serials.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_window_is_wider_than_the_answers_that_are_kept() {
        let serials = Serials::new();
        let first = serials.take(1_024).await;
        let rest: Vec<_> = [serials.take(1_024).await, serials.take(2_048).await].into();
        assert_eq!(serials.try_take(1), None);
        drop(rest);
        assert_eq!(serials.try_take(1), None, "the oldest is still under way");
        drop(first);
        assert_eq!(serials.try_take(1_024), Some(4_096));
    }
}
