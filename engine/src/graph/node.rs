//! The types of nodes, in one list.

use hermod_sdk::{Outputs, Problems, Text, Transform};

use super::{condition, mapping};
use crate::document::NodeDocument;

/// What a node does.
pub(super) enum Action {
    Source,
    /// The sink's index in the plan, if it is there.
    Sink(Option<usize>),
    Transform {
        kind: &'static str,
        branches: &'static [&'static str],
        transform: Box<dyn Transform>,
    },
}

type Compile = fn(&NodeDocument, &str, &mut Problems) -> Option<Box<dyn Transform>>;

/// A type of node that changes, drops or routes messages.
struct NodeType {
    kind: &'static str,
    /// Labels that its edges may have.
    branches: &'static [&'static str],
    compile: Compile,
}

/// Every type of node beside `source` and `sink`, ordered by name. A new one is a file and a line here.
static TYPES: &[NodeType] = &[
    NodeType {
        kind: "condition",
        branches: &["true", "false"],
        compile: condition::compile,
    },
    NodeType {
        kind: "filter",
        branches: ONE,
        compile: condition::compile_filter,
    },
    NodeType {
        kind: "mapping",
        branches: ONE,
        compile: mapping::compile,
    },
];

/// The branches of nodes with one way out.
const ONE: &[&str] = &[Outputs::DEFAULT];

/// What the original's transformations are here.
const TRANSFORMATIONS: &[(&str, &str)] = &[
    ("advanced", "mapping"),
    ("filter_data", "filter"),
    ("set", "mapping"),
    ("validate", "filter"),
];

impl Action {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink(_) => "sink",
            Self::Transform { kind, .. } => kind,
        }
    }

    pub(super) fn branches(&self) -> &'static [&'static str] {
        match self {
            Self::Source => ONE,
            Self::Sink(_) => &[],
            Self::Transform { branches, .. } => branches,
        }
    }
}

/// Compiles a node; a node with a problem stands in as a sink that leads nowhere.
pub(super) fn compile(
    node: &NodeDocument,
    sinks: &[Text],
    pointer: &str,
    problems: &mut Problems,
) -> Action {
    match node.kind.as_str() {
        "source" => Action::Source,
        "sink" => Action::Sink(sinks.iter().position(|sink| **sink == *node.ref_id)),
        kind => {
            let kind = if kind == "transformation" {
                transformation(node)
            } else {
                kind
            };
            let Some(found) = TYPES.iter().find(|known| known.kind == kind) else {
                let known: Vec<&str> = TYPES.iter().map(|known| known.kind).collect();
                problems.add(
                    format!("{pointer}/type"),
                    format!(
                        "node type `{kind}` is not built yet; there are `source`, `sink`, `{}`",
                        known.join("`, `")
                    ),
                );
                return Action::Sink(None);
            };
            match (found.compile)(node, pointer, problems) {
                Some(transform) => Action::Transform {
                    kind: found.kind,
                    branches: found.branches,
                    transform,
                },
                None => Action::Sink(None),
            }
        }
    }
}

fn transformation(node: &NodeDocument) -> &str {
    let kind = node
        .config
        .get("transType")
        .and_then(|value| value.as_str())
        .unwrap_or_default();
    TRANSFORMATIONS
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(kind, |(_, ours)| ours)
}
