//! Nodes that share a database: who may ask, where there is no group that knows its members.

use hermod_storage::channel::{self, Call};
use sha2::{Digest, Sha256};

/// Returns the number that calls carry for a database's id.
pub(super) fn cluster_of(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    digest
        .first_chunk::<8>()
        .copied()
        .map_or(0, u64::from_le_bytes)
}

/// Lets in who shares the database.
pub(super) struct Gate {
    cluster: u64,
}

impl Gate {
    pub(super) fn of(id: &str) -> Self {
        Self {
            cluster: cluster_of(id),
        }
    }
}

impl channel::Gate for Gate {
    fn admit(&self, call: &Call) -> Result<(), String> {
        if call.cluster == self.cluster {
            return Ok(());
        }
        Err("the caller works with another store".to_owned())
    }
}
