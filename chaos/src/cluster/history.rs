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

/// The successes of requests after a moment: the first that began after it, and the longest time without any.
#[derive(Debug, Default)]
pub(super) struct First(Mutex<Held>);

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    since: Micros,
    first: Option<Micros>,
    latest: Micros,
    gap: Micros,
}

impl First {
    /// Forgets what was; from now on only what begins at `since` or later is the first.
    pub(super) fn arm(&self, since: Micros) {
        *self.lock() = Held {
            since,
            latest: since,
            ..Held::default()
        };
    }

    /// Takes down a success.
    pub(super) fn succeeded(&self, began: Micros, ended: Micros) {
        let mut held = self.lock();
        held.gap = held.gap.max(ended.saturating_sub(held.latest));
        held.latest = held.latest.max(ended);
        if began >= held.since && held.first.is_none_or(|first| ended < first) {
            held.first = Some(ended);
        }
    }

    /// Returns how long after the moment the first one ended.
    pub(super) fn after(&self) -> Option<Duration> {
        let held = *self.lock();
        let first = held.first?;
        Some(Duration::from_micros(first.saturating_sub(held.since)))
    }

    /// Returns the longest time between two successes since the moment, up to `now`.
    pub(super) fn gap(&self, now: Micros) -> Duration {
        let held = *self.lock();
        Duration::from_micros(held.gap.max(now.saturating_sub(held.latest)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        // A sender that panicked leaves numbers, which are whole.
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

    #[test]
    fn the_longest_gap_is_found_wherever_it_is() {
        let first = First::default();
        first.arm(100);
        first.succeeded(100, 110);
        first.succeeded(110, 200);
        first.succeeded(190, 195);
        first.succeeded(195, 210);
        assert_eq!(first.gap(220), Duration::from_micros(90));
        assert_eq!(first.gap(400), Duration::from_micros(190));
    }
}
