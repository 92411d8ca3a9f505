//! The engine's metrics, under the names that users of the original know.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};

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
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let duration = HistogramOpts::new(
            "hermod_engine_processing_duration_seconds",
            "Time from intake to the sink's confirmation, oldest message of each batch",
        )
        .buckets(LATENCY_BOUNDS.to_vec());
        Self {
            processed: counter(
                "hermod_engine_messages_processed_total",
                "Messages that the workflow's graph has handled",
                &["workflow_id", "source_id"],
            ),
            filtered: counter(
                "hermod_engine_messages_filtered_total",
                "Messages that reached no sink on purpose",
                &["workflow_id"],
            ),
            errors: counter(
                "hermod_engine_message_errors_total",
                "Failures by stage: read, transform, sink",
                &["workflow_id", "source_id", "stage"],
            ),
            sink_writes: counter(
                "hermod_engine_sink_writes_total",
                "Messages that a sink has confirmed",
                &["workflow_id", "sink_id"],
            ),
            sink_write_errors: counter(
                "hermod_engine_sink_write_errors_total",
                "Failed writes to a sink",
                &["workflow_id", "sink_id"],
            ),
            duration: register(&registry, HistogramVec::new(duration, &["workflow_id"])),
            dead_letters: counter(
                "hermod_engine_dead_letter_total",
                "Messages that became dead letters",
                &["workflow_id", "sink_id"],
            ),
            dead_letter_errors: counter(
                "hermod_engine_dead_letter_errors_total",
                "Failed writes of dead letters",
                &["workflow_id", "sink_id"],
            ),
            node_processed: counter(
                "hermod_workflow_node_processed_total",
                "Messages that a node has handled",
                &["workflow_id", "node_id", "node_type"],
            ),
            node_errors: counter(
                "hermod_workflow_node_errors_total",
                "Messages that a node could not handle",
                &["workflow_id", "node_id", "node_type"],
            ),
            idempotency_keys: counter(
                "hermod_idempotency_keys_total",
                "Messages that came with an idempotency key",
                &["workflow_id"],
            ),
            idempotency_missing: counter(
                "hermod_idempotency_missing_total",
                "Messages that came without an idempotency key and were given a fresh id",
                &["workflow_id"],
            ),
            buffered: gauge(
                "hermod_engine_buffered_messages",
                "Messages that the slowest sink has not passed",
                &["workflow_id"],
            ),
            active: gauge(
                "hermod_worker_active_workflows_total",
                "Workflows that run on this worker",
                &["worker_id"],
            ),
            dead_letters_open: gauge(
                "hermod_engine_dead_letters_open",
                "Dead letters that nobody has replayed or discarded",
                &["workflow_id"],
            ),
            registry,
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
