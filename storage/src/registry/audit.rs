//! Who does something, and what the journal says about it.

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::{Map, Value};

use super::{Error, Registry, encode};
use crate::{Answer, Entry, EntryDraft, EntryQuery, Key, Operation, Read, Revision, Transaction};

/// Bytes of an entry's details; what is longer is left out, and that is said.
const DETAILS_BYTES_MAX: usize = 64 << 10;

/// An administrative action on its way into the journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Who does it; empty for the node itself.
    pub user: ByteString,
    /// From where.
    pub address: String,
    /// What is done, for example `workflow.start`.
    pub action: &'static str,
    /// What changes. Secrets are redacted by the caller (I10).
    pub details: Map<String, Value>,
}

impl Audit {
    /// Makes an action of the node itself.
    pub fn of_node(action: &'static str) -> Self {
        Self {
            action,
            ..Self::default()
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the journal entry of the action on an object.
    pub fn draft(&self, key: &Key) -> EntryDraft {
        self.draft_of(key.kind.as_str(), &key.id)
    }

    /// Returns the journal entry of the action on what is no object, a dead letter for example.
    pub fn draft_of(&self, entity_kind: &str, entity_id: &str) -> EntryDraft {
        let mut details = self.details.clone();
        if !self.address.is_empty() {
            details.insert("address".to_owned(), self.address.clone().into());
        }
        let mut document = encode(&details);
        if document.len() > DETAILS_BYTES_MAX {
            details.retain(|name, _| name == "address");
            details.insert("left_out_bytes".to_owned(), document.len().into());
            document = encode(&details);
        }
        EntryDraft {
            user: self.user.clone(),
            action: ByteString::from_static(self.action),
            entity_kind: entity_kind.into(),
            entity_id: entity_id.into(),
            document: Bytes::from(document),
        }
    }
}

impl Registry {
    /// Writes an entry about something that is not kept in the store.
    pub async fn record(&self, entry: EntryDraft) -> Result<Revision, Error> {
        self.commit(Transaction::new().record(entry)).await
    }

    /// Reads the journal, newest first.
    pub async fn entries(&self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
        Ok(self.store.entries(query, Read::Local).await?)
    }

    /// Lets go of entries with a lower number, and says so in a new one.
    pub async fn trim_journal(&self, first: u64, audit: &Audit) -> Result<u64, Error> {
        let answer = self.operate(Operation::TrimJournal { first }).await?;
        let first = match answer {
            Answer::Trimmed { first } => first,
            _ => first,
        };
        let entry = audit.clone().with("first", first);
        self.record(entry.draft_of("journal", "")).await?;
        Ok(first)
    }
}
