//! What the server asks the node that it belongs to.

use prometheus::Registry;

use crate::Intake;

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

/// A node as its HTTP server sees it.
pub trait Node: Send + Sync + 'static {
    /// What takes pushed messages.
    type Intake: Intake;

    /// Returns what takes the messages of the webhook at `path`.
    fn webhook(&self, path: &str) -> Option<Self::Intake>;

    /// Returns the state of the data log.
    fn log_state(&self) -> LogState;

    /// Counts the workflows.
    fn engines(&self) -> Engines;

    /// Returns the registry of all metrics; the server adds its own to it.
    fn registry(&self) -> &Registry;

    /// Returns all metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}
