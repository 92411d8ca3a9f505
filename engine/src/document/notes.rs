//! Notes of the original's drawings: remarks for people, which nothing goes through.

use std::collections::HashSet;

use hermod_sdk::Problems;

use super::{EdgeDocument, NodeDocument, report::Report};

/// The type of such a node.
pub(super) const KIND: &str = "note";

/// Nodes and edges without notes, and where each stood in the document.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) nodes: Vec<Option<NodeDocument>>,
    pub(super) edges: Vec<Option<EdgeDocument>>,
    node_places: Vec<usize>,
    edge_places: Vec<usize>,
}

impl Kept {
    /// Takes notes and their edges out, and names each.
    pub(super) fn of(
        nodes: Vec<Option<NodeDocument>>,
        edges: Vec<Option<EdgeDocument>>,
        report: &mut Report,
    ) -> Self {
        let is_note = |node: &Option<NodeDocument>| node.as_ref().is_some_and(|n| n.kind == KIND);
        let ids = |notes: bool| -> HashSet<String> {
            let some = nodes.iter().filter(|node| is_note(node) == notes);
            some.flatten().map(|node| node.id.clone()).collect()
        };
        let (mut gone, others) = (ids(true), ids(false));
        // An edge of a node that has a note's id is the node's.
        gone.retain(|id| !id.is_empty() && !others.contains(id));
        let mut kept = Self::default();
        for (at, node) in nodes.into_iter().enumerate() {
            if let Some(note) = node.as_ref().filter(|node| node.kind == KIND) {
                let message = format!("note `{}` is a remark and is dropped", note.id);
                report.warn(format!("/workflow/nodes/{at}"), message);
                continue;
            }
            kept.nodes.push(node);
            kept.node_places.push(at);
        }
        for (at, edge) in edges.into_iter().enumerate() {
            let ends = edge.as_ref().map(|edge| [&edge.source_id, &edge.target_id]);
            let note = ends.into_iter().flatten().find(|end| gone.contains(*end));
            if let Some(note) = note {
                let message = format!("edge of note `{note}` is dropped with it");
                report.warn(format!("/workflow/edges/{at}"), message);
                continue;
            }
            kept.edges.push(edge);
            kept.edge_places.push(at);
        }
        kept
    }

    /// Returns where a node stood in the document.
    pub(super) fn place(&self, node: usize) -> usize {
        self.node_places.get(node).copied().unwrap_or(node)
    }

    /// Adds problems of the graph, whose pointers count without notes, where they stand in the document.
    pub(super) fn report(&self, part: &Problems, report: &mut Report) {
        for problem in part {
            let pointer = self
                .placed(&problem.pointer)
                .unwrap_or_else(|| problem.pointer.clone());
            report.refuse(format!("/workflow{pointer}"), problem.message.clone());
        }
    }

    fn placed(&self, pointer: &str) -> Option<String> {
        let mut steps = pointer.splitn(4, '/').skip(1);
        let (list, index) = (steps.next()?, steps.next()?);
        let places = match list {
            "nodes" => &self.node_places,
            "edges" => &self.edge_places,
            _ => return None,
        };
        let place = places.get(index.parse::<usize>().ok()?)?;
        let rest = steps
            .next()
            .map_or_else(String::new, |rest| format!("/{rest}"));
        Some(format!("/{list}/{place}{rest}"))
    }
}
