//! The types of nodes, in one list; each has a file of its own.

mod condition;
mod filter;
mod mapping;

use hermod_sdk::{Outputs, Text, Transform};
use serde_json::{Map, Value};

use crate::document::{Keys, NodeDocument, Report, Section, nearest};

/// Every type of node beside `source` and `sink`, ordered by name. A new one is a file and a line here.
static TYPES: &[NodeType] = &[condition::TYPE, filter::TYPE, mapping::TYPE];

/// The branches of nodes with one way out.
const ONE: &[&str] = &[Outputs::DEFAULT];

/// Types of nodes of the original that are not built yet.
const NOT_BUILT: &[&str] = &[
    "approval",
    "circuit_breaker",
    "collect",
    "deduplicate",
    "foreach",
    "join",
    "log",
    "merge",
    "note",
    "router",
    "stateful",
    "switch",
    "validator",
    "wait",
];

/// A type of node that changes, drops or routes messages.
struct NodeType {
    kind: &'static str,
    /// Labels that its edges may have.
    branches: &'static [&'static str],
    /// What the original calls it as a `transformation`.
    transformations: &'static [&'static str],
    /// Reads its configuration.
    read: fn(&mut Section<'_>, &mut Report) -> Option<Configured>,
}

/// A node's configuration, read.
struct Configured {
    transform: Box<dyn Transform>,
    /// Whether it needs the payload as JSON.
    reads_payload: bool,
    /// The configuration as it is stored.
    normal: Map<String, Value>,
}

/// What a node does.
pub(super) enum Action {
    Source,
    /// The sink's index in the plan, if it is there.
    Sink(Option<usize>),
    Transform(Box<dyn Transform>),
}

/// A node that was read.
pub(super) struct Node {
    pub(super) kind: &'static str,
    pub(super) branches: &'static [&'static str],
    pub(super) action: Action,
    pub(super) reads_payload: bool,
    normal: Map<String, Value>,
}

/// Keys that the configuration of every node may have.
const CONFIG: Keys = Keys {
    inert: &[],
    silent: &["label", "description"],
    not_built: &[
        (
            "sequential",
            "writing to a sink in the middle of a graph is not built yet",
        ),
        ("statusField", "marking instead of failing is not built yet"),
        (
            "asField",
            "marking instead of dropping is not built yet; branch with a `condition`",
        ),
        (
            "targetField",
            "marking instead of dropping is not built yet; branch with a `condition`",
        ),
    ],
};

/// Reads a node that stands at `pointer`.
pub(super) fn read(
    document: &NodeDocument,
    sinks: &[Text],
    pointer: &str,
    report: &mut Report,
) -> Option<Node> {
    let mut section = Section::of(&document.config, &format!("{pointer}/config"));
    let plain = |kind, branches, action| Node {
        kind,
        branches,
        action,
        reads_payload: false,
        normal: Map::new(),
    };
    let node = match document.kind.as_str() {
        "source" => Some(plain("source", ONE, Action::Source)),
        "sink" => {
            let sink = sinks.iter().position(|sink| **sink == *document.ref_id);
            Some(plain("sink", &[], Action::Sink(sink)))
        }
        _ => {
            // The rest of the configuration of an unknown type says nothing.
            let found = find(document, &mut section, pointer, report)?;
            on_error(&mut section, report);
            (found.read)(&mut section, report).map(|configured| Node {
                kind: found.kind,
                branches: found.branches,
                action: Action::Transform(configured.transform),
                reads_payload: configured.reads_payload,
                normal: configured.normal,
            })
        }
    };
    section.judge(&CONFIG, report);
    node
}

impl Node {
    /// Returns whether its edges need a label.
    pub(super) fn has_branches(&self) -> bool {
        !self.branches.is_empty() && self.branches != ONE
    }

    /// Returns the node as it is stored: without what has no effect, in the one spelling of each thing.
    pub(super) fn normal(&self, document: &NodeDocument) -> NodeDocument {
        NodeDocument {
            id: document.id.clone(),
            kind: self.kind.to_owned(),
            ref_id: document.ref_id.clone(),
            config: self.normal.clone(),
        }
    }
}

fn find(
    document: &NodeDocument,
    section: &mut Section<'_>,
    pointer: &str,
    report: &mut Report,
) -> Option<&'static NodeType> {
    let kind = document.kind.as_str();
    if kind == "transformation" {
        return transformation(section, report);
    }
    let found = TYPES.iter().find(|known| known.kind == kind);
    if found.is_none() {
        let known: Vec<&str> = TYPES.iter().map(|known| known.kind).collect();
        let all = ["source", "sink"].into_iter().chain(known.iter().copied());
        let message = if NOT_BUILT.contains(&kind) {
            format!("node type `{kind}` is not built yet")
        } else {
            let meant = nearest(kind, all)
                .map_or_else(String::new, |near| format!("; `{near}` may be meant"));
            format!("there is no node type `{kind}`{meant}")
        };
        let known = known.join("`, `");
        let message = format!("{message}; there are `source`, `sink`, `{known}`");
        report.refuse(format!("{pointer}/type"), message);
    }
    found
}

fn transformation(section: &mut Section<'_>, report: &mut Report) -> Option<&'static NodeType> {
    let kind = section.required("transType", report)?;
    let found = TYPES
        .iter()
        .find(|known| known.transformations.contains(&kind));
    if found.is_none() {
        let known: Vec<&str> = TYPES
            .iter()
            .flat_map(|known| known.transformations)
            .copied()
            .collect();
        let known = known.join("`, `");
        let message = format!("transformation `{kind}` is not built yet; there are `{known}`");
        report.refuse(section.at("transType"), message);
    }
    found
}

/// A message that a node fails on becomes a dead letter, which is what the original calls `fail`.
fn on_error(section: &mut Section<'_>, report: &mut Report) {
    if let Some(other) = section
        .text("onError", report)
        .filter(|text| *text != "fail")
    {
        let message = format!(
            "`{other}` is not built yet; a message that a node fails on becomes a dead letter (`fail`)"
        );
        report.refuse(section.at("onError"), message);
    }
}
