//! What happened when, on one clock.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Microseconds since the run began.
pub(super) type Micros = u64;

/// The run's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Micros {
        self.0.elapsed().as_micros() as Micros
    }
}

/// The first success of a request that began after a moment.
#[derive(Debug, Default)]
pub(super) struct First(Mutex<(Micros, Option<Micros>)>);

impl First {
    /// Forgets what was; from now on only what begins at `since` or later counts.
    pub(super) fn arm(&self, since: Micros) {
        *self.lock() = (since, None);
    }

    /// Takes down a success.
    pub(super) fn succeeded(&self, began: Micros, ended: Micros) {
        let mut held = self.lock();
        if began >= held.0 && held.1.is_none_or(|first| ended < first) {
            held.1 = Some(ended);
        }
    }

    /// Returns how long after the moment it was.
    pub(super) fn after(&self) -> Option<Duration> {
        let (since, first) = *self.lock();
        first.map(|first| Duration::from_micros(first.saturating_sub(since)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Micros, Option<Micros>)> {
        // A sender that panicked leaves two numbers, which are whole.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_began_after_the_moment_counts_and_the_earliest_end_wins() {
        let first = First::default();
        first.arm(100);
        first.succeeded(90, 120);
        assert_eq!(first.after(), None);
        first.succeeded(101, 400);
        first.succeeded(150, 300);
        assert_eq!(first.after(), Some(Duration::from_micros(200)));
        first.arm(500);
        assert_eq!(first.after(), None);
    }
}
