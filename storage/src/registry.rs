//! What the platform keeps, written once on top of [`Store`]: workflows with their versions, sources, sinks, workers,
//! people, tokens, sessions, settings, and the journal of what was done by whom.
//!
//! Documents are JSON objects as bytes; members that this version does not know are kept. Every administrative change
//! and its journal entry are one [`Transaction`]: neither is ever there without the other.
//!
//! What it is not: it does not know which documents are valid, which of their members are secret, or who may do what.
//!
//! Limits: [`VERSIONS_MAX`], [`REFERENCES_MAX`], [`SESSIONS_MAX`], [`TOKENS_MAX`], [`OBJECTS_MAX`], and those of the store.

mod account;
mod audit;
mod connection;
mod error;
mod session;
mod setting;
mod worker;
mod workflow;

use std::sync::Arc;

use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use account::{AccessRole, PasswordHash, User};
pub use audit::Audit;
pub use error::Error;
pub use session::{Session, SetupToken, Token};
pub use worker::Worker;
pub use workflow::{Draft, Part, References, Saved, Version};

use crate::{
    Answer, Expect, Key, Kind, Object, Operation, Range, Read, Refusal, Revision, Store,
    StoreError, StoreErrorKind, Transaction, limits::PAGE_MAX,
};

/// Versions of a workflow that are kept; a save lets go of older ones.
pub const VERSIONS_MAX: u64 = 100;

/// Sources and sinks that one workflow may name.
pub const REFERENCES_MAX: usize = 80;

/// Sessions of one person; a login ends those that were used longest ago.
pub const SESSIONS_MAX: usize = 32;

/// Tokens of one person.
pub const TOKENS_MAX: usize = 64;

/// Objects of one kind that [`Registry::all`] returns at most.
pub const OBJECTS_MAX: usize = 50_000;

/// How often a change is tried that somebody else comes before.
const ATTEMPTS_MAX: usize = 8;

/// Typed access to a store. A clone is the same registry.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
}

/// An object whose document is a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its id among its kind.
    pub id: ByteString,
    /// The revision at which it was last written.
    pub version: Revision,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was last written, in milliseconds since 1970.
    pub changed_ms: u64,
    /// What it says.
    pub document: Map<String, Value>,
}

impl Entity {
    /// Reads an object.
    ///
    /// # Errors
    /// [`Error::Damaged`] if its document is no JSON object.
    pub fn read(object: &Object) -> Result<Self, Error> {
        Ok(Self {
            id: object.key.id.clone(),
            version: object.version,
            created_ms: object.created_ms,
            changed_ms: object.changed_ms,
            document: decode(object)?,
        })
    }

    /// Returns a text of the document.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Value::as_str)
    }

    /// Returns whether a member of the document is `true`.
    pub fn is(&self, name: &str) -> bool {
        self.document.get(name) == Some(&Value::Bool(true))
    }
}

impl Registry {
    /// Makes a registry over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns an object. One that this node does not know is looked up again where everything is known.
    pub async fn object(&self, key: &Key) -> Result<Option<Object>, Error> {
        if let Some(object) = self.store.get(key, Read::Local).await? {
            return Ok(Some(object));
        }
        Ok(self.store.get(key, Read::Latest).await?)
    }

    /// Returns an entity as this node knows it, or as everybody does where this node knows none.
    pub async fn find(&self, kind: Kind, id: &str) -> Result<Option<Entity>, Error> {
        let object = self.object(&Key::new(kind, id)).await?;
        object.as_ref().map(Entity::read).transpose()
    }

    /// Returns an entity.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none.
    pub async fn get(&self, kind: Kind, id: &str) -> Result<Entity, Error> {
        let found = self.find(kind, id).await?;
        found.ok_or_else(|| Error::Missing(Key::new(kind, id)))
    }

    /// Returns an entity as it stands after everything that was answered, for a change that builds on it.
    pub async fn latest(&self, kind: Kind, id: &str) -> Result<Option<Entity>, Error> {
        let object = self.store.get(&Key::new(kind, id), Read::Latest).await?;
        object.as_ref().map(Entity::read).transpose()
    }

    /// Returns all objects of a kind, ordered by id, as this node knows them.
    pub async fn all(&self, kind: Kind) -> Result<Vec<Object>, Error> {
        self.below(kind, "", Read::Local).await
    }

    /// Returns the objects of a kind whose id begins with a text.
    ///
    /// # Errors
    /// [`Error::TooMany`] beyond [`OBJECTS_MAX`] (I9).
    pub async fn below(&self, kind: Kind, prefix: &str, read: Read) -> Result<Vec<Object>, Error> {
        let mut range = Range {
            prefix: prefix.into(),
            ..Range::all(kind)
        };
        let mut objects = Vec::new();
        loop {
            let page = self.store.list(&range, read).await?;
            let full = page.len() == PAGE_MAX;
            objects.extend(page);
            if objects.len() > OBJECTS_MAX {
                return Err(Error::TooMany { kind });
            }
            if !full {
                return Ok(objects);
            }
            range.after = objects.last().map(|object: &Object| object.key.id.clone());
        }
    }

    /// Commits a transaction, and returns the version that its objects have now.
    pub async fn commit(&self, transaction: Transaction) -> Result<Revision, Error> {
        match self.operate(Operation::Commit(transaction)).await? {
            Answer::Committed { revision } => Ok(revision),
            _ => Err(unexpected_answer()),
        }
    }

    /// Does one operation.
    pub(crate) async fn operate(&self, operation: Operation) -> Result<Answer, Error> {
        match self.store.submit(vec![operation]).await?.pop() {
            Some(Answer::Refused(refusal)) => Err(refused(refusal)),
            Some(answer) => Ok(answer),
            None => Err(unexpected_answer()),
        }
    }

    /// Changes an existing entity, whoever else changes it at the same time.
    ///
    /// `change` returns whether there is anything to write; without, the entity's present version is returned.
    pub async fn change(
        &self,
        kind: Kind,
        id: &str,
        audit: &Audit,
        mut change: impl FnMut(&mut Map<String, Value>) -> Result<bool, Error> + Send,
    ) -> Result<Revision, Error> {
        let key = Key::new(kind, id);
        for _ in 0..ATTEMPTS_MAX {
            let Some(mut entity) = self.latest(kind, id).await? else {
                return Err(Error::Missing(key));
            };
            if !change(&mut entity.document)? {
                return Ok(entity.version);
            }
            let transaction = Transaction::new()
                .put(
                    key.clone(),
                    Expect::Version(entity.version),
                    encode(&entity.document),
                )
                .record(audit.draft(&key));
            match self.commit(transaction).await {
                Err(Error::Conflict { .. }) => {}
                done => return done,
            }
        }
        Err(Error::Contended(key))
    }
}

/// Reads an object's document.
pub(crate) fn decode<T: DeserializeOwned>(object: &Object) -> Result<T, Error> {
    serde_json::from_slice(&object.document).map_err(|source| Error::Damaged {
        key: object.key.clone(),
        // The message of an error of `serde_json` may quote the document (I10).
        line: source.line(),
        column: source.column(),
    })
}

/// Writes a document. What the registry writes are trees of texts and numbers, which JSON can always hold.
pub(crate) fn encode(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Conflict { key, found } => Error::Conflict { key, found },
        Refusal::Full { what } => Error::Full { what },
        Refusal::Invalid { reason } => Error::Invalid { reason },
        Refusal::Stale { .. } | Refusal::Held(_) => Error::Invalid {
            reason: refusal.to_string().into(),
        },
    }
}

fn unexpected_answer() -> Error {
    let message = "the store has answered something else than what it was asked";
    StoreError::new(StoreErrorKind::Unknown, message).into()
}

#[cfg(test)]
mod tests;
