//! What the worker counts: it brings what runs in step with what is to run.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// Upper bounds of the duration of a cycle, in seconds.
const BOUNDS: [f64; 8] = [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Metrics of the worker of this process.
pub(crate) struct WorkerMetrics {
    duration: HistogramVec,
    errors: IntCounterVec,
    worker: String,
}

impl WorkerMetrics {
    /// Makes them and registers them, at 0.
    pub(crate) fn register(registry: &Registry, worker: &str) -> prometheus::Result<Self> {
        let duration = HistogramOpts::new(
            "hermod_worker_sync_duration_seconds",
            "Time that it took to start what is to run",
        );
        let duration = HistogramVec::new(duration.buckets(BOUNDS.to_vec()), &["worker_id"])?;
        let errors = Opts::new(
            "hermod_worker_sync_errors_total",
            "Workflows that could not be started",
        );
        let errors = IntCounterVec::new(errors, &["worker_id"])?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        duration.with_label_values(&[worker]);
        errors.with_label_values(&[worker]);
        Ok(Self {
            duration,
            errors,
            worker: worker.to_owned(),
        })
    }

    /// Measures a cycle until what is returned is dropped.
    pub(crate) fn cycle(&self) -> prometheus::HistogramTimer {
        self.duration
            .with_label_values(&[&*self.worker])
            .start_timer()
    }

    /// Counts a workflow that could not be started.
    pub(crate) fn count_error(&self) {
        self.errors.with_label_values(&[&*self.worker]).inc();
    }

    /// Returns the duration of cycles, by worker.
    pub(crate) fn durations(&self) -> HistogramVec {
        self.duration.clone()
    }

    /// Returns the count of workflows that could not be started, by worker.
    pub(crate) fn errors(&self) -> IntCounterVec {
        self.errors.clone()
    }
}
