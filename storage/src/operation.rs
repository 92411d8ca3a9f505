//! What can be written, and what it is answered.

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::{EntryDraft, Grant, Key, Lease, Owner, Revision};

/// What must be true of an object for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing.
    Any,
    /// It does not exist.
    Absent,
    /// It exists.
    Present,
    /// It exists with this version.
    Version(Revision),
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Writes an object.
    Put {
        /// Which.
        key: Key,
        /// What must be true before.
        expect: Expect,
        /// What it says from then on.
        document: Bytes,
    },
    /// Removes an object; nothing happens where there is none and none is expected.
    Delete {
        /// Which.
        key: Key,
        /// What must be true before.
        expect: Expect,
    },
    /// Changes nothing, and refuses the transaction unless something is true.
    Check {
        /// Which.
        key: Key,
        /// What must be true.
        expect: Expect,
    },
}

impl Change {
    /// Returns which object it is about, and what must be true of it.
    pub fn subject(&self) -> (&Key, Expect) {
        match self {
            Self::Put { key, expect, .. }
            | Self::Delete { key, expect }
            | Self::Check { key, expect } => (key, *expect),
        }
    }
}

/// Binds a transaction to a lease: it is refused once the lease has a newer epoch (I5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The lease's name.
    pub lease: ByteString,
    /// The epoch under which the caller acts.
    pub epoch: u64,
}

/// Changes that are made all or none, with their entries in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Leases under which it is done.
    pub guards: Vec<Guard>,
    /// What is changed. No object stands in it twice.
    pub changes: Vec<Change>,
    /// What the journal says about it.
    pub entries: Vec<EntryDraft>,
}

impl Transaction {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the writing of an object.
    #[must_use]
    pub fn put(mut self, key: Key, expect: Expect, document: impl Into<Bytes>) -> Self {
        let document = document.into();
        self.changes.push(Change::Put {
            key,
            expect,
            document,
        });
        self
    }

    /// Adds the removal of an object.
    #[must_use]
    pub fn delete(mut self, key: Key, expect: Expect) -> Self {
        self.changes.push(Change::Delete { key, expect });
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn check(mut self, key: Key, expect: Expect) -> Self {
        self.changes.push(Change::Check { key, expect });
        self
    }

    /// Binds it to a lease.
    #[must_use]
    pub fn guard(mut self, lease: impl Into<ByteString>, epoch: u64) -> Self {
        self.guards.push(Guard {
            lease: lease.into(),
            epoch,
        });
        self
    }

    /// Adds a journal entry.
    #[must_use]
    pub fn record(mut self, entry: EntryDraft) -> Self {
        self.entries.push(entry);
        self
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Changes objects.
    Commit(Transaction),
    /// Takes a lease that nobody holds, that has run out, or that the same node holds.
    Acquire {
        /// The lease's name.
        lease: ByteString,
        /// Who wants it.
        owner: Owner,
        /// How long it is to last, in milliseconds.
        ttl_ms: u64,
    },
    /// Makes a held lease last longer.
    Renew {
        /// The lease's name.
        lease: ByteString,
        /// Who holds it.
        owner: Owner,
        /// Under which epoch.
        epoch: u64,
        /// How long it is to last from now, in milliseconds.
        ttl_ms: u64,
    },
    /// Gives a held lease back. Who does not hold it, gives back nothing, and is not refused.
    Release {
        /// The lease's name.
        lease: ByteString,
        /// Who holds it.
        owner: Owner,
        /// Under which epoch.
        epoch: u64,
    },
    /// Lets go of journal entries with a lower number than this.
    TrimJournal {
        /// The first that stays.
        first: u64,
    },
}

impl Operation {
    /// Returns about how many bytes it takes, for limits.
    pub fn weight(&self) -> usize {
        const FIXED: usize = 64;
        match self {
            Self::Commit(transaction) => {
                let changes = transaction.changes.iter().map(|change| {
                    FIXED
                        + change.subject().0.id.len()
                        + match change {
                            Change::Put { document, .. } => document.len(),
                            Change::Delete { .. } | Change::Check { .. } => 0,
                        }
                });
                let guards = transaction.guards.iter().map(|g| FIXED + g.lease.len());
                let entries = transaction.entries.iter().map(entry_weight);
                FIXED + changes.sum::<usize>() + guards.sum::<usize>() + entries.sum::<usize>()
            }
            Self::Acquire { lease, .. }
            | Self::Renew { lease, .. }
            | Self::Release { lease, .. } => FIXED + lease.len(),
            Self::TrimJournal { .. } => FIXED,
        }
    }
}

/// Returns about how many bytes a journal entry takes.
pub(crate) fn entry_weight(entry: &EntryDraft) -> usize {
    64 + entry.user.len()
        + entry.action.len()
        + entry.entity_kind.len()
        + entry.entity_id.len()
        + entry.document.len()
}

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The transaction is done; its objects have this version now.
    Committed {
        /// The revision of the transaction.
        revision: Revision,
    },
    /// The lease is granted.
    Granted(Grant),
    /// The lease lasts until then, in milliseconds since 1970, store time.
    Renewed {
        /// Its new end.
        until_ms: u64,
    },
    /// The lease is given back, or was not held.
    Released,
    /// The journal begins there now.
    Trimmed {
        /// The number of its first entry, or of the next one.
        first: u64,
    },
    /// Nothing was done.
    Refused(Refusal),
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// An object is not as expected.
    #[error("`{key}` is not as expected")]
    Conflict {
        /// Which object.
        key: Key,
        /// The version that it has; `None` where it does not exist.
        found: Option<Revision>,
    },
    /// The lease of a guard or of a renewal has another epoch or owner (I5).
    #[error("lease `{lease}` is now under epoch {epoch}")]
    Stale {
        /// Which lease.
        lease: ByteString,
        /// Its epoch; 0 where it does not exist.
        epoch: u64,
    },
    /// Another node holds the lease.
    #[error("lease `{}` is held", .0.name)]
    Held(Lease),
    /// It breaks a limit, or is malformed.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: ByteString,
    },
    /// The store, its leases or its journal have no room.
    #[error("{what} is full")]
    Full {
        /// What.
        what: ByteString,
    },
}
