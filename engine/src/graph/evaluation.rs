//! One message's way through a graph.

use std::collections::VecDeque;

use hermod_sdk::{Message, Outputs, Text};

use super::{Graph, SinkSet, node::Action};

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
    // Kept between messages for their memory only.
    outputs: Outputs,
    open: VecDeque<(usize, Message)>,
}

/// A node that failed on a message.
#[derive(Debug)]
pub struct Failure {
    /// Id of the node.
    pub node: Text,
    /// Why; no payload.
    pub reason: String,
    /// Sinks that do not get the message because of this. No two failures of one message name the same sink.
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
    /// Evaluates one message for the sinks of `only`; nodes that lead to none of them are not visited.
    pub fn evaluate(&self, message: Message, only: SinkSet, out: &mut Evaluated) {
        out.prepare(self.nodes.len(), only.capacity());
        let mut outputs = std::mem::take(&mut out.outputs);
        // Cheap: text and bytes are shared, and nothing is parsed yet.
        let original = self.fallible.intersects(only).then(|| message.clone());
        let failed = out.failures.len();
        let mut walk = Walk {
            graph: self,
            only,
            original,
            failed,
            out,
            reached: false,
        };
        walk.visit(self.source, message, &mut outputs);
        while let Some((at, message)) = walk.out.open.pop_front() {
            walk.visit(at, message, &mut outputs);
        }
        let filtered = !walk.reached;
        out.filtered += u64::from(filtered);
        out.outputs = outputs;
    }
}

struct Walk<'a> {
    graph: &'a Graph,
    only: SinkSet,
    original: Option<Message>,
    /// Where this message's failures begin.
    failed: usize,
    out: &'a mut Evaluated,
    /// Whether a sink was reached, or would have been had it been asked for, or a node failed.
    reached: bool,
}

impl Walk<'_> {
    fn visit(&mut self, at: usize, message: Message, outputs: &mut Outputs) {
        self.out.processed[at] += 1;
        match &self.graph.nodes[at].action {
            Action::Source => self.follow(at, Outputs::DEFAULT, message),
            Action::Sink(sink) => self.deliver(*sink, message),
            Action::Transform(transform) => match transform.apply(message, outputs) {
                Ok(()) => {
                    for (branch, message) in outputs.drain() {
                        self.follow(at, branch, message);
                    }
                }
                Err(error) => {
                    // What it put out before it failed would go on beside the dead letter.
                    drop(outputs.drain());
                    self.fail(at, error.reason);
                }
            },
        }
    }

    fn deliver(&mut self, sink: Option<usize>, message: Message) {
        self.reached = true;
        if let Some(to) = sink.and_then(|sink| self.out.to.get_mut(sink)) {
            to.push(message);
        }
    }

    /// Sends a message on along every edge of a branch; it is cloned only where there are several.
    fn follow(&mut self, at: usize, branch: &str, mut message: Message) {
        let graph = self.graph;
        let edges = &graph.places[at].edges;
        let along = edges.iter().filter(|(label, _)| *label == branch);
        let (mut last, mut readers) = (None, 0);
        for (_, to) in along.clone() {
            let place = &graph.places[*to];
            if place.below.intersects(self.only) {
                last = Some(*to);
                readers += usize::from(place.reads_payload);
            } else if !place.below.is_empty() {
                // It goes on to a sink that is not asked for; that is no filtering.
                self.reached = true;
            }
        }
        let Some(last) = last else { return };
        if readers > 1 {
            // Parsed once for all copies; what is not JSON is told by the node that needs it.
            drop(message.payload.value());
        }
        for (_, to) in along {
            if *to != last && graph.places[*to].below.intersects(self.only) {
                self.enter(*to, message.clone());
            }
        }
        self.enter(last, message);
    }

    fn enter(&mut self, at: usize, message: Message) {
        if let Action::Sink(sink) = self.graph.nodes[at].action {
            self.out.processed[at] += 1;
            self.deliver(sink, message);
        } else {
            self.out.open.push_back((at, message));
        }
    }

    fn fail(&mut self, at: usize, reason: String) {
        self.reached = true;
        self.out.errors[at] += 1;
        let Some(original) = &self.original else {
            return;
        };
        let earlier = self.out.failures[self.failed..].iter();
        let known = earlier.fold(SinkSet::default(), |all, failure| all.or(failure.sinks));
        // A sink that an earlier failure names gets the message again by that dead letter.
        let sinks = self.graph.places[at].below.and(self.only).without(known);
        if !sinks.is_empty() {
            self.out.failures.push(Failure {
                node: self.graph.infos[at].id.clone(),
                reason,
                sinks,
                message: original.clone(),
            });
        }
    }
}
