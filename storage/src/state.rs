//! What a store holds, and what each operation does to it: one pure function, the same on every node.

mod leases;
pub(crate) mod rows;
mod transaction;

use std::ops::Bound;

use bytestring::ByteString;
use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use self::rows::{Counters, Rows, Standing};
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
        apply(self, now_ms, operation)
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
}

impl Rows for State {
    fn counters(&self) -> Counters {
        Counters {
            now_ms: self.now_ms,
            revision: self.revision,
            next_entry: self.next_entry,
            bytes: self.bytes,
        }
    }

    fn set_counters(&mut self, counters: Counters) {
        self.now_ms = counters.now_ms;
        self.revision = counters.revision;
        self.next_entry = counters.next_entry;
        self.bytes = counters.bytes;
    }

    fn object(&self, key: &Key) -> Option<Standing> {
        self.objects.get(key).map(Standing::of)
    }

    fn put_object(&mut self, object: Object) {
        self.objects.insert_mut(object.key.clone(), object);
    }

    fn remove_object(&mut self, key: &Key) {
        self.objects.remove_mut(key);
    }

    fn lease(&self, name: &ByteString) -> Option<&Lease> {
        self.leases.get(name)
    }

    fn lease_count(&self) -> usize {
        self.leases.size()
    }

    fn put_lease(&mut self, lease: Lease) {
        self.leases.insert_mut(lease.name.clone(), lease);
    }

    fn entry_count(&self) -> u64 {
        self.journal.size() as u64
    }

    fn push_entry(&mut self, entry: Entry) {
        self.journal.insert_mut(entry.sequence, entry);
    }

    fn trim_entries(&mut self, first: u64) -> u64 {
        let mut freed = 0;
        while let Some((&sequence, entry)) = self.journal.first()
            && sequence < first
        {
            freed += entry_weight(&entry.draft) as u64;
            self.journal.remove_mut(&sequence);
        }
        freed
    }
}

/// Does one operation on the rows of a store: see [`State::apply`].
pub(crate) fn apply<R: Rows>(
    rows: &mut R,
    now_ms: u64,
    operation: &Operation,
) -> (Answer, Vec<Event>) {
    let mut counters = rows.counters();
    counters.now_ms = counters.now_ms.max(now_ms);
    rows.set_counters(counters);
    let mut events = Vec::new();
    let done = match operation {
        Operation::Commit(transaction) => transaction::commit(rows, transaction, &mut events),
        Operation::Acquire {
            lease,
            owner,
            ttl_ms,
        } => leases::acquire(rows, lease, owner, *ttl_ms, &mut events),
        Operation::Renew {
            lease,
            owner,
            epoch,
            ttl_ms,
        } => leases::renew(rows, lease, owner, *epoch, *ttl_ms),
        Operation::Release {
            lease,
            owner,
            epoch,
        } => Ok(leases::release(rows, lease, owner, *epoch, &mut events)),
        Operation::TrimJournal { first } => Ok(trim_journal(rows, *first)),
    };
    (done.unwrap_or_else(Answer::Refused), events)
}

fn trim_journal<R: Rows>(rows: &mut R, first: u64) -> Answer {
    let mut counters = rows.counters();
    counters.bytes -= rows.trim_entries(first.min(counters.next_entry));
    rows.set_counters(counters);
    // Entries have no gaps: those that are left are the newest.
    let first = counters.next_entry - rows.entry_count();
    Answer::Trimmed { first }
}

/// Refuses what is malformed.
fn invalid(reason: impl Into<ByteString>) -> Refusal {
    Refusal::Invalid {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
