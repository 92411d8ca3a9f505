//! A workflow's graph, compiled: which sinks a message reaches, and as what.

mod condition;
mod decimal;
mod mapping;
mod node;
mod sink_set;

use std::collections::{BTreeMap, HashMap};

use hermod_sdk::{Message, Outputs, Problems, Text};

use crate::document::{EdgeDocument, GraphDocument};
use node::Action;
pub use sink_set::SinkSet;

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
    source: usize,
    /// Whether a node can fail, so that the message as it came must be kept.
    fallible: bool,
}

struct Node {
    action: Action,
    edges: Vec<Edge>,
    below: SinkSet,
}

struct Edge {
    branch: String,
    to: usize,
}

/// What a graph made of messages; reused from message to message.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// Messages by sink, in the order of the plan's sinks.
    pub to: Vec<Vec<Message>>,
    /// Nodes that failed.
    pub failures: Vec<Failure>,
    /// Messages that reached no sink on purpose.
    pub filtered: u64,
    /// Messages that each node has handled, by the index of [`Graph::nodes`].
    pub processed: Vec<u64>,
    /// Messages that each node could not handle, by the index of [`Graph::nodes`].
    pub errors: Vec<u64>,
}

/// A node that failed on a message.
#[derive(Debug)]
pub struct Failure {
    /// Id of the node.
    pub node: Text,
    /// Why; no payload.
    pub reason: String,
    /// Sinks that do not get the message because of this.
    pub sinks: SinkSet,
    /// The message as it entered the graph.
    pub message: Message,
}

impl Evaluated {
    /// Empties everything and keeps the memory.
    pub fn clear(&mut self) {
        self.to.iter_mut().for_each(Vec::clear);
        self.failures.clear();
        self.filtered = 0;
        self.processed.fill(0);
        self.errors.fill(0);
    }

    fn prepare(&mut self, nodes: usize, sinks: usize) {
        if self.to.len() < sinks {
            self.to.resize_with(sinks, Vec::new);
        }
        if self.processed.len() < nodes {
            self.processed.resize(nodes, 0);
            self.errors.resize(nodes, 0);
        }
    }
}

impl Graph {
    /// Compiles a graph for the given sinks; nodes of other sinks lead nowhere.
    ///
    /// # Errors
    /// Every problem at once, with pointers below the workflow: `/nodes/…`, `/edges/…`.
    pub fn compile(document: &GraphDocument, sinks: &[Text]) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        if sinks.len() > SinkSet::MAX {
            let message = format!(
                "{} sinks; a workflow has at most {}",
                sinks.len(),
                SinkSet::MAX
            );
            problems.add("/nodes", message);
        }
        let (mut nodes, mut infos) = (Vec::new(), Vec::new());
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (at, document) in document.nodes.iter().enumerate() {
            let pointer = format!("/nodes/{at}");
            if index.insert(&document.id, at).is_some() {
                problems.add(
                    format!("{pointer}/id"),
                    format!("node `{}` stands twice", document.id),
                );
            }
            let action = node::compile(document, sinks, &pointer, &mut problems);
            infos.push(NodeInfo {
                id: document.id.as_str().into(),
                kind: action.kind(),
            });
            nodes.push(Node {
                action,
                edges: Vec::new(),
                below: SinkSet::default(),
            });
        }
        for (at, edge) in document.edges.iter().enumerate() {
            connect(edge, at, &index, &mut nodes, &mut problems);
        }
        let sources: Vec<usize> = (0..nodes.len())
            .filter(|at| matches!(nodes[*at].action, Action::Source))
            .collect();
        match sources.as_slice() {
            [_] => {}
            [] => problems.add("/nodes", "there is no node of type `source`"),
            [_, second, ..] => problems.add(
                format!("/nodes/{second}"),
                "several sources in one workflow are not built yet; use one workflow for each",
            ),
        }
        let source = sources.first().copied().unwrap_or(0);
        if problems.is_empty() {
            find_below(&mut nodes, &infos, source, &mut problems);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let fallible = nodes
            .iter()
            .any(|node| matches!(node.action, Action::Transform { .. }));
        Ok(Self {
            infos,
            nodes,
            source,
            fallible,
        })
    }

    /// Returns the nodes, in the order of the document.
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.infos
    }

    /// Evaluates one message for the sinks of `only`.
    pub fn evaluate(&self, message: Message, only: SinkSet, out: &mut Evaluated) {
        out.prepare(self.nodes.len(), only.capacity());
        let original = self.fallible.then(|| message.clone());
        let mut walk = Walk {
            graph: self,
            only,
            original: original.as_ref(),
            out,
            reached: false,
        };
        walk.visit(self.source, message);
        if !walk.reached {
            out.filtered += 1;
        }
    }
}

/// One message's way through the graph.
struct Walk<'a> {
    graph: &'a Graph,
    only: SinkSet,
    original: Option<&'a Message>,
    out: &'a mut Evaluated,
    /// Whether a sink was reached, or would have been had it been asked for, or a node failed.
    reached: bool,
}

impl Walk<'_> {
    fn visit(&mut self, at: usize, message: Message) {
        let node = &self.graph.nodes[at];
        self.out.processed[at] += 1;
        match &node.action {
            Action::Source => self.follow(node, Outputs::DEFAULT, message),
            Action::Sink(Some(sink)) => {
                self.reached = true;
                if let Some(to) = self.out.to.get_mut(*sink) {
                    to.push(message);
                }
            }
            Action::Sink(None) => {}
            Action::Transform { transform, .. } => {
                let mut outputs = Outputs::default();
                match transform.apply(message, &mut outputs) {
                    Ok(()) => {
                        for (branch, message) in outputs.drain() {
                            self.follow(node, branch, message);
                        }
                    }
                    Err(error) => self.fail(at, error.reason),
                }
            }
        }
    }

    fn follow(&mut self, node: &Node, branch: &str, message: Message) {
        let mut wanted = Vec::new();
        for edge in node.edges.iter().filter(|edge| edge.branch == branch) {
            let below = self.graph.nodes[edge.to].below;
            if below.intersects(self.only) {
                wanted.push(edge.to);
            } else if !below.is_empty() {
                // It goes on to a sink that is not asked for; that is no filtering.
                self.reached = true;
            }
        }
        let Some(last) = wanted.pop() else { return };
        for to in wanted {
            self.visit(to, message.clone());
        }
        self.visit(last, message);
    }

    fn fail(&mut self, at: usize, reason: String) {
        self.reached = true;
        self.out.errors[at] += 1;
        let Some(original) = self.original else {
            return;
        };
        self.out.failures.push(Failure {
            node: self.graph.infos[at].id.clone(),
            reason,
            sinks: self.graph.nodes[at].below.and(self.only),
            message: original.clone(),
        });
    }
}

fn connect(
    edge: &EdgeDocument,
    at: usize,
    index: &HashMap<&str, usize>,
    nodes: &mut [Node],
    problems: &mut Problems,
) {
    let mut end = |id: &str, field: &str| {
        let found = index.get(id).copied();
        if found.is_none() {
            problems.add(
                format!("/edges/{at}/{field}"),
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
        return;
    };
    let branches = nodes[from].action.branches();
    if !branches.contains(&edge.label.as_str()) {
        let message = match branches {
            [] => format!("node `{}` is a sink and leads nowhere", edge.source_id),
            [""] => format!(
                "node `{}` has no branch `{}`; leave the label out",
                edge.source_id, edge.label
            ),
            labels => format!(
                "node `{}` has the branches `{}`, not `{}`",
                edge.source_id,
                labels.join("`, `"),
                edge.label
            ),
        };
        problems.add(format!("/edges/{at}"), message);
        return;
    }
    if matches!(nodes[to].action, Action::Source) {
        problems.add(
            format!("/edges/{at}/target_id"),
            "nothing leads into a source",
        );
        return;
    }
    nodes[from].edges.push(Edge {
        branch: edge.label.clone(),
        to,
    });
}

/// Finds which sinks lie below each node, and cycles and nodes that nothing leads to.
fn find_below(nodes: &mut [Node], infos: &[NodeInfo], source: usize, problems: &mut Problems) {
    let mut state: BTreeMap<usize, bool> = BTreeMap::new();
    if let Some(cycle) = descend(nodes, source, &mut state) {
        let id = &infos[cycle].id;
        problems.add(
            format!("/nodes/{cycle}"),
            format!("node `{id}` leads back to itself"),
        );
        return;
    }
    for (at, info) in infos.iter().enumerate() {
        if !state.contains_key(&at) {
            let id = &info.id;
            problems.add(
                format!("/nodes/{at}"),
                format!("nothing leads to node `{id}`"),
            );
        }
    }
}

/// Returns a node on a cycle, if there is one. `true` in `state` means that a node is done.
fn descend(nodes: &mut [Node], at: usize, state: &mut BTreeMap<usize, bool>) -> Option<usize> {
    match state.get(&at) {
        Some(true) => return None,
        Some(false) => return Some(at),
        None => {}
    }
    state.insert(at, false);
    let mut below = SinkSet::default();
    if let Action::Sink(Some(sink)) = nodes[at].action {
        below.insert(sink);
    }
    let next: Vec<usize> = nodes[at].edges.iter().map(|edge| edge.to).collect();
    for to in next {
        if let Some(cycle) = descend(nodes, to, state) {
            return Some(cycle);
        }
        below = below.or(nodes[to].below);
    }
    nodes[at].below = below;
    state.insert(at, true);
    None
}

#[cfg(test)]
mod tests;
