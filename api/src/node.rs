//! What the server asks the node that it belongs to.

use std::future::Future;

use hermod_sdk::PushProtocol;
use prometheus::Registry;

use crate::{Forward, Forwarded, Intake};

/// State of the node's data log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogState {
    /// Takes appends.
    Open,
    /// No room: sources are held back until there is some (I8). The node is alive and waits.
    Full,
    /// Takes nothing any more; a person must look.
    Failed {
        /// Why.
        reason: String,
    },
}

/// How many workflows are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Engines {
    /// Running or draining.
    pub running: usize,
    /// Waiting for their source, or for any sink, to answer.
    pub probing: usize,
    /// Ended by an error.
    pub failed: usize,
}

/// State of the metadata store, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// Whether a write would be taken now.
    pub writable: bool,
    /// What this node is to the store, for example `leader`.
    pub role: &'static str,
    /// Why it is not writable.
    pub reason: Option<String>,
}

/// The workers that a node knows of, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// Heard of within a minute.
    pub recent: usize,
    /// Not heard of for longer.
    pub stale: usize,
}

/// The leases of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// How many it holds.
    pub owned: usize,
    /// Whether all were renewed in time.
    pub renewed: bool,
    /// Whether the node is not ready without (`HERMOD_READY_LEASES_REQUIRED`).
    pub required: bool,
}

/// Where a source is that this node does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// No running workflow has it; the sender gets 404.
    Nowhere,
    /// Another node may have it.
    Elsewhere,
    /// It cannot be known now; the sender gets 503 and comes again.
    Unknown,
}

/// A node as its HTTP server sees it.
pub trait Node: Send + Sync + 'static {
    /// What takes pushed messages.
    type Intake: Intake;

    /// Returns what takes the messages of the source at `path`, if it is on this node.
    fn intake(&self, protocol: PushProtocol, path: &str) -> Option<Self::Intake>;

    /// Returns whether another node may have the source. It is asked before the body is read, and where it is not
    /// [`Elsewhere`](Whereabouts::Elsewhere), [`forward`](Self::forward) is not called.
    fn whereabouts(
        &self,
        protocol: PushProtocol,
        path: &str,
    ) -> impl Future<Output = Whereabouts> + Send;

    /// Hands a request to the node that has its source, and returns what became of it within `deadline_ms`.
    ///
    /// It is called only where [`intake`](Self::intake) has nothing, and never for a request that another node has handed
    /// on: there that node answers with [`answer_forwarded`](crate::answer_forwarded).
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the messages were kept.
    fn forward(&self, request: Forwarded) -> impl Future<Output = Forward> + Send;

    /// Returns the state of the data log.
    fn log_state(&self) -> LogState;

    /// Counts the workflows.
    fn engines(&self) -> Engines;

    /// Returns the state of the metadata store; `None` without one.
    fn store_state(&self) -> Option<StoreState> {
        None
    }

    /// Counts the workers. A node without a store is its one worker, and it is alive, since it answers.
    fn workers(&self) -> impl Future<Output = Workers> + Send {
        async {
            Workers {
                recent: 1,
                stale: 0,
            }
        }
    }

    /// Returns the state of the leases; `None` without a store.
    fn leases(&self) -> Option<LeaseState> {
        None
    }

    /// Returns the registry of all metrics; the server adds its own to it.
    fn registry(&self) -> &Registry;

    /// Returns all metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}
