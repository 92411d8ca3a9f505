//! What was done by whom: append-only.

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// An entry before the store has given it a number and a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryDraft {
    /// Who did it; empty for the node itself.
    pub user: ByteString,
    /// What was done, for example `workflow.start`.
    pub action: ByteString,
    /// What it was done to: a kind.
    pub entity_kind: ByteString,
    /// What it was done to: an id.
    pub entity_id: ByteString,
    /// Details, secrets redacted (I10). The store does not look into it.
    pub document: Bytes,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number: 0, 1, 2, …, without gaps.
    pub sequence: u64,
    /// When, in milliseconds since 1970, store time.
    pub at_ms: u64,
    /// What.
    pub draft: EntryDraft,
}

/// Which entries to read: newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryQuery {
    /// Only entries with a lower number.
    pub before: u64,
    /// Only entries of this time or later, in milliseconds since 1970.
    pub from_ms: u64,
    /// Only entries earlier than this, in milliseconds since 1970.
    pub until_ms: u64,
    /// Only entries of this user.
    pub user: Option<ByteString>,
    /// Only entries of this action.
    pub action: Option<ByteString>,
    /// Only entries of this kind of entity.
    pub entity_kind: Option<ByteString>,
    /// Only entries of this entity.
    pub entity_id: Option<ByteString>,
    /// So many at most.
    pub limit: usize,
}

impl Default for EntryQuery {
    fn default() -> Self {
        Self {
            before: u64::MAX,
            from_ms: 0,
            until_ms: u64::MAX,
            user: None,
            action: None,
            entity_kind: None,
            entity_id: None,
            limit: 100,
        }
    }
}

impl EntryQuery {
    /// Returns whether an entry is asked for.
    pub fn matches(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<ByteString>, found: &ByteString| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        entry.sequence < self.before
            && (self.from_ms..self.until_ms).contains(&entry.at_ms)
            && is(&self.user, &entry.draft.user)
            && is(&self.action, &entry.draft.action)
            && is(&self.entity_kind, &entry.draft.entity_kind)
            && is(&self.entity_id, &entry.draft.entity_id)
    }
}
