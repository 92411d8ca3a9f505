//! Recycling and deleting segments in which no stream has records any more.

use std::sync::Arc;

use crate::disk::Access;
use crate::pool::Spare;
use crate::quarantine::Keep;
use crate::segment::{Name, Pin, read_opening};
use crate::shared::Shared;
use crate::{Seq, StreamId};

/// Finds out, from the oldest segment on, which are dead.
#[derive(Debug, Default)]
pub(crate) struct Reclaim {
    /// The oldest segment, and where each stream ended in it.
    oldest: Option<(u64, Vec<(StreamId, Seq)>)>,
}

impl Reclaim {
    /// Gives back what can go; `true` if a reader holds a segment that could.
    pub(crate) fn run(&mut self, shared: &Shared) -> bool {
        loop {
            let (number, next, trimmed) = {
                let mut ledger = shared.ledger();
                let trimmed = std::mem::take(&mut ledger.trimmed);
                let Some(active) = ledger.active.as_ref().map(|active| active.header.number) else {
                    return false;
                };
                let mut numbers = ledger.live.keys().copied();
                match (numbers.next(), numbers.next()) {
                    // The newest sealed segment stays: recovery falls back on it if the newest table is damaged.
                    (Some(number), Some(next)) if next < active => (number, next, trimmed),
                    _ => return false,
                }
            };
            let known = self
                .oldest
                .as_ref()
                .is_some_and(|(oldest, _)| *oldest == number);
            if known && !trimmed {
                return false;
            }
            if !known {
                let Some(ends) = ends(shared, number, next) else {
                    return false;
                };
                self.oldest = Some((number, ends));
            }
            if self.is_needed(shared) {
                return false;
            }
            match release(shared, number) {
                Released::Gone => self.oldest = None,
                Released::Held => {
                    shared.ledger().trimmed = true;
                    return true;
                }
            }
        }
    }

    /// Whether a stream still has durable records in the oldest segment.
    fn is_needed(&mut self, shared: &Shared) -> bool {
        let Some((_, ends)) = &mut self.oldest else {
            return false;
        };
        let ledger = shared.ledger();
        let needed = ends.iter().rposition(|(id, end)| {
            // Only durable trims count: after a crash the others never were.
            ledger
                .streams
                .get(id)
                .is_some_and(|stream| stream.durable.first < *end && !stream.durable.is_empty())
        });
        match needed {
            Some(at) => {
                // What no longer needs it never will again; the one that does is looked at first next time.
                ends.truncate(at + 1);
                true
            }
            None => false,
        }
    }
}

/// Where each stream ended in a segment: as the table of the next one says, or else its own records.
fn ends(shared: &Shared, number: u64, next: u64) -> Option<Vec<(StreamId, Seq)>> {
    let path = Name::Live(next).path(&shared.dir);
    let file = shared.disk.open(&path, Access::Read).ok()?;
    if let Some(table) = read_opening(file.as_ref()).ok()?.table {
        return Some(
            table
                .streams
                .iter()
                .map(|(id, entry)| (*id, entry.extent.next))
                .collect(),
        );
    }
    let sealed = crate::locate::sealed(shared, number).ok()?;
    let last = sealed
        .index
        .streams()
        .filter_map(|(id, runs)| Some((id, runs.last()?.until)));
    Some(last.collect())
}

enum Released {
    Gone,
    Held,
}

/// Takes a dead segment out of the log, unless a reader holds it.
fn release(shared: &Shared, number: u64) -> Released {
    shared.caches.forget(number);
    let (pin, poisoned): (Arc<Pin>, bool) = {
        let mut ledger = shared.ledger();
        match ledger.live.get(&number) {
            // Pins are only taken under this lock.
            Some(pin) if Arc::strong_count(pin) > 1 => return Released::Held,
            None => return Released::Gone,
            Some(_) => {}
        }
        let Some(pin) = ledger.live.remove(&number) else {
            return Released::Gone;
        };
        (pin, shared.is_poisoned_file(number))
    };
    let path = Name::Live(number).path(&shared.dir);
    let capacity = u32::try_from(pin.bytes).unwrap_or(0);
    let file = Spare { path, capacity };
    // I6: a damaged file stays, under its second name.
    let kept = match shared.quarantine.keep(number) {
        Keep::No => None,
        Keep::Linked => Some(shared.disk.remove(&file.path)),
        Keep::Rename => {
            let to = Name::Damaged(number).path(&shared.dir);
            Some(shared.disk.rename(&file.path, &to))
        }
    };
    if let Some(kept) = kept {
        if let Err(error) = kept.and_then(|()| shared.disk.sync_dir(&shared.dir)) {
            tracing::warn!(segment = number, %error, "cannot set a damaged segment aside");
        }
        return Released::Gone;
    }
    // I7: a file that failed is never written again.
    let recycled = !poisoned
        && match shared
            .pool
            .recycle(shared.disk.as_ref(), &shared.dir, &file)
        {
            Ok(recycled) => recycled,
            Err(error) => {
                tracing::warn!(segment = number, %error, "cannot recycle a segment");
                false
            }
        };
    if !recycled {
        let removed = shared.disk.remove(&file.path);
        if let Err(error) = removed.and_then(|()| shared.disk.sync_dir(&shared.dir)) {
            tracing::warn!(segment = number, %error, "cannot delete a segment");
        }
    }
    Released::Gone
}
