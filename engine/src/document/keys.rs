//! What becomes of the keys of the original's documents that are not read.

/// Keys of one place in a document that are known and not read; all others are errors.
pub(crate) struct Keys {
    /// Kept, without effect on data here, and warned about.
    pub(crate) inert: &'static [&'static str],
    /// About people and drawings only; kept without a word.
    pub(crate) silent: &'static [&'static str],
    /// Keys whose effect is not built yet, with the reason: refused unless they ask for nothing.
    pub(crate) not_built: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// No key beside those that are read.
    pub(crate) const NONE: Self = Self {
        inert: &[],
        silent: &[],
        not_built: &[],
    };
}

pub(super) const WORKFLOW: Keys = Keys {
    inert: &[
        "vhost",
        "tags",
        "tier",
        "workspace_id",
        "status",
        "owner_id",
        "lease_until",
        "worker_id",
        "cpu_request",
        "memory_request",
        "throughput_request",
        "total_processed",
        "total_errors",
        "total_lag",
        "retention_days",
        "audit_retention",
        "trace_retention",
        "trace_sample_rate",
        "reconnect_interval",
        "created_at",
        "updated_at",
    ],
    silent: &["description", "icon", "color"],
    not_built: &[
        (
            "dead_letter_sink_id",
            "a sink for dead letters is not built yet; they are kept in the node's log (`hermod dlq`)",
        ),
        (
            "prioritize_dlq",
            "replaying dead letters first is not built yet; use `hermod dlq replay`",
        ),
        (
            "dlq_threshold",
            "alarms on dead letters are not built yet; alert on `hermod_engine_dead_letters_open`",
        ),
        (
            "dry_run",
            "a dry run is not built yet; use `hermod validate`",
        ),
        ("schema", "validation by a schema is not built yet"),
        ("schema_type", "validation by a schema is not built yet"),
        ("cron", "schedules are not built yet"),
        ("idle_timeout", "parking of idle workflows is not built yet"),
    ],
};

const CONNECTOR_INERT: &[&str] = &[
    "vhost",
    "status",
    "worker_id",
    "workspace_id",
    "sample",
    "created_at",
    "updated_at",
];

pub(super) const SOURCE: Keys = Keys {
    inert: CONNECTOR_INERT,
    silent: &["description"],
    not_built: &[(
        "state",
        "taking over a position of the original is not built yet; without it the source begins where its `config` says",
    )],
};

pub(super) const SINK: Keys = Keys {
    inert: CONNECTOR_INERT,
    silent: &["description"],
    not_built: &[],
};

pub(super) const NODE: Keys = Keys {
    inert: &["unit_tests"],
    silent: &["x", "y"],
    not_built: &[],
};

pub(super) const EDGE: Keys = Keys {
    inert: &[],
    silent: &["target_handle"],
    not_built: &[],
};

pub(super) const EDGE_CONFIG: Keys = Keys {
    inert: &["breakpoint"],
    silent: &[],
    not_built: &[],
};

/// Keys that the original writes into a sink's `config`, and where they belong.
pub(super) const MOVED_FROM_SINK: &[(&str, &str)] = &[
    (
        "batch_size",
        "belongs beside `config`: `batch: {messages: …}`",
    ),
    (
        "batch_bytes",
        "belongs beside `config`: `batch: {bytes: …}`",
    ),
    (
        "batch_timeout",
        "belongs beside `config`: `batch: {wait: …}`",
    ),
    (
        "max_retries",
        "belongs beside `config`: `retry: {max_retries: …}`",
    ),
    (
        "retry_interval",
        "belongs beside `config`: `retry: {interval: …}`",
    ),
    (
        "retry_intervals",
        "a list of waits is not built yet; beside `config` there is `retry: {interval: …, interval_max: …}`",
    ),
    ("backpressure_buffer", BACKPRESSURE),
    ("backpressure_strategy", BACKPRESSURE),
    ("sampling_rate", BACKPRESSURE),
    ("spill_path", BACKPRESSURE),
    ("spill_max_size", BACKPRESSURE),
    ("circuit_threshold", BREAKER),
    ("circuit_interval", BREAKER),
    ("circuit_cool_off", BREAKER),
    ("shard_count", "sharded delivery is not built yet"),
    ("shard_key_meta", "sharded delivery is not built yet"),
];

const BACKPRESSURE: &str = "nothing is dropped here: a slow sink reads on from the buffer (`on_slow_sink`, beside `config`)";

const BREAKER: &str = "needs no setting: an outage pauses the sink and messages stay in the buffer (`on_outage`, beside `config`)";
