//! What a store gives the owner of a workflow, and what the owner gives the store.
//!
//! The engine knows no store: who runs it in a cluster takes the lease, hands it over as an [`Ownership`], and keeps
//! the source's position where another node finds it ([`Replica`]).

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use hermod_sdk::{Position, Text};

/// The right under which a workflow is run, from the lease of a store.
#[derive(Clone)]
pub struct Ownership {
    /// Which store: epochs of different stores are not compared.
    pub store: Text,
    /// Epoch of the lease (I5).
    pub epoch: u64,
    /// First epoch of this node's unbroken tenure: what an older one left in the log has been overtaken.
    pub since: u64,
    /// Where the source was last known to be safe, for a node that has nothing newer of its own.
    pub position: Option<Position>,
    /// Generation of the source's positions, the same for all owners.
    pub generation: u64,
    /// Keeps the position for the next owner.
    pub replica: Arc<dyn Replica>,
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, since, .. } = self;
        write!(f, "Ownership {{ epoch: {epoch}, since: {since} }}")
    }
}

/// The store refuses a position, because a newer owner has one (I5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Overtaken {
    /// Who holds the workflow now.
    pub reason: String,
}

/// Keeps the position of a workflow's source outside of its owner.
#[async_trait]
pub trait Replica: Send + Sync + 'static {
    /// Returns once the store holds the position: only then the source hears of it. Waits as long as the store is away.
    ///
    /// # Errors
    /// [`Overtaken`], after which nothing is to be written any more.
    ///
    /// # Cancel safety
    /// Dropped, the position may or may not be kept.
    async fn keep(&self, position: &Position) -> Result<(), Overtaken>;
}
