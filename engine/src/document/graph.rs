//! The graph as it is stored: normalised, so that a backlog can be evaluated under the version that
//! accepted it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Nodes and edges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphDocument {
    /// The nodes.
    pub nodes: Vec<NodeDocument>,
    /// The edges between them.
    pub edges: Vec<EdgeDocument>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeDocument {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The source or sink that it stands for; empty for others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ref_id: String,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// An edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Raw")]
pub struct EdgeDocument {
    /// Its id.
    pub id: String,
    /// Node that it leaves.
    pub source_id: String,
    /// Node that it enters.
    pub target_id: String,
    /// Branch that it stands for; empty where the node has only one.
    pub label: String,
}

/// An edge as the original writes it: the label stands in `config`, or as `source_handle`.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id: String,
    source_id: String,
    target_id: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    source_handle: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
}

impl From<Raw> for EdgeDocument {
    fn from(raw: Raw) -> Self {
        let Raw {
            id,
            source_id,
            target_id,
            label,
            source_handle,
            config,
        } = raw;
        let in_config = config
            .get("label")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let candidates = [Some(label), in_config, source_handle];
        let label = candidates
            .into_iter()
            .flatten()
            .find(|label| !label.is_empty());
        Self {
            id,
            source_id,
            target_id,
            label: label.unwrap_or_default(),
        }
    }
}
