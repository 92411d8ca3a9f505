//! What the API asks of the node beyond the store: its connectors, its engine, its cluster, its key, its log.

mod cluster;
mod connector;
mod dead_letter;
mod status;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

pub use cluster::{Backlog, Cluster, Member};
pub use connector::{Connector, Direction, Probe};
pub use dead_letter::{
    Changed, DeadLetter, DeadLetterPage, DeadLetterQuery, NodeAnswer, Selection,
};
pub use status::{SinkState, WorkflowState, WorkflowStatus};

use hermod_storage::{EntryDraft, Key};

use crate::LogRing;

/// This node, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeInfo {
    /// Its name in the cluster.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// `api`, `standalone` or `worker`.
    pub mode: String,
    /// Whether it runs workflows itself.
    pub runs_workflows: bool,
}

/// The metadata store, as `--db-type` and `--db-conn` name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// `raft`, `sqlite`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The connection, the password in it masked (I10).
    pub conn: String,
}

/// Something that is wrong with a document, or that people should know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemAt {
    /// JSON pointer to the value; empty for the document as a whole.
    pub pointer: String,
    /// What is wrong and what to do. It quotes no secret (I10).
    pub message: String,
    /// Whether the document can be used nevertheless.
    #[serde(default)]
    pub warning: bool,
}

/// What a caller does about an error of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such thing. Answered 404.
    Missing,
    /// It does not fit to how things are. Answered 409.
    Conflict,
    /// It is malformed. Answered 422.
    Invalid,
    /// Nothing was done; again after a moment. Answered 503.
    Unavailable,
    /// Nobody can say whether it was done. Answered 504.
    Unknown,
}

/// The platform cannot do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What is wrong. The caller reads it; it names no payload and no secret (I10).
    pub message: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// Makes an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// A node and its cluster as the API sees them.
///
/// Calls that need other nodes are `async`; each ends by itself within some seconds. Who may call what was decided
/// before; what is journaled is done by the caller, but for [`declare_lost`](Self::declare_lost).
#[async_trait]
pub trait Platform: Send + Sync + 'static {
    /// Describes this node.
    fn node(&self) -> NodeInfo;

    /// Describes the metadata store.
    fn database(&self) -> Database;

    /// Returns every connector, sources first. It is asked with every source and sink that is read or written.
    fn connectors(&self) -> &[Connector];

    /// Checks a bundle `{workflow, sources, sinks}` and reports everything at once, pointers into the bundle.
    ///
    /// Secrets in it may be sealed: where a connector's schema has `writeOnly`, an object `{"$sealed": …}` or
    /// `{"$secret": "set"}` stands for a text.
    fn validate(&self, bundle: &Value) -> Vec<ProblemAt>;

    /// Checks one source or sink, its whole document `{id, type, config, …}`, pointers into it. Secrets as in
    /// [`validate`](Self::validate).
    fn validate_connection(&self, direction: Direction, document: &Value) -> Vec<ProblemAt>;

    /// Returns JSON pointers into a configuration: the values in it that are secrets.
    ///
    /// By default those that the connector's schema declares `writeOnly`.
    fn secret_pointers(&self, direction: Direction, kind: &str, config: &Value) -> Vec<String> {
        let found = self
            .connectors()
            .iter()
            .find(|connector| connector.direction == direction && connector.kind == kind);
        found.map_or_else(Vec::new, |connector| {
            crate::secret::pointers(&connector.schema, config)
        })
    }

    /// Tries a source or sink, its whole document with secrets unsealed, without moving a message and without touching
    /// one that runs.
    async fn test(&self, direction: Direction, document: Value) -> Probe;

    /// Returns what this node knows of every workflow, fast and without asking other nodes.
    async fn statuses(&self) -> Vec<WorkflowStatus>;

    /// Returns a workflow's status from the node that runs it; `None` where it never ran.
    async fn status(&self, workflow: &str) -> Result<Option<WorkflowStatus>, Error>;

    /// Lists dead letters of all nodes.
    async fn dead_letters(
        &self,
        workflow: &str,
        query: &DeadLetterQuery,
    ) -> Result<DeadLetterPage, Error>;

    /// Returns one dead letter with its message; `None` where there is none (any more).
    async fn dead_letter(
        &self,
        workflow: &str,
        node: &str,
        seq: u64,
    ) -> Result<Option<DeadLetter>, Error>;

    /// Puts dead letters back into their workflow as new messages.
    async fn replay(&self, workflow: &str, which: &Selection) -> Result<Changed, Error>;

    /// Drops dead letters.
    async fn discard(&self, workflow: &str, which: &Selection) -> Result<Changed, Error>;

    /// Describes the cluster as this node knows it.
    async fn cluster(&self) -> Result<Cluster, Error>;

    /// Removes a node from the cluster.
    async fn cluster_remove(&self, node: &str) -> Result<(), Error>;

    /// Hands leadership to a node.
    async fn transfer_leader(&self, node: &str) -> Result<(), Error>;

    /// Lists the streams of level `durable` that wait on disks, those of nodes that are away above all.
    async fn backlogs(&self) -> Result<Vec<Backlog>, Error>;

    /// Bars a stranded stream: its node keeps it aside when it is back. `entry` goes into the same transaction.
    async fn declare_lost(
        &self,
        workflow: &str,
        stream: &str,
        entry: EntryDraft,
    ) -> Result<(), Error>;

    /// Seals a value of an object with the store's key. The result is an object with the one member `$sealed`, which opens
    /// for that object only.
    fn seal(&self, owner: &Key, plain: &Value) -> Result<Value, Error>;

    /// Opens a sealed value of an object.
    fn unseal(&self, owner: &Key, sealed: &Value) -> Result<Value, Error>;

    /// Returns the latest lines of this node's log.
    fn logs(&self) -> LogRing;
}
