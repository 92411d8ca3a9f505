//! What a workflow does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a workflow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// It is to run, and no node has it yet.
    Waiting,
    /// Sources and sinks are being tested.
    Probing,
    /// Messages move.
    Running,
    /// Intake has stopped; the rest is being delivered.
    Draining,
    /// Ended on request.
    Stopped,
    /// The source came to its end and everything is delivered.
    Completed,
    /// Ended by an error that a person must look at.
    Failed,
    /// Nobody knows: the node that had it has not been heard of.
    Unknown,
}

/// A workflow's status as its owner reported it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowStatus {
    /// Which workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: WorkflowState,
    /// Why it is not simply running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The node that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Epoch under which it runs (I5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Version of the workflow that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Messages that the buffer holds; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffered: Option<u64>,
    /// Number that the next message will get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Dead letters that are still open; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// Its sinks.
    #[serde(default)]
    pub sinks: Vec<SinkState>,
    /// When this was so, in milliseconds since 1970.
    pub at_ms: u64,
}

impl WorkflowStatus {
    /// Makes the status of a workflow of which only the state is known.
    pub fn new(workflow: impl Into<String>, state: WorkflowState, at_ms: u64) -> Self {
        Self {
            workflow: workflow.into(),
            state,
            reason: None,
            node: None,
            epoch: None,
            version: None,
            buffered: None,
            next: None,
            dead_letters: None,
            sinks: Vec::new(),
            at_ms,
        }
    }
}

/// A sink's status as its owner reported it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkState {
    /// Which sink.
    pub id: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Messages that wait for it.
    pub backlog: u64,
    /// Number of the next message that it has to confirm.
    pub next: u64,
    /// Why it takes nothing at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// Whether it catches up from the log by itself.
    #[serde(default)]
    pub lagging: bool,
}
