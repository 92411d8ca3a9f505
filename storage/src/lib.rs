//! The metadata store: versioned objects, leases whose epochs only grow, and an append-only journal.
//!
//! Three primitives behind one small trait, [`Store`], so that its implementations stay small and alike:
//!
//! - **Objects** have a kind, an id, a version and a document. A [`Transaction`] changes several of them at once, each
//!   with what it expects to find, and may be bound to a lease ([`Guard`], I5).
//! - **Leases** have an owner, an epoch and an end. Epochs only grow, also over release and restart.
//! - The **journal** keeps what was done by whom.
//!
//! All writes are [`Operation`]s with one [`Answer`] each, and what they do is written once, as the pure function
//! [`State::apply`]. What it is not: it does not know what a workflow is. It keeps documents.
//!
//! Limits: [`limits`] has those of every store, [`channel`] those of calls between nodes.

pub mod channel;
mod error;
mod feed;
mod journal;
mod lease;
pub mod limits;
mod memory;
mod object;
mod operation;
mod raft;
pub mod registry;
mod seal;
mod sqlite;
mod state;
mod store;

pub use error::{StoreError, StoreErrorKind};
pub use feed::{Event, Feed, Watch};
pub use journal::{Entry, EntryDraft, EntryQuery};
pub use lease::{Grant, Lease, Owner};
pub use memory::Memory;
pub use object::{Key, Kind, Object, Revision};
pub use operation::{Answer, Change, Expect, Guard, Operation, Refusal, Transaction};
pub use raft::{Member, Raft, RaftError, RaftOptions, RaftStatus, Timings};
pub use seal::{KeyFileError, MalformedKey, SealError, StoreKey, sealed_text};
pub use sqlite::{Sqlite, SqliteError, SqliteOptions};
pub use state::State;
pub use store::{Health, Range, Read, Role, Store};
