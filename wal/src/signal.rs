//! Waking whoever waits: a blocked thread or a task.

use std::task::Waker;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How a waiter is woken.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    Thread(Thread),
    Task(Waker),
}

impl Signal {
    /// Wakes the calling thread.
    pub(crate) fn here() -> Self {
        Self::Thread(thread::current())
    }

    pub(crate) fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

/// Wakes all, outside of any lock.
pub(crate) fn wake_all(signals: impl IntoIterator<Item = Signal>) {
    for signal in signals {
        signal.wake();
    }
}

/// Blocks until `poll`, which registers the signal it is given, has an answer, or until the deadline.
pub(crate) fn block<T>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(Signal) -> Option<T>,
) -> Option<T> {
    loop {
        if let Some(answer) = poll(Signal::here()) {
            return Some(answer);
        }
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left == Duration::ZERO {
                    return None;
                }
                thread::park_timeout(left);
            }
        }
    }
}
