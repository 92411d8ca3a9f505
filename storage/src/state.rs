//! What a store holds, and what each operation does to it: one pure function, the same on every node.

mod leases;
mod transaction;

use std::ops::Bound;

use bytestring::ByteString;
use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use crate::{
    Answer, Entry, EntryQuery, Event, Key, Lease, Object, Operation, Range, Refusal, Revision,
    limits::PAGE_MAX, operation::entry_weight,
};

/// Everything that a store holds. A clone takes no time and shares what does not change (a snapshot).
///
/// It knows no clock and no random number: the same operations give the same state and the same answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    now_ms: u64,
    revision: Revision,
    objects: RedBlackTreeMapSync<Key, Object>,
    leases: RedBlackTreeMapSync<ByteString, Lease>,
    journal: RedBlackTreeMapSync<u64, Entry>,
    next_entry: u64,
    /// Bytes of objects and entries.
    bytes: u64,
}

impl State {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does one operation, and returns its answer and what changed.
    ///
    /// `now_ms` is the time of the command in milliseconds since 1970. Store time is the highest of all; it never goes
    /// back.
    pub fn apply(&mut self, now_ms: u64, operation: &Operation) -> (Answer, Vec<Event>) {
        self.now_ms = self.now_ms.max(now_ms);
        let mut events = Vec::new();
        let done = match operation {
            Operation::Commit(transaction) => self.commit(transaction, &mut events),
            Operation::Acquire {
                lease,
                owner,
                ttl_ms,
            } => self.acquire(lease, owner, *ttl_ms, &mut events),
            Operation::Renew {
                lease,
                owner,
                epoch,
                ttl_ms,
            } => self.renew(lease, owner, *epoch, *ttl_ms),
            Operation::Release {
                lease,
                owner,
                epoch,
            } => Ok(self.release(lease, owner, *epoch, &mut events)),
            Operation::TrimJournal { first } => Ok(self.trim_journal(*first)),
        };
        (done.unwrap_or_else(Answer::Refused), events)
    }

    /// Returns store time in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Returns the revision of the last change.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns how many journal entries there are.
    pub fn entry_count(&self) -> u64 {
        self.journal.size() as u64
    }

    /// Returns about how many bytes objects and entries take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns an object.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Returns objects, ordered by id.
    pub fn list(&self, range: &Range) -> Vec<Object> {
        let from = match &range.after {
            Some(after) if *after >= range.prefix => {
                Bound::Excluded(Key::new(range.kind, after.clone()))
            }
            _ => Bound::Included(Key::new(range.kind, range.prefix.clone())),
        };
        self.objects
            .range((from, Bound::Unbounded))
            .map(|(_, object)| object)
            .take_while(|object| {
                object.key.kind == range.kind && object.key.id.starts_with(&*range.prefix)
            })
            .take(range.limit.min(PAGE_MAX))
            .cloned()
            .collect()
    }

    /// Returns a lease's row.
    pub fn lease(&self, name: &str) -> Option<&Lease> {
        self.leases.get(name)
    }

    /// Returns all leases' rows, ordered by name.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// Returns journal entries, newest first.
    pub fn entries(&self, query: &EntryQuery) -> Vec<Entry> {
        self.journal
            .range(..query.before)
            .rev()
            .map(|(_, entry)| entry)
            .filter(|entry| query.matches(entry))
            .take(query.limit.min(PAGE_MAX))
            .cloned()
            .collect()
    }

    fn trim_journal(&mut self, first: u64) -> Answer {
        let first = first.min(self.next_entry);
        while let Some((&sequence, entry)) = self.journal.first()
            && sequence < first
        {
            self.bytes -= entry_weight(&entry.draft) as u64;
            self.journal.remove_mut(&sequence);
        }
        let first = self.journal.first().map_or(self.next_entry, |(&at, _)| at);
        Answer::Trimmed { first }
    }
}

/// Refuses what is malformed.
fn invalid(reason: impl Into<ByteString>) -> Refusal {
    Refusal::Invalid {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
