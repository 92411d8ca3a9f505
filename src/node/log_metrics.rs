//! The data log's figures among the metrics.

use hermod_wal::{Log, State, Stats};
use prometheus::{
    IntGauge, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// A figure: its name, what it is, and how it is read.
type Figure = (&'static str, &'static str, fn(&Stats) -> u64);

const FIGURES: [Figure; 11] = [
    (
        "hermod_log_groups",
        "Groups written since the start",
        |stats| stats.groups,
    ),
    (
        "hermod_log_syncs",
        "Syncs of groups since the start",
        |stats| stats.syncs,
    ),
    (
        "hermod_log_batches",
        "Batches that became durable since the start",
        |stats| stats.batches,
    ),
    (
        "hermod_log_records",
        "Records that became durable since the start",
        |stats| stats.records,
    ),
    (
        "hermod_log_bytes",
        "Bytes that became durable since the start",
        |stats| stats.bytes,
    ),
    (
        "hermod_log_failed_batches",
        "Batches that failed",
        |stats| stats.failed_batches,
    ),
    (
        "hermod_log_poisoned_files",
        "Files given up after a failed write or sync (I7)",
        |stats| stats.poisoned_files,
    ),
    (
        "hermod_log_damage",
        "Damage met (I6); any is a reason to look",
        |stats| stats.damage,
    ),
    ("hermod_log_segments", "Segments", |stats| stats.segments),
    (
        "hermod_log_disk_bytes",
        "Bytes that the log's files take",
        |stats| stats.disk_bytes,
    ),
    (
        "hermod_log_pending_bytes",
        "Bytes appended and not yet durable",
        |stats| stats.pending_bytes,
    ),
];

/// Reads the log's counters when metrics are asked for.
struct LogCollector {
    log: Log,
    gauges: Vec<IntGauge>,
    full: IntGauge,
}

/// Adds the log's figures to the metrics.
pub(crate) fn register(registry: &Registry, log: &Log) {
    let collector = LogCollector::new(log.clone());
    let registered = collector.and_then(|collector| registry.register(Box::new(collector)));
    if let Err(error) = registered {
        tracing::error!(%error, "metrics of the data log cannot be registered");
    }
}

impl LogCollector {
    fn new(log: Log) -> prometheus::Result<Self> {
        let gauges: Result<Vec<_>, _> = FIGURES
            .iter()
            .map(|(name, help, _)| IntGauge::with_opts(Opts::new(*name, *help)))
            .collect();
        let full = Opts::new(
            "hermod_log_full",
            "Whether the log has no room (1) or has (0) (I8)",
        );
        Ok(Self {
            log,
            gauges: gauges?,
            full: IntGauge::with_opts(full)?,
        })
    }
}

impl Collector for LogCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges
            .iter()
            .chain([&self.full])
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stats = self.log.stats();
        for (gauge, (_, _, read)) in self.gauges.iter().zip(FIGURES) {
            gauge.set(i64::try_from(read(&stats)).unwrap_or(i64::MAX));
        }
        self.full
            .set(i64::from(matches!(self.log.state(), State::Full { .. })));
        self.gauges
            .iter()
            .chain([&self.full])
            .flat_map(Collector::collect)
            .collect()
    }
}
