//! Nodes, and what waits on their disks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster as one node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// The node that says so.
    pub node: String,
    /// The leader's name, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The term, where the store has terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// Whether a write would be taken now.
    pub writable: bool,
    /// How many more nodes may be lost.
    pub survives: u32,
    /// Its members.
    pub members: Vec<Member>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its id, as sixteen hexadecimal digits.
    pub id: String,
    /// Where other nodes reach it.
    pub address: String,
    /// `leader`, `follower`, `learner`, `candidate` or `client`.
    pub role: String,
    /// Whether it has a vote.
    pub voter: bool,
    /// How long ago it was last heard of; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_ms_ago: Option<u64>,
    /// Version of its program; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A stream of level `durable` on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// Of which workflow.
    pub workflow: String,
    /// Its name.
    pub stream: String,
    /// The node whose disk holds it.
    pub node: String,
    /// Messages in it as last reported; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// When that was reported, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_ms: Option<u64>,
    /// Whether its node is away or has been overtaken.
    pub stranded: bool,
    /// Whether it was declared lost.
    pub barred: bool,
}
