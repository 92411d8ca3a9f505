//! Messages that could not be delivered, on whichever node they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which dead letters to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterQuery {
    /// Only those of this node.
    pub node: Option<String>,
    /// Only those that this sink did not get.
    pub sink: Option<String>,
    /// Only those of this kind of failure.
    pub kind: Option<String>,
    /// Also those that were replayed or discarded.
    pub closed: bool,
    /// Only numbers from this on.
    pub from: u64,
    /// So many of each node at most.
    pub limit: usize,
}

/// A dead letter. Its name is its node and its number there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The node whose disk holds it.
    pub node: String,
    /// Its number among the workflow's dead letters there.
    pub seq: u64,
    /// Id of the message.
    pub message_id: String,
    /// Why it could not be delivered, as the other side says it.
    pub reason: String,
    /// Kind of the failure.
    pub kind: String,
    /// Where it failed: `sink` or `node`, and its id.
    pub origin: Value,
    /// Sinks that did not get it.
    pub sinks: Vec<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// `open`, `replayed` or `discarded`.
    pub state: String,
    /// The message; in lists it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

/// Whether a node has answered a question about its own data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeAnswer {
    /// Which node.
    pub node: String,
    /// Whether it has answered; what a silent one holds is not known, and never counted as nothing.
    pub answered: bool,
}

/// Dead letters of all nodes, each node's ordered by number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterPage {
    /// The dead letters.
    pub data: Vec<DeadLetter>,
    /// How many there are that fit the question, on the nodes that answered.
    pub total: u64,
    /// Who was asked.
    pub nodes: Vec<NodeAnswer>,
}

/// Which dead letters to replay or discard: by number on one node, or all open ones that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only those of this node; needed with `seqs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// These numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10_000))]
    pub seqs: Option<Vec<u64>>,
    /// All open ones; either this or `seqs`.
    #[serde(default)]
    pub all: bool,
    /// Of all: only those that this sink did not get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Of all: only those of this kind of failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What came of a replay or a discard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// So many were changed.
    pub changed: u64,
    /// So many were not open any more, or are not there.
    pub skipped: u64,
    /// So many could not be changed, and are as they were.
    pub failed: u64,
    /// Who was asked.
    pub nodes: Vec<NodeAnswer>,
}
