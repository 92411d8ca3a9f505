//! Evaluates chunks of the buffer: graph, replay targets, and dead letters of failing nodes.

use std::{sync::Arc, time::Duration};

use hermod_sdk::{Position, Record, Text};
use prometheus::IntCounter;

use crate::{
    backoff::Backoff,
    buffer::Entry,
    clock,
    dead_letter::{self, DeadLetters, Origin},
    envelope::Target,
    graph::{Evaluated, Failure, Graph, SinkSet},
    log::LogError,
    metrics::Metrics,
    pass::Work,
    pipeline::Stop,
    status::Board,
};

/// The graph by the number of the first message that was accepted under it; a backlog is evaluated under
/// the version that accepted it.
#[derive(Clone)]
pub(crate) struct Versions(Arc<Vec<(u64, Arc<Graph>)>>);

impl Versions {
    /// Takes versions in ascending order of their first number.
    pub(crate) fn new(versions: Vec<(u64, Arc<Graph>)>) -> Self {
        Self(Arc::new(versions))
    }

    pub(crate) fn of(&self, seq: u64) -> Option<&Arc<Graph>> {
        let after = self.0.partition_point(|(from, _)| *from <= seq);
        self.0.get(after.saturating_sub(1)).map(|(_, graph)| graph)
    }
}

/// What a chunk of the buffer became.
pub(crate) struct Chunk {
    /// Records by sink.
    pub(crate) records: Vec<Vec<Record>>,
    pub(crate) next: u64,
    pub(crate) position: Option<Position>,
}

impl Chunk {
    /// Returns what each sink has to write.
    pub(crate) fn into_work(self) -> Vec<Work> {
        let Self {
            records,
            next,
            position,
        } = self;
        let work = records.into_iter().map(|records| Work {
            records,
            next,
            position: position.clone(),
            lost: None,
        });
        work.collect()
    }
}

/// One per pass and one per sink that lags.
pub(crate) struct Evaluator {
    versions: Versions,
    sinks: Arc<[Text]>,
    dead_letters: Option<DeadLetters>,
    board: Board,
    metrics: Metrics,
    workflow: Text,
    processed: IntCounter,
    filtered: IntCounter,
    errors: IntCounter,
    // Only the shared pass counts; a sink that catches up sees messages a second time.
    counts: bool,
    out: Evaluated,
}

/// What evaluators of one workflow share.
#[derive(Clone)]
pub(crate) struct EvaluatorContext {
    pub(crate) versions: Versions,
    pub(crate) sinks: Arc<[Text]>,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) board: Board,
    pub(crate) metrics: Metrics,
    pub(crate) workflow: Text,
    pub(crate) source: Text,
}

impl Evaluator {
    pub(crate) fn new(cx: EvaluatorContext, counts: bool) -> Self {
        let metrics = &cx.metrics;
        let source = [&*cx.workflow, &*cx.source];
        Self {
            processed: metrics.processed.with_label_values(&source),
            filtered: metrics.filtered.with_label_values(&[&*cx.workflow]),
            errors: metrics
                .errors
                .with_label_values(&[source[0], source[1], "transform"]),
            versions: cx.versions,
            sinks: cx.sinks,
            dead_letters: cx.dead_letters,
            board: cx.board,
            metrics: cx.metrics,
            workflow: cx.workflow,
            counts,
            out: Evaluated::default(),
        }
    }

    /// Evaluates entries for the sinks of `only`; dead letters of failing nodes are on disk on return.
    pub(crate) async fn evaluate(
        &mut self,
        entries: Vec<Entry>,
        only: SinkSet,
    ) -> Result<Chunk, Stop> {
        let mut records: Vec<Vec<Record>> = Vec::with_capacity(self.sinks.len());
        for sink in 0..self.sinks.len() {
            let expected = if only.contains(sink) {
                entries.len()
            } else {
                0
            };
            records.push(Vec::with_capacity(expected));
        }
        let next = entries.last().map_or(0, |entry| entry.seq + 1);
        let position = entries
            .iter()
            .rev()
            .find_map(|entry| entry.message.position.clone());
        if self.counts {
            self.processed.inc_by(entries.len() as u64);
        }
        let mut failures = Vec::new();
        // A chunk is mostly of one version; its counts are added up before they are published.
        let mut counted: Option<Arc<Graph>> = None;
        for entry in entries {
            let graph = self.versions.of(entry.seq).cloned();
            if let (Some(before), Some(now)) = (&counted, &graph)
                && !Arc::ptr_eq(before, now)
            {
                self.count(before);
            }
            if let Some(graph) = graph {
                self.evaluate_one(entry, &graph, only, &mut records, &mut failures);
                counted = Some(graph);
            }
        }
        if let Some(graph) = &counted {
            self.count(graph);
        }
        self.dead_letter(failures).await?;
        Ok(Chunk {
            records,
            next,
            position,
        })
    }

    fn evaluate_one(
        &mut self,
        entry: Entry,
        graph: &Graph,
        only: SinkSet,
        records: &mut [Vec<Record>],
        failures: &mut Vec<Failure>,
    ) {
        let Entry {
            seq,
            message,
            target,
        } = entry;
        let only = match target {
            Some(Target::Sinks(names)) => {
                for (sink, into) in records.iter_mut().enumerate() {
                    if only.contains(sink) && names.contains(&self.sinks[sink]) {
                        into.push(Record {
                            seq,
                            message: message.clone(),
                        });
                    }
                }
                return;
            }
            Some(Target::Graph(names)) => self.named(&names, only),
            None => only,
        };
        graph.evaluate(message, only, &mut self.out);
        for (messages, into) in self.out.to.iter_mut().zip(records.iter_mut()) {
            into.extend(messages.drain(..).map(|message| Record { seq, message }));
        }
        failures.append(&mut self.out.failures);
    }

    fn named(&self, names: &[Text], only: SinkSet) -> SinkSet {
        let mut set = SinkSet::default();
        for (sink, name) in self.sinks.iter().enumerate() {
            if only.contains(sink) && names.contains(name) {
                set.insert(sink);
            }
        }
        set
    }

    /// Publishes what was counted since the last call.
    fn count(&mut self, graph: &Graph) {
        if self.counts {
            self.publish(graph);
        }
        self.out.clear();
    }

    fn publish(&self, graph: &Graph) {
        self.filtered.inc_by(self.out.filtered);
        for (index, node) in graph.nodes().iter().enumerate() {
            let labels = [&*self.workflow, &*node.id, node.kind];
            let count = |counts: &[u64]| counts.get(index).copied().unwrap_or(0);
            match count(&self.out.processed) {
                0 => {}
                n => self
                    .metrics
                    .node_processed
                    .with_label_values(&labels)
                    .inc_by(n),
            }
            match count(&self.out.errors) {
                0 => {}
                n => self
                    .metrics
                    .node_errors
                    .with_label_values(&labels)
                    .inc_by(n),
            }
        }
    }

    /// Writes the failures as dead letters, trying as long as the log has no room.
    async fn dead_letter(&mut self, failures: Vec<Failure>) -> Result<(), Stop> {
        if failures.is_empty() {
            return Ok(());
        }
        self.errors.inc_by(failures.len() as u64);
        let Some(dead_letters) = &self.dead_letters else {
            let reason = failures
                .into_iter()
                .next()
                .map_or_else(String::new, |f| f.reason);
            return Err(Stop::failed(format!(
                "a node failed on a message and there is no log for dead letters: {reason}"
            )));
        };
        let time_ms = clock::now_ms();
        let entries: Vec<_> = failures
            .into_iter()
            .map(|failure| dead_letter::Entry {
                sinks: names(&self.sinks, failure.sinks),
                message: failure.message,
                origin: Origin::Node(failure.node),
                kind: Text::from_static("transform"),
                reason: failure.reason,
                attempts: 1,
                time_ms,
            })
            .collect();
        for entry in &entries {
            tracing::warn!(
                workflow = %self.workflow, message = %entry.message.id, origin = ?entry.origin,
                reason = %entry.reason, "message became a dead letter"
            );
            for sink in &entry.sinks {
                self.metrics
                    .dead_letters
                    .with_label_values(&[&*self.workflow, &**sink])
                    .inc();
            }
        }
        store_dead_letters(
            dead_letters,
            &entries,
            &self.board,
            &self.metrics,
            &self.workflow,
        )
        .await
    }
}

fn names(sinks: &[Text], set: SinkSet) -> Vec<Text> {
    let named = sinks
        .iter()
        .enumerate()
        .filter(|(sink, _)| set.contains(*sink));
    named.map(|(_, name)| name.clone()).collect()
}

/// Writes dead letters; as long as the log is full it waits and tries again, and nothing is acknowledged.
pub(crate) async fn store_dead_letters(
    dead_letters: &DeadLetters,
    entries: &[dead_letter::Entry],
    board: &Board,
    metrics: &Metrics,
    workflow: &Text,
) -> Result<(), Stop> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
    let mut explained = false;
    loop {
        match dead_letters.write(entries).await {
            Ok(()) => {
                if explained {
                    board.explain(None);
                }
                return Ok(());
            }
            Err(error @ LogError::Full(_)) => {
                metrics
                    .dead_letter_errors
                    .with_label_values(&[&**workflow, ""])
                    .inc();
                tracing::error!(%workflow, %error, "dead letters cannot be stored; waiting for room");
                board.explain(Some(format!("dead letters cannot be stored: {error}")));
                explained = true;
                tokio::time::sleep(backoff.next_delay()).await;
            }
            Err(error @ LogError::Failed(_)) => return Err(Stop::failed(error.to_string())),
        }
    }
}
