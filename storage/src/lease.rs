//! Leases: who may act on something, until when, and under which epoch (I5).

use std::fmt;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// Who holds a lease: a process, not a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The node's id, made with its data directory.
    pub node: u64,
    /// How many times the directory had been opened: who holds its lock has the highest.
    pub start: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.node, self.start)
    }
}

/// A lease's row. It is never deleted, so that its epoch never falls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What it is for.
    pub name: ByteString,
    /// Who holds it; `None` after a release.
    pub owner: Option<Owner>,
    /// The node that held it last, also after a release.
    pub node: u64,
    /// Counts grants; at least the store time of the grant in milliseconds.
    pub epoch: u64,
    /// When it ends if it is not renewed, in milliseconds since 1970, store time.
    pub until_ms: u64,
    /// The first epoch of the present node's tenure, unbroken by another node. A buffer of an older epoch has been
    /// overtaken.
    pub since: u64,
}

impl Lease {
    /// Returns the owner if the lease has not ended at `now_ms`.
    pub fn live_owner(&self, now_ms: u64) -> Option<&Owner> {
        self.owner.as_ref().filter(|_| now_ms < self.until_ms)
    }
}

/// A lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The epoch of everything that is done under it.
    pub epoch: u64,
    /// See [`Lease::since`].
    pub since: u64,
    /// When it ends if it is not renewed, in milliseconds since 1970, store time. An owner counts by its own clock, from
    /// before it asked.
    pub until_ms: u64,
    /// The node that had let it run out, where it was taken from another.
    pub stolen_from: Option<u64>,
}
