//! How far each sink has come, and how far all of them have: the contiguous mark behind every
//! acknowledgement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hermod_sdk::Position;
use tokio::sync::{Notify, watch};

use crate::buffer::Ring;

/// Everything below `next` is confirmed, dead-lettered or filtered on purpose (I3).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mark {
    pub(crate) next: u64,
    /// Source position that this covers, where one is known.
    pub(crate) position: Option<Position>,
}

/// Cursors of all sinks of a workflow.
pub(crate) struct Progress {
    marks: Mutex<Vec<Mark>>,
    low: watch::Sender<Mark>,
    moved: Notify,
    // Freed at once, without a detour over a task: intake waits for the room.
    ring: Option<Arc<Ring>>,
}

impl Progress {
    /// Begins with each sink's cursor.
    pub(crate) fn new(cursors: &[u64], ring: Option<Arc<Ring>>) -> Self {
        let marks: Vec<Mark> = cursors
            .iter()
            .map(|next| Mark {
                next: *next,
                position: None,
            })
            .collect();
        let low = lowest(&marks);
        let low = watch::Sender::new(low);
        Self {
            marks: Mutex::new(marks),
            low,
            moved: Notify::new(),
            ring,
        }
    }

    /// Moves a sink's cursor forward; what it passed must be safe already.
    pub(crate) fn advance(&self, sink: usize, mark: Mark) {
        let mut marks = self.lock();
        let Some(own) = marks.get_mut(sink) else {
            return;
        };
        debug_assert!(mark.next >= own.next, "a cursor never moves back");
        own.next = mark.next;
        if mark.position.is_some() {
            own.position = mark.position;
        }
        // I3, I4: the mark of all is the lowest, so an acknowledgement never implies a later message.
        let low = lowest(&marks);
        drop(marks);
        let freed = low.next;
        self.low.send_if_modified(|current| {
            // Two sinks may come here out of turn; the mark of all only grows.
            let moved = low.next >= current.next && *current != low;
            if moved {
                *current = low;
            }
            moved
        });
        if let Some(ring) = &self.ring {
            ring.trim(freed);
        }
        self.moved.notify_one();
    }

    /// Waits until a cursor has moved since the last call.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Makes [`Progress::moved`] return once more.
    pub(crate) fn nudge(&self) {
        self.moved.notify_one();
    }

    /// Returns every sink's cursor.
    pub(crate) fn cursors(&self) -> Vec<u64> {
        self.lock().iter().map(|mark| mark.next).collect()
    }

    /// Returns how far all sinks have come.
    pub(crate) fn low(&self) -> Mark {
        self.low.borrow().clone()
    }

    /// Waits until all sinks have passed everything below `next`.
    pub(crate) async fn passed(&self, next: u64) {
        let mut low = self.low.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let _closed = low.wait_for(|mark| mark.next >= next).await.is_err();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lowest(marks: &[Mark]) -> Mark {
    marks
        .iter()
        .min_by_key(|mark| mark.next)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_head_of_line_gap_holds_back_the_mark_of_all() {
        let progress = Progress::new(&[0, 0], None);
        progress.advance(
            0,
            Mark {
                next: 50,
                position: None,
            },
        );
        assert_eq!(progress.low().next, 0);
        progress.advance(
            1,
            Mark {
                next: 5,
                position: None,
            },
        );
        assert_eq!(progress.low().next, 5);
    }
}
