//! The answers that were given, so that a retry is answered again and never done again.

use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use crate::Answer;

/// Serials of a proposer whose answers are kept. No proposer has a wider window open.
pub(crate) const WINDOW: u64 = 4_096;

/// Proposers, one for each start of a node: those that come back within an hour are far fewer.
const PROPOSERS_MAX: usize = 256;
/// A proposer is forgotten when it was idle for so long by store time, and for so many entries. A write's time limit is
/// seconds; the entries guard against a clock that leaps.
const IDLE_MS: u64 = 3_600_000;
const IDLE_ENTRIES: u64 = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answers {
    proposers: RedBlackTreeMapSync<u64, Window>,
}

/// The answers of one proposer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// The lowest serial that may still be done.
    floor: u64,
    /// The last entry, and store time then.
    index: u64,
    at_ms: u64,
    answers: RedBlackTreeMapSync<u64, Answer>,
}

/// What is known of a serial.
pub(crate) enum Known {
    New,
    Answer(Answer),
    Expired,
}

impl Answers {
    /// Takes out the window of a proposer; it is to be put back.
    pub(crate) fn window(&mut self, proposer: u64, index: u64, now_ms: u64) -> Window {
        let known = self.proposers.get(&proposer).cloned();
        if known.is_some() {
            // Out of the map it is not shared, and changed in place.
            self.proposers.remove_mut(&proposer);
        } else {
            self.forget_idle(index, now_ms);
        }
        let mut window = known.unwrap_or_default();
        window.index = index;
        window.at_ms = now_ms;
        window
    }

    pub(crate) fn put_back(&mut self, proposer: u64, window: Window) {
        self.proposers.insert_mut(proposer, window);
    }

    fn forget_idle(&mut self, index: u64, now_ms: u64) {
        let idle: Vec<u64> = self
            .proposers
            .iter()
            .filter(|(_, window)| {
                window.at_ms + IDLE_MS < now_ms && window.index + IDLE_ENTRIES < index
            })
            .map(|(proposer, _)| *proposer)
            .collect();
        for proposer in idle {
            self.proposers.remove_mut(&proposer);
        }
        while self.proposers.size() >= PROPOSERS_MAX {
            let oldest = self.proposers.iter().min_by_key(|(_, window)| window.index);
            let Some(oldest) = oldest.map(|(proposer, _)| *proposer) else {
                return;
            };
            self.proposers.remove_mut(&oldest);
        }
    }
}

impl Window {
    pub(crate) fn known(&self, serial: u64) -> Known {
        match self.answers.get(&serial) {
            Some(answer) => Known::Answer(answer.clone()),
            None if serial < self.floor => Known::Expired,
            None => Known::New,
        }
    }

    pub(crate) fn keep(&mut self, serial: u64, answer: Answer) {
        self.answers.insert_mut(serial, answer);
        self.floor = self.floor.max((serial + 1).saturating_sub(WINDOW));
        while let Some((&lowest, _)) = self.answers.first()
            && lowest < self.floor
        {
            self.answers.remove_mut(&lowest);
        }
    }
}
