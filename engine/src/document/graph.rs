//! The graph as it is stored: normalised, so that a backlog can be evaluated under the version that
//! accepted it.

use hermod_sdk::Text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    keys,
    notes::{self, Kept},
    report::Report,
    section::{Section, check_label},
};
use crate::graph::{self, Graph};

/// Nodes and edges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphDocument {
    /// The nodes.
    pub nodes: Vec<NodeDocument>,
    /// The edges between them.
    pub edges: Vec<EdgeDocument>,
}

impl GraphDocument {
    /// Reads a graph that was stored; numbers in what nodes are told keep their text, so that it equals what it was
    /// made from.
    pub(crate) fn from_stored(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut graph: Self = serde_json::from_slice(text)?;
        let value = hermod_sdk::parse_json(text)?;
        for (at, node) in graph.nodes.iter_mut().enumerate() {
            if let Some(Value::Object(config)) = value.pointer(&format!("/nodes/{at}/config")) {
                node.config.clone_from(config);
            }
        }
        Ok(graph)
    }
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
    /// Its id; may be empty.
    pub id: String,
    /// Node that it leaves.
    pub source_id: String,
    /// Node that it enters.
    pub target_id: String,
    /// Branch that it stands for; empty where the node has only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Where in the drawing it leaves its node; stands in for a label that is missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_handle: String,
}

/// An edge as the original writes it, with the label in `config`.
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
    config: Option<RawConfig>,
}

#[derive(Default, Deserialize)]
struct RawConfig {
    #[serde(default)]
    label: Option<String>,
}

impl From<Raw> for EdgeDocument {
    fn from(raw: Raw) -> Self {
        let in_config = raw.config.unwrap_or_default().label.unwrap_or_default();
        Self {
            id: raw.id,
            source_id: raw.source_id,
            target_id: raw.target_id,
            label: if raw.label.is_empty() {
                in_config
            } else {
                raw.label
            },
            source_handle: raw.source_handle.unwrap_or_default(),
        }
    }
}

impl EdgeDocument {
    /// Returns the branch that it names: its label, else its handle.
    pub(crate) fn branch(&self) -> &str {
        if self.label.is_empty() {
            &self.source_handle
        } else {
            &self.label
        }
    }
}

/// The graph of a document as far as it has the form of one.
pub(super) struct Drawn(Kept);

/// Reads `nodes` and `edges` of a workflow.
pub(super) fn read(section: &mut Section<'_>, report: &mut Report) -> Option<Drawn> {
    let nodes = section.list("nodes", node, report);
    let edges = section.list("edges", edge, report);
    Some(Drawn(Kept::of(nodes?, edges?, report)))
}

impl Drawn {
    /// Returns the nodes of a type that can be read, with their place in the document.
    pub(super) fn nodes_of<'a>(
        &'a self,
        kind: &'a str,
    ) -> impl Iterator<Item = (usize, &'a NodeDocument)> {
        let nodes = self.0.nodes.iter().enumerate();
        nodes.filter_map(move |(at, node)| {
            let node = node.as_ref().filter(|node| node.kind == kind)?;
            Some((self.0.place(at), node))
        })
    }

    /// Checks the graph as a whole, or its nodes alone where one of them or an edge cannot be read.
    pub(super) fn check(self, sinks: &[Text], report: &mut Report) -> Option<GraphDocument> {
        let kept = self.0;
        let whole: Option<Vec<_>> = kept.nodes.iter().cloned().collect();
        let edges: Option<Vec<_>> = kept.edges.iter().cloned().collect();
        let (Some(nodes), Some(edges)) = (whole, edges) else {
            kept.report(&graph::check_nodes(&kept.nodes, sinks), report);
            return None;
        };
        let document = GraphDocument { nodes, edges };
        match Graph::compile(&document, sinks) {
            Ok(compiled) => {
                check_ways(&document, &compiled, &kept, report);
                Some(graph::normal(&document))
            }
            Err(part) => {
                kept.report(&part, report);
                None
            }
        }
    }
}

/// Looks for what no message comes to, and for what leads nowhere.
fn check_ways(document: &GraphDocument, compiled: &Graph, kept: &Kept, report: &mut Report) {
    let nodes = document.nodes.iter().zip(compiled.reached());
    for (index, (node, reached)) in nodes.enumerate() {
        let at = format!("/workflow/nodes/{}", kept.place(index));
        let (id, kind) = (&node.id, node.kind.as_str());
        match (reached, kind) {
            (false, "sink") => {
                let message =
                    format!("nothing leads to sink node `{id}`, so its sink gets nothing from it");
                report.refuse(at, message);
            }
            (false, _) => report.warn(
                at,
                format!("nothing leads to node `{id}`; it has no effect"),
            ),
            (true, "source") if compiled.sinks_below(index).is_empty() => {
                report.refuse(
                    at,
                    "no sink can be reached from here, so nothing is delivered",
                );
            }
            (true, "source" | "sink") => {}
            (true, _) if compiled.sinks_below(index).is_empty() => {
                report.warn(
                    at,
                    format!("node `{id}` leads to no sink; what comes to it is dropped"),
                );
            }
            (true, _) => {}
        }
    }
}

fn node(section: &mut Section<'_>, report: &mut Report) -> Option<NodeDocument> {
    if section.value("type").and_then(Value::as_str) == Some(notes::KIND) {
        // Whatever it says, it is dropped.
        let id = section.text("id", report).unwrap_or_default();
        return Some(NodeDocument {
            id: id.to_owned(),
            kind: notes::KIND.to_owned(),
            ref_id: String::new(),
            config: Map::new(),
        });
    }
    let id = section.required("id", report);
    if let Some(id) = id {
        check_label(id, &section.at("id"), report);
    }
    let kind = section.required("type", report);
    let ref_id = section.text("ref_id", report).unwrap_or_default();
    let config = section.map("config", report);
    if ref_id.is_empty() && matches!(kind, Some("source" | "sink")) {
        let kind = kind.unwrap_or_default();
        let message = format!("`ref_id` is missing; it names the {kind} that the node stands for");
        report.refuse(section.at("ref_id"), message);
    }
    section.judge(&keys::NODE, report);
    Some(NodeDocument {
        id: id?.to_owned(),
        kind: kind?.to_owned(),
        ref_id: ref_id.to_owned(),
        config: config?,
    })
}

fn edge(section: &mut Section<'_>, report: &mut Report) -> Option<EdgeDocument> {
    let id = section.text("id", report).unwrap_or_default();
    check_label(id, &section.at("id"), report);
    let source_id = section.required("source_id", report);
    let target_id = section.required("target_id", report);
    let own = section.text("label", report).unwrap_or_default();
    let handle = section.text("source_handle", report).unwrap_or_default();
    let mut in_config = "";
    if let Some(mut config) = section.section("config", report) {
        in_config = config.text("label", report).unwrap_or_default();
        config.judge(&keys::EDGE_CONFIG, report);
    }
    if !own.is_empty() && !in_config.is_empty() && own != in_config {
        let message = format!("differs from `label`, which is `{own}`");
        report.refuse(format!("{}/label", section.at("config")), message);
    }
    section.judge(&keys::EDGE, report);
    Some(EdgeDocument {
        id: id.to_owned(),
        source_id: source_id?.to_owned(),
        target_id: target_id?.to_owned(),
        label: if own.is_empty() { in_config } else { own }.to_owned(),
        source_handle: handle.to_owned(),
    })
}
