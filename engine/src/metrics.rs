//! The engine's metrics, under the names that users of the original know.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};

use crate::{WorkflowPlan, graph::Graph};

/// Counters of all workflows of a node, in one registry.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    pub(crate) processed: IntCounterVec,
    pub(crate) filtered: IntCounterVec,
    pub(crate) errors: IntCounterVec,
    pub(crate) sink_writes: IntCounterVec,
    pub(crate) sink_write_errors: IntCounterVec,
    pub(crate) duration: HistogramVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) dead_letter_errors: IntCounterVec,
    pub(crate) lost: IntCounterVec,
    pub(crate) node_processed: IntCounterVec,
    pub(crate) node_errors: IntCounterVec,
    pub(crate) idempotency_keys: IntCounterVec,
    pub(crate) idempotency_missing: IntCounterVec,
    pub(crate) buffered: IntGaugeVec,
    pub(crate) active: IntGaugeVec,
    pub(crate) dead_letters_open: IntGaugeVec,
}

/// Upper bounds of the latency histogram, in seconds: from a sync's cost to a long outage.
const LATENCY_BOUNDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0,
];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes all metrics and registers them.
    pub fn new() -> Self {
        let registry = Registry::new();
        let duration = HistogramOpts::new(
            "hermod_engine_processing_duration_seconds",
            "Time from intake to the sink's confirmation, oldest message of each batch",
        )
        .buckets(LATENCY_BOUNDS.to_vec());
        let duration = register(&registry, HistogramVec::new(duration, &["workflow_id"]));
        let counter = |name: &str, labels: &[&str], help: &str| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, labels: &[&str], help: &str| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let engine = |name: &str| format!("hermod_engine_{name}");
        let (workflow, node) = (&["workflow_id"], &["workflow_id", "node_id", "node_type"]);
        let (source, sink) = (&["workflow_id", "source_id"], &["workflow_id", "sink_id"]);
        let stage = &["workflow_id", "source_id", "stage"];
        #[rustfmt::skip]
        let metrics = Self {
            processed: counter(&engine("messages_processed_total"), source, "Messages that the workflow's graph has handled"),
            filtered: counter(&engine("messages_filtered_total"), workflow, "Messages that reached no sink on purpose"),
            errors: counter(&engine("message_errors_total"), stage, "Failures by stage: read, transform, sink"),
            sink_writes: counter(&engine("sink_writes_total"), sink, "Messages that a sink has confirmed"),
            sink_write_errors: counter(&engine("sink_write_errors_total"), sink, "Failed writes to a sink"),
            duration,
            dead_letters: counter(&engine("dead_letter_total"), sink, "Messages that became dead letters"),
            dead_letter_errors: counter(&engine("dead_letter_errors_total"), sink, "Failed writes of dead letters"),
            lost: counter(&engine("messages_lost_total"), sink, "Messages that damage of the data log took before a sink had them"),
            node_processed: counter("hermod_workflow_node_processed_total", node, "Messages that a node has handled"),
            node_errors: counter("hermod_workflow_node_errors_total", node, "Messages that a node could not handle"),
            idempotency_keys: counter("hermod_idempotency_keys_total", workflow, "Messages that came with an idempotency key"),
            idempotency_missing: counter("hermod_idempotency_missing_total", workflow, "Messages that came without an idempotency key and were given a fresh id"),
            buffered: gauge(&engine("buffered_messages"), workflow, "Messages that the slowest sink has not passed"),
            active: gauge("hermod_worker_active_workflows_total", &["worker_id"], "Workflows that run on this worker"),
            dead_letters_open: gauge(&engine("dead_letters_open"), workflow, "Dead letters that nobody has replayed or discarded"),
            registry: registry.clone(),
        };
        metrics
    }

    /// Makes every counter of a workflow, at 0: a rate sees the first rise only of what was there before.
    pub(crate) fn prepare(&self, plan: &WorkflowPlan, graph: &Graph) {
        let (workflow, source) = (&*plan.id, &*plan.source.id);
        for stage in ["read", "transform", "sink"] {
            self.errors.with_label_values(&[workflow, source, stage]);
        }
        for sink in &plan.sinks {
            self.dead_letters.with_label_values(&[workflow, &*sink.id]);
            self.lost.with_label_values(&[workflow, &*sink.id]);
        }
        // A dead letter is of several sinks; that it cannot be stored is counted for none of them.
        self.dead_letter_errors.with_label_values(&[workflow, ""]);
        for node in graph.nodes() {
            let labels = [workflow, &*node.id, node.kind];
            self.node_processed.with_label_values(&labels);
            self.node_errors.with_label_values(&labels);
        }
    }

    /// Returns the registry, so that others can add theirs.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns everything in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        if let Err(error) = encoded {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("metric names and labels are constants and valid");
    registry
        .register(Box::new(collector.clone()))
        .expect("each metric is registered once");
    collector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_seed_has_its_name() {
        let metrics = Metrics::new();
        metrics.processed.with_label_values(&["w", "s"]).inc();
        metrics
            .node_errors
            .with_label_values(&["w", "n", "set"])
            .inc();
        let text = metrics.text();
        assert!(text.contains(
            "hermod_engine_messages_processed_total{source_id=\"s\",workflow_id=\"w\"} 1"
        ));
        assert!(text.contains("hermod_workflow_node_errors_total"));
    }
}
