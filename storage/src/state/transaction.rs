//! Transactions: looked at as a whole first, then done as a whole.

use std::collections::HashSet;

use crate::{
    Answer, Change, Entry, Event, Expect, Guard, Object, Refusal, Revision, Transaction,
    limits::{CHANGES_MAX, DOCUMENT_BYTES_MAX, ENTRIES_MAX, NAME_BYTES_MAX, STATE_BYTES_MAX},
    operation::entry_weight,
};

use super::{State, invalid};

impl State {
    pub(super) fn commit(
        &mut self,
        transaction: &Transaction,
        events: &mut Vec<Event>,
    ) -> Result<Answer, Refusal> {
        check_form(transaction)?;
        // I5: an owner that was overtaken changes nothing.
        transaction.guards.iter().try_for_each(|g| self.holds(g))?;
        for change in &transaction.changes {
            self.is_as_expected(change)?;
        }
        self.has_room(transaction)?;

        let revision = Revision(self.revision.0 + 1);
        self.revision = revision;
        for change in &transaction.changes {
            if let Some(event) = self.make(change, revision) {
                events.push(event);
            }
        }
        for draft in &transaction.entries {
            let entry = Entry {
                sequence: self.next_entry,
                at_ms: self.now_ms,
                draft: draft.clone(),
            };
            self.bytes += entry_weight(draft) as u64;
            self.journal.insert_mut(self.next_entry, entry);
            self.next_entry += 1;
        }
        Ok(Answer::Committed { revision })
    }

    fn holds(&self, guard: &Guard) -> Result<(), Refusal> {
        let epoch = self.leases.get(&guard.lease).map_or(0, |lease| lease.epoch);
        if epoch == guard.epoch {
            Ok(())
        } else {
            let lease = guard.lease.clone();
            Err(Refusal::Stale { lease, epoch })
        }
    }

    fn is_as_expected(&self, change: &Change) -> Result<(), Refusal> {
        let (key, expect) = change.subject();
        let found = self.objects.get(key).map(|object| object.version);
        let fits = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Present => found.is_some(),
            Expect::Version(version) => found == Some(version),
        };
        if fits {
            Ok(())
        } else {
            let key = key.clone();
            Err(Refusal::Conflict { key, found })
        }
    }

    fn has_room(&self, transaction: &Transaction) -> Result<(), Refusal> {
        let full = |what: &'static str| Refusal::Full {
            what: bytestring::ByteString::from_static(what),
        };
        let entries = transaction.entries.len() as u64;
        if entries > 0 && self.entry_count() + entries > ENTRIES_MAX {
            return Err(full("the journal"));
        }
        let mut added = 0;
        let mut freed = 0;
        for change in &transaction.changes {
            match change {
                Change::Put { key, document, .. } => {
                    added += weight(key.id.len(), document.len());
                    freed += self.objects.get(key).map_or(0, object_weight);
                }
                Change::Delete { key, .. } => {
                    freed += self.objects.get(key).map_or(0, object_weight);
                }
                Change::Check { .. } => {}
            }
        }
        added += transaction
            .entries
            .iter()
            .map(|entry| entry_weight(entry) as u64)
            .sum::<u64>();
        // I8: what frees room is always taken.
        if added > freed && self.bytes + added - freed > STATE_BYTES_MAX {
            return Err(full("the store"));
        }
        Ok(())
    }

    /// Makes a change that fits, and returns what is told of it.
    fn make(&mut self, change: &Change, revision: Revision) -> Option<Event> {
        let key = match change {
            Change::Put { key, document, .. } => {
                let before = self.objects.get(key);
                self.bytes -= before.map_or(0, object_weight);
                let object = Object {
                    key: key.clone(),
                    version: revision,
                    created_ms: before.map_or(self.now_ms, |object| object.created_ms),
                    changed_ms: self.now_ms,
                    document: document.clone(),
                };
                self.bytes += object_weight(&object);
                self.objects.insert_mut(key.clone(), object);
                key
            }
            Change::Delete { key, .. } => {
                self.bytes -= self.objects.get(key).map(object_weight)?;
                self.objects.remove_mut(key);
                key
            }
            Change::Check { .. } => return None,
        };
        let key = key.clone();
        Some(Event::Object { revision, key })
    }
}

fn weight(id: usize, document: usize) -> u64 {
    128 + id as u64 + document as u64
}

fn object_weight(object: &Object) -> u64 {
    weight(object.key.id.len(), object.document.len())
}

/// Refuses a transaction that could be made in no state.
fn check_form(transaction: &Transaction) -> Result<(), Refusal> {
    let parts = transaction.changes.len() + transaction.guards.len() + transaction.entries.len();
    if parts > CHANGES_MAX {
        return Err(invalid(format!(
            "a transaction has {parts} parts, more than {CHANGES_MAX}"
        )));
    }
    let mut keys = HashSet::new();
    for change in &transaction.changes {
        let key = change.subject().0;
        if key.id.is_empty() || key.id.len() > NAME_BYTES_MAX {
            return Err(invalid(format!(
                "the id of a {} takes 1 to {NAME_BYTES_MAX} bytes",
                key.kind
            )));
        }
        if !keys.insert(key) {
            return Err(invalid(format!("`{key}` stands in a transaction twice")));
        }
        if let Change::Put { document, .. } = change
            && document.len() > DOCUMENT_BYTES_MAX
        {
            let length = document.len();
            return Err(invalid(format!(
                "the document of `{key}` takes {length} bytes, more than {DOCUMENT_BYTES_MAX}"
            )));
        }
    }
    for entry in &transaction.entries {
        let texts = [
            &entry.user,
            &entry.action,
            &entry.entity_kind,
            &entry.entity_id,
        ];
        if texts.iter().any(|text| text.len() > NAME_BYTES_MAX)
            || entry.document.len() > DOCUMENT_BYTES_MAX
        {
            return Err(invalid("a journal entry is too large"));
        }
    }
    Ok(())
}
