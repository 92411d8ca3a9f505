//! What becomes of each key of the original's documents.

/// Keys that are kept, have no effect on data here, and are warned about.
pub(super) const INERT: &[&str] = &[
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
    "state",
    "sample",
];

/// Keys that say something about the drawing only; kept without a word.
pub(super) const SILENT: &[&str] = &["x", "y", "unit_tests", "description", "icon", "color"];

/// Keys whose effect is not built yet: refused unless they are empty or false.
pub(super) const NOT_BUILT: &[(&str, &str)] = &[
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
];
