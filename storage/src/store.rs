//! The contract that every store keeps.

use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;

use crate::{
    Answer, Entry, EntryQuery, Key, Kind, Lease, Object, Operation, Revision, StoreError, Watch,
};

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// What this node knows. It has everything that this node has written, and may lack what another wrote just now.
    Local,
    /// Everything that was answered, to anybody, before the call. Needs what a write needs, a quorum for example.
    Latest,
}

/// Which objects to read: of one kind, ordered by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Of which kind.
    pub kind: Kind,
    /// Only ids that begin with this.
    pub prefix: ByteString,
    /// Only ids that come after this one.
    pub after: Option<ByteString>,
    /// So many at most; no more than [`PAGE_MAX`](crate::limits::PAGE_MAX).
    pub limit: usize,
}

impl Range {
    /// Every object of a kind, as far as one read goes.
    pub fn all(kind: Kind) -> Self {
        Self {
            kind,
            prefix: ByteString::new(),
            after: None,
            limit: crate::limits::PAGE_MAX,
        }
    }
}

/// What a node is to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides the order of writes, or has the store to itself.
    Leader,
    /// It follows a leader.
    Follower,
    /// It follows and has no vote.
    Learner,
    /// It asks to be the leader, or knows of none.
    Candidate,
    /// It shares a database.
    Client,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether a write would be taken now, as far as this node knows.
    pub writable: bool,
    /// What this node is to the store.
    pub role: Role,
    /// Age of what [`Read::Local`] returns: since when this node has not heard that it is up to date.
    pub age: Duration,
    /// How far this node is.
    pub revision: Revision,
    /// Entries in the journal.
    pub entries: u64,
    /// Why it is not writable.
    pub reason: Option<String>,
}

/// A metadata store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Writes. Each operation is done or refused by itself, in order, and answered at the same index.
    ///
    /// # Durability
    /// Before it returns `Ok`, what was done is durable as the store understands it (I1): with `raft` on a majority.
    /// What this node wrote it reads from then on, [`Read::Local`] included.
    ///
    /// # Errors
    /// With `Unavailable` and `Invalid` nothing was done. With `Unknown` each may or may not have been; an implementation
    /// that retries does so under one command id and never applies twice.
    ///
    /// # Cancel safety
    /// Dropped, it is as with `Unknown`.
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError>;

    /// Reads an object.
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Object>, StoreError>;

    /// Reads objects, ordered by id.
    async fn list(&self, range: &Range, read: Read) -> Result<Vec<Object>, StoreError>;

    /// Reads a lease's row.
    async fn lease(&self, name: &str, read: Read) -> Result<Option<Lease>, StoreError>;

    /// Reads all leases' rows, ordered by name.
    async fn leases(&self, read: Read) -> Result<Vec<Lease>, StoreError>;

    /// Reads journal entries, newest first.
    async fn entries(&self, query: &EntryQuery, read: Read) -> Result<Vec<Entry>, StoreError>;

    /// Watches objects and leases from now on. The first event comes for what changes after the call.
    fn watch(&self) -> Watch;

    /// Returns store time as this node knows it, in milliseconds since 1970: never behind what was applied here.
    fn now_ms(&self) -> u64;

    /// Returns how the store is, without asking anybody.
    fn health(&self) -> Health;

    /// Stops it: what was taken is brought to an end, then everything is closed. Calls after it fail with `Stopped`.
    async fn close(&self);
}
