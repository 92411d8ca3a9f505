//! Probes, metrics, and an answer for everything else.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{Router, body::Body, extract::State, http::Request, routing::get};
use hyper::{Response, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntGaugeVec, Opts};
use serde_json::{Map, Value, json};

use crate::{
    Code, LogState, Node, clock,
    problem::{Problem, answer},
};

/// How long a worker that is not heard of still counts as live, in seconds.
const WORKER_TTL_S: u64 = 60;

/// Upper bounds of the probes' latency, in seconds.
const LATENCY_BOUNDS: [f64; 6] = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];

/// Paths that are answered whether there is an API or not.
pub(crate) const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Metrics of the probes, registered beside the engine's.
#[derive(Clone)]
struct Probes {
    status: IntGaugeVec,
    latency: HistogramVec,
}

struct Shared<N> {
    node: Arc<N>,
    probes: Probes,
}

impl<N> Clone for Shared<N> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            probes: self.probes.clone(),
        }
    }
}

/// Makes the router. Its metrics are added to the node's registry.
///
/// # Errors
/// If the registry already has a metric of the same name.
pub(crate) fn router<N: Node>(node: Arc<N>) -> prometheus::Result<Router> {
    let probes = Probes::register(node.registry())?;
    Ok(Router::new()
        .route(PROBES[0], get(livez))
        .route(PROBES[1], get(readyz::<N>))
        .route(PROBES[2], get(metrics::<N>))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .with_state(Shared { node, probes }))
}

impl Probes {
    fn register(registry: &prometheus::Registry) -> prometheus::Result<Self> {
        let status = IntGaugeVec::new(
            Opts::new(
                "hermod_readiness_status",
                "Whether a component is in order (1) or not (0)",
            ),
            &["component"],
        )?;
        let latency = HistogramVec::new(
            HistogramOpts::new(
                "hermod_readiness_latency_seconds",
                "Duration of a readiness check",
            )
            .buckets(LATENCY_BOUNDS.to_vec()),
            &["component"],
        )?;
        registry.register(Box::new(status.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        Ok(Self { status, latency })
    }

    /// Records a check and returns its entry in the answer.
    fn entry(&self, component: &str, ok: bool, took: Duration, fields: Value) -> Value {
        self.status
            .with_label_values(&[component])
            .set(i64::from(ok));
        self.latency
            .with_label_values(&[component])
            .observe(took.as_secs_f64());
        let mut entry = Map::new();
        entry.insert("ok".to_owned(), ok.into());
        if let Value::Object(fields) = fields {
            entry.extend(fields);
        }
        entry.insert("duration_ms".to_owned(), (took.as_millis() as u64).into());
        entry.into()
    }
}

async fn livez() -> Response<Body> {
    answer(StatusCode::OK, "application/json", r#"{"status":"ok"}"#)
}

async fn readyz<N: Node>(State(shared): State<Shared<N>>) -> Response<Body> {
    let started = Instant::now();
    let (log_ok, mut db_fields) = match shared.node.log_state() {
        LogState::Open => (true, json!({"state": "open"})),
        // I8: full is a state, not a death; senders are told by 503 and `Retry-After`.
        LogState::Full => (true, json!({"state": "full"})),
        LogState::Failed { reason } => (false, json!({"state": "failed", "error": reason})),
    };
    let store = shared.node.store_state();
    let store_ok = store.as_ref().is_none_or(|store| store.writable);
    if let Some(store) = store {
        db_fields["store"] = json!({
            "writable": store.writable, "role": store.role, "reason": store.reason,
        });
    }
    let db_ok = log_ok && store_ok;
    let db = shared
        .probes
        .entry("db", db_ok, started.elapsed(), db_fields);

    let started = Instant::now();
    let engines = shared.node.engines();
    let fields = json!({
        "engines_running": engines.running,
        "engines_probing": engines.probing,
        "engines_failed": engines.failed,
    });
    let registry = shared
        .probes
        .entry("registry", engines.failed == 0, started.elapsed(), fields);

    let started = Instant::now();
    let known = shared.node.workers().await;
    let fields = json!({"recent": known.recent, "stale": known.stale, "ttl_seconds": WORKER_TTL_S});
    let workers = shared
        .probes
        .entry("workers", known.recent > 0, started.elapsed(), fields);

    let mut checks = json!({"db": db, "registry": registry, "workers": workers});
    let mut leases_ok = true;
    if let Some(leases) = shared.node.leases() {
        leases_ok = leases.renewed || !leases.required;
        let fields = json!({"owned": leases.owned, "required": leases.required});
        checks["leases"] = shared
            .probes
            .entry("leases", leases.renewed, Duration::ZERO, fields);
    }
    // Log and store gate in v1, and the leases where that is asked for.
    let ok = db_ok && leases_ok;
    let body = json!({
        "version": "v1",
        "status": if ok { "ok" } else { "error" },
        "time": clock::rfc3339(SystemTime::now()),
        "checks": checks,
    });
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, "application/json", body.to_string())
}

async fn metrics<N: Node>(State(shared): State<Shared<N>>) -> Response<Body> {
    let text = shared.node.metrics();
    answer(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

async fn wrong_method(request: Request<Body>) -> Response<Body> {
    let detail = format!("`{}` is not for this resource", request.method());
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(Code::MethodNotAllowed, status, detail).into_response()
}

async fn not_found() -> Response<Body> {
    let detail = "there is nothing at this path";
    Problem::new(Code::NotFound, StatusCode::NOT_FOUND, detail).into_response()
}
