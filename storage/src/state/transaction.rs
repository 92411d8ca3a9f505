//! Transactions: looked at as a whole first, then done as a whole.

use std::collections::HashSet;

use crate::{
    Answer, Change, Entry, Event, Expect, Guard, Key, Object, Refusal, Revision, Transaction,
    limits::{CHANGES_MAX, DOCUMENT_BYTES_MAX, ENTRIES_MAX, NAME_BYTES_MAX, STATE_BYTES_MAX},
    operation::entry_weight,
};

use super::{
    invalid,
    rows::{Rows, Standing, object_weight},
};

pub(super) fn commit<R: Rows>(
    rows: &mut R,
    transaction: &Transaction,
    events: &mut Vec<Event>,
) -> Result<Answer, Refusal> {
    check_form(transaction)?;
    // I5: an owner that was overtaken changes nothing.
    for guard in &transaction.guards {
        holds(rows, guard)?;
    }
    for change in &transaction.changes {
        is_as_expected(rows, change)?;
    }
    has_room(rows, transaction)?;

    let mut counters = rows.counters();
    let revision = Revision(counters.revision.0 + 1);
    counters.revision = revision;
    rows.set_counters(counters);
    for change in &transaction.changes {
        if let Some(event) = make(rows, change) {
            events.push(event);
        }
    }
    let mut counters = rows.counters();
    for draft in &transaction.entries {
        rows.push_entry(Entry {
            sequence: counters.next_entry,
            at_ms: counters.now_ms,
            draft: draft.clone(),
        });
        counters.bytes += entry_weight(draft) as u64;
        counters.next_entry += 1;
    }
    rows.set_counters(counters);
    Ok(Answer::Committed { revision })
}

fn holds<R: Rows>(rows: &R, guard: &Guard) -> Result<(), Refusal> {
    let epoch = rows.lease(&guard.lease).map_or(0, |lease| lease.epoch);
    if epoch == guard.epoch {
        Ok(())
    } else {
        let lease = guard.lease.clone();
        Err(Refusal::Stale { lease, epoch })
    }
}

fn is_as_expected<R: Rows>(rows: &R, change: &Change) -> Result<(), Refusal> {
    let (key, expect) = change.subject();
    let found = rows.object(key).map(|object| object.version);
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

fn has_room<R: Rows>(rows: &R, transaction: &Transaction) -> Result<(), Refusal> {
    let full = |what: &'static str| Refusal::Full {
        what: bytestring::ByteString::from_static(what),
    };
    let entries = transaction.entries.len() as u64;
    if entries > 0 && rows.entry_count() + entries > ENTRIES_MAX {
        return Err(full("the journal"));
    }
    let taken = |key: &Key| rows.object(key).map_or(0, |object| object.bytes);
    let mut added = 0;
    let mut freed = 0;
    for change in &transaction.changes {
        match change {
            Change::Put { key, document, .. } => {
                added += object_weight(key.id.len(), document.len());
                freed += taken(key);
            }
            Change::Delete { key, .. } => freed += taken(key),
            Change::Check { .. } => {}
        }
    }
    added += transaction
        .entries
        .iter()
        .map(|entry| entry_weight(entry) as u64)
        .sum::<u64>();
    // I8: what frees room is always taken.
    if added > freed && rows.counters().bytes + added - freed > STATE_BYTES_MAX {
        return Err(full("the store"));
    }
    Ok(())
}

/// Makes a change that fits, and returns what is told of it.
fn make<R: Rows>(rows: &mut R, change: &Change) -> Option<Event> {
    let mut counters = rows.counters();
    let key = match change {
        Change::Put { key, document, .. } => {
            let before = rows.object(key);
            let object = Object {
                key: key.clone(),
                version: counters.revision,
                created_ms: before.map_or(counters.now_ms, |object| object.created_ms),
                changed_ms: counters.now_ms,
                document: document.clone(),
            };
            counters.bytes -= before.map_or(0, |object| object.bytes);
            counters.bytes += Standing::of(&object).bytes;
            rows.put_object(object);
            key
        }
        Change::Delete { key, .. } => {
            counters.bytes -= rows.object(key)?.bytes;
            rows.remove_object(key);
            key
        }
        Change::Check { .. } => return None,
    };
    rows.set_counters(counters);
    Some(Event::Object {
        revision: counters.revision,
        key: key.clone(),
    })
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
