//! A workflow's graph, compiled: which sinks a message reaches, and as what.

mod decimal;
mod evaluation;
mod node;
mod predicate;
mod sink_set;
mod structure;

use std::collections::HashSet;

use hermod_sdk::{Problems, Text};

use crate::document::{EdgeDocument, GraphDocument, NodeDocument, Report};
pub use evaluation::{Evaluated, Failure};
use node::{Action, Node};
pub use sink_set::SinkSet;
use structure::Place;

/// A node as metrics and people see it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Id of the node.
    pub id: Text,
    /// Type of the node.
    pub kind: &'static str,
}

/// A compiled graph; immutable, shared by everything that evaluates it.
pub struct Graph {
    infos: Vec<NodeInfo>,
    nodes: Vec<Node>,
    places: Vec<Place>,
    source: usize,
    /// Sinks on the way to which a node can fail, so that the message as it came must be kept.
    fallible: SinkSet,
}

impl Graph {
    /// Compiles a graph for the given sinks; nodes of other sinks lead nowhere.
    ///
    /// It refuses only what cannot be evaluated, so that a stored graph under which a backlog was accepted
    /// goes on to compile.
    ///
    /// # Errors
    /// Every problem at once, with pointers below the workflow: `/nodes/…`, `/edges/…`.
    pub fn compile(document: &GraphDocument, sinks: &[Text]) -> Result<Self, Problems> {
        let mut report = Report::default();
        let graph = compile(document, sinks, &mut report);
        match graph {
            Some(graph) if report.problems.is_empty() => Ok(graph),
            _ => Err(report.problems),
        }
    }

    /// Returns the nodes, in the order of the document.
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.infos
    }

    /// Returns the sinks that the node at an index leads to.
    pub fn sinks_below(&self, node: usize) -> SinkSet {
        self.places
            .get(node)
            .map_or_else(SinkSet::default, |place| place.below)
    }

    /// Returns for each node whether a message can come to it.
    pub(crate) fn reached(&self) -> Vec<bool> {
        structure::reached(&self.places, self.source)
    }
}

fn compile(document: &GraphDocument, sinks: &[Text], report: &mut Report) -> Option<Graph> {
    if sinks.len() > SinkSet::MAX {
        let message = format!(
            "{} sinks; a workflow has at most {}",
            sinks.len(),
            SinkSet::MAX
        );
        report.refuse("/nodes", message);
    }
    structure::check_size(document, report);
    if !report.problems.is_empty() {
        return None;
    }
    let nodes = read_nodes(document, sinks, report);
    let sources: Vec<usize> = (0..nodes.len())
        .filter(|at| document.nodes[*at].kind == "source")
        .collect();
    match sources.as_slice() {
        [_] => {}
        [] => report.refuse("/nodes", "there is no node of type `source`"),
        [_, more @ ..] => {
            for at in more {
                let message =
                    "several sources in one workflow are not built yet; use one workflow for each";
                report.refuse(format!("/nodes/{at}"), message);
            }
        }
    }
    let mut places = structure::join(document, &nodes, report);
    let nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
    let source = *sources.first()?;
    structure::settle(document, &nodes, &mut places, source, report);
    let infos = document.nodes.iter().zip(&nodes);
    let infos = infos.map(|(document, node)| NodeInfo {
        id: document.id.as_str().into(),
        kind: node.kind,
    });
    let infos = infos.collect();
    let transforms = nodes.iter().zip(&places);
    let transforms = transforms.filter(|(node, _)| matches!(node.action, Action::Transform(_)));
    let fallible = transforms.fold(SinkSet::default(), |all, (_, place)| all.or(place.below));
    Some(Graph {
        infos,
        nodes,
        places,
        source,
        fallible,
    })
}

/// Reads every node; `None` stands for one that could not be read.
fn read_nodes(document: &GraphDocument, sinks: &[Text], report: &mut Report) -> Vec<Option<Node>> {
    let nodes = document.nodes.iter().enumerate();
    nodes
        .map(|(at, node)| node::read(node, sinks, &format!("/nodes/{at}"), report))
        .collect()
}

/// Checks nodes each by itself; `None` stands for one that was refused already.
pub(crate) fn check_nodes(nodes: &[Option<NodeDocument>], sinks: &[Text]) -> Problems {
    let mut report = Report::default();
    for (at, document) in nodes.iter().enumerate() {
        if let Some(document) = document {
            node::read(document, sinks, &format!("/nodes/{at}"), &mut report);
        }
    }
    report.problems
}

/// Returns a graph as it is stored: without what has no effect on data, in the one spelling of each thing.
pub(crate) fn normal(document: &GraphDocument) -> GraphDocument {
    let nodes = read_nodes(document, &[], &mut Report::default());
    let pairs = || document.nodes.iter().zip(&nodes);
    let branching: HashSet<&str> = pairs()
        .filter(|(_, node)| node.as_ref().is_some_and(Node::has_branches))
        .map(|(document, _)| document.id.as_str())
        .collect();
    let edges = document.edges.iter().map(|edge| {
        let label = if branching.contains(edge.source_id.as_str()) {
            edge.branch().to_owned()
        } else {
            String::new()
        };
        EdgeDocument {
            label,
            source_handle: String::new(),
            ..edge.clone()
        }
    });
    let nodes = pairs().map(|(document, node)| match node {
        Some(node) => node.normal(document),
        None => document.clone(),
    });
    GraphDocument {
        nodes: nodes.collect(),
        edges: edges.collect(),
    }
}

#[cfg(test)]
mod tests;
