//! How the nodes of a graph hang together: edges, order, and what lies below each node.

use std::collections::HashMap;

use super::{
    SinkSet,
    node::{Action, Node},
};
use crate::document::{EdgeDocument, GraphDocument, Report};

/// Most nodes of a graph (I9); a drawing of a hundred is already hard to read.
const NODES_MAX: usize = 1_000;

/// Most edges of a graph (I9).
const EDGES_MAX: usize = 4_000;

/// Most copies that a graph may make of one message (I9): a row of forks that meet again doubles them at
/// each, so that a drawing of a few dozen nodes could ask for more copies than memory holds.
const COPIES_MAX: u64 = 1_024;

/// A node's place in the graph.
#[derive(Default)]
pub(super) struct Place {
    /// Where its messages go on: the branch, and the node.
    pub(super) edges: Vec<(&'static str, usize)>,
    /// Sinks that it leads to.
    pub(super) below: SinkSet,
    /// Whether it, or a node that it leads to, needs the payload as JSON.
    pub(super) reads_payload: bool,
    copies: u64,
}

/// Refuses a graph that is too large to be looked at.
pub(super) fn check_size(document: &GraphDocument, report: &mut Report) {
    for (pointer, what, count, most) in [
        ("/nodes", "nodes", document.nodes.len(), NODES_MAX),
        ("/edges", "edges", document.edges.len(), EDGES_MAX),
    ] {
        if count > most {
            report.refuse(
                pointer,
                format!("{count} {what}; a workflow has at most {most}"),
            );
        }
    }
}

/// Joins nodes by their edges; `None` stands for a node that could not be read.
pub(super) fn join(
    document: &GraphDocument,
    nodes: &[Option<Node>],
    report: &mut Report,
) -> Vec<Place> {
    let mut places: Vec<Place> = nodes.iter().map(|_| Place::default()).collect();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (at, node) in document.nodes.iter().enumerate() {
        if index.insert(&node.id, at).is_some() {
            report.refuse(
                format!("/nodes/{at}/id"),
                format!("node `{}` stands twice", node.id),
            );
        }
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, edge) in document.edges.iter().enumerate() {
        if !edge.id.is_empty() && seen.insert(&edge.id, at).is_some() {
            report.refuse(
                format!("/edges/{at}/id"),
                format!("edge `{}` stands twice", edge.id),
            );
        }
        let mut end = |id: &str, key: &str| {
            let found = index.get(id).copied();
            if found.is_none() {
                report.refuse(
                    format!("/edges/{at}/{key}"),
                    format!("there is no node `{id}`"),
                );
            }
            found
        };
        let (from, to) = (
            end(&edge.source_id, "source_id"),
            end(&edge.target_id, "target_id"),
        );
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        if let Some(Node {
            action: Action::Source,
            ..
        }) = nodes[to]
        {
            report.refuse(
                format!("/edges/{at}/target_id"),
                "nothing leads into a source",
            );
            continue;
        }
        let Some(node) = &nodes[from] else { continue };
        let Some(branch) = branch(node, edge, at, report) else {
            continue;
        };
        if places[from].edges.contains(&(branch, to)) {
            let message = format!(
                "an edge from `{}` to `{}` stands twice; each message would be written twice",
                edge.source_id, edge.target_id
            );
            report.refuse(format!("/edges/{at}"), message);
            continue;
        }
        places[from].edges.push((branch, to));
    }
    places
}

/// Returns the branch that an edge stands for: its label, else its handle.
fn branch(
    node: &Node,
    edge: &EdgeDocument,
    at: usize,
    report: &mut Report,
) -> Option<&'static str> {
    let given = edge.branch();
    let from = &edge.source_id;
    let (key, message) = match node.branches {
        [] => (
            "source_id",
            format!("node `{from}` is a sink and leads nowhere"),
        ),
        [one] if !node.has_branches() => {
            // A handle may be the place in the drawing where the line begins, unless it names a branch.
            let meant = !edge.label.is_empty() || matches!(given, "true" | "false");
            if !meant {
                return Some(one);
            }
            let kind = node.kind;
            (
                "config/label",
                format!(
                    "a `{kind}` has no branches, so no `{given}`; leave the label out, or branch with a `condition`"
                ),
            )
        }
        labels => {
            if let Some(found) = labels.iter().find(|label| **label == given) {
                return Some(found);
            }
            let known = labels.join("`, `");
            let has = format!("node `{from}` has the branches `{known}`");
            (
                "config/label",
                if given.is_empty() {
                    format!("the label is missing; {has}")
                } else {
                    format!("{has}, not `{given}`")
                },
            )
        }
    };
    report.refuse(format!("/edges/{at}/{key}"), message);
    None
}

/// Finds what lies below each node, refuses cycles and more copies of a message than are allowed.
pub(super) fn settle(
    document: &GraphDocument,
    nodes: &[Node],
    places: &mut [Place],
    source: usize,
    report: &mut Report,
) {
    let order = match order(places) {
        Ok(order) => order,
        Err(cycle) => {
            let names: Vec<&str> = cycle
                .iter()
                .map(|at| document.nodes[*at].id.as_str())
                .collect();
            let way = names.join("` → `");
            let message = format!("nodes form a cycle: `{way}` → `{}`", names[0]);
            report.refuse(format!("/nodes/{}", cycle[0]), message);
            return;
        }
    };
    for at in order.into_iter().rev() {
        let node = &nodes[at];
        let (mut below, mut reads_payload) = (SinkSet::default(), node.reads_payload);
        // A message takes one branch of a node, and every edge of it.
        let mut copies = u64::from(matches!(node.action, Action::Sink(Some(_))));
        for label in node.branches {
            let along = places[at]
                .edges
                .iter()
                .filter(|(branch, _)| branch == label);
            let sum = along.fold(0, |sum: u64, (_, to)| {
                sum.saturating_add(places[*to].copies)
            });
            copies = copies.max(sum);
        }
        if let Action::Sink(Some(sink)) = node.action {
            below.insert(sink);
        }
        for (_, to) in &places[at].edges {
            below = below.or(places[*to].below);
            reads_payload |= places[*to].reads_payload;
        }
        let place = &mut places[at];
        (place.below, place.reads_payload, place.copies) = (below, reads_payload, copies);
    }
    let copies = places[source].copies;
    if copies > COPIES_MAX {
        let message = format!(
            "one message could become {copies} at the sinks, by the number of ways that lead there; {COPIES_MAX} are allowed"
        );
        report.refuse("/edges", message);
    }
}

/// Returns the nodes so that each stands before those that it leads to, or the nodes of a cycle in order.
///
/// Source: Kahn, Topological sorting of large networks, 1962.
fn order(places: &[Place]) -> Result<Vec<usize>, Vec<usize>> {
    let mut entering = vec![0_usize; places.len()];
    for (_, to) in places.iter().flat_map(|place| &place.edges) {
        entering[*to] += 1;
    }
    let mut order: Vec<usize> = (0..places.len()).filter(|at| entering[*at] == 0).collect();
    let mut next = 0;
    while let Some(at) = order.get(next).copied() {
        next += 1;
        for (_, to) in &places[at].edges {
            entering[*to] -= 1;
            if entering[*to] == 0 {
                order.push(*to);
            }
        }
    }
    if order.len() == places.len() {
        return Ok(order);
    }
    Err(cycle(places, &entering))
}

/// Finds a cycle among the nodes that something still leads to: each of them is entered by another of them,
/// so going backwards comes round.
fn cycle(places: &[Place], entering: &[usize]) -> Vec<usize> {
    let left = |at: &usize| entering[*at] > 0;
    let mut way: Vec<usize> = (0..places.len()).find(left).into_iter().collect();
    while let Some(at) = way.last().copied() {
        let leads_here = |from: &usize| places[*from].edges.iter().any(|(_, to)| *to == at);
        let Some(before) = (0..places.len()).filter(left).find(leads_here) else {
            break;
        };
        if let Some(begin) = way.iter().position(|passed| *passed == before) {
            way.drain(..begin);
            break;
        }
        way.push(before);
    }
    way.reverse();
    way
}

/// Returns the nodes that a message can come to.
pub(super) fn reached(places: &[Place], source: usize) -> Vec<bool> {
    let mut reached = vec![false; places.len()];
    let mut open = vec![source];
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        open.extend(places[at].edges.iter().map(|(_, to)| *to));
    }
    reached
}
