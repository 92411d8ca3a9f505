//! Who is in the shared pass, and how far it has claimed messages.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Work;
use crate::graph::SinkSet;

/// A sink's relation to the pass.
enum Lane {
    /// The pass feeds it.
    Joined,
    /// It has just left; this is what was evaluated for it and did not fit into its queue.
    Left(Work),
    /// It reads the buffer by itself.
    Lagging,
}

/// Shared by the pass and the feeds of all sinks.
pub(crate) struct Lanes {
    state: Mutex<State>,
}

struct State {
    lanes: Vec<Lane>,
    // The pass has taken everything below this number.
    claimed: u64,
}

impl Lanes {
    /// Begins at `claimed`; a sink whose cursor is behind it begins on its own.
    pub(crate) fn new(cursors: &[u64], claimed: u64) -> Self {
        let lane = |cursor: &u64| {
            if *cursor < claimed {
                Lane::Lagging
            } else {
                Lane::Joined
            }
        };
        let lanes = cursors.iter().map(lane).collect();
        Self {
            state: Mutex::new(State { lanes, claimed }),
        }
    }

    pub(crate) fn claimed(&self) -> u64 {
        self.lock().claimed
    }

    /// Claims everything below `next` for the sinks that are in the pass right now.
    pub(crate) fn claim(&self, next: u64) -> SinkSet {
        let mut state = self.lock();
        state.claimed = next;
        let mut joined = SinkSet::default();
        for (sink, lane) in state.lanes.iter().enumerate() {
            if matches!(lane, Lane::Joined) {
                joined.insert(sink);
            }
        }
        joined
    }

    /// Lets a sink leave the pass with the work that did not fit.
    pub(crate) fn leave(&self, sink: usize, work: Work) {
        if let Some(lane) = self.lock().lanes.get_mut(sink) {
            *lane = Lane::Left(work);
        }
    }

    /// Returns the work that a sink left with, once.
    pub(crate) fn left(&self, sink: usize) -> Option<Work> {
        let mut state = self.lock();
        let lane = state.lanes.get_mut(sink)?;
        if !matches!(lane, Lane::Left(_)) {
            return None;
        }
        match std::mem::replace(lane, Lane::Lagging) {
            Lane::Left(work) => Some(work),
            Lane::Joined | Lane::Lagging => None,
        }
    }

    /// Lets a sink that has caught up to `next` join again, if the pass has claimed nothing beyond.
    pub(crate) fn join(&self, sink: usize, next: u64) -> bool {
        let mut state = self.lock();
        let caught_up = next == state.claimed;
        if let (true, Some(lane)) = (caught_up, state.lanes.get_mut(sink)) {
            *lane = Lane::Joined;
        }
        caught_up
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
