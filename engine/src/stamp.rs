//! What every message gets on its way in: a time, and an id where it came without one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hermod_sdk::{Message, Text};
use prometheus::IntCounter;

use crate::{clock, metrics::Metrics};

/// The least time between two warnings about missing keys.
const WARN_EVERY: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Stamp {
    workflow: Text,
    // `HERMOD_IDEMPOTENCY_REQUIRED`: warn when a message comes without a key.
    required: bool,
    present: IntCounter,
    missing: IntCounter,
    warned_ms: Arc<AtomicI64>,
}

impl Stamp {
    pub(crate) fn new(workflow: &Text, metrics: &Metrics, required: bool) -> Self {
        Self {
            present: metrics.idempotency_keys.with_label_values(&[&**workflow]),
            missing: metrics
                .idempotency_missing
                .with_label_values(&[&**workflow]),
            workflow: workflow.clone(),
            required,
            warned_ms: Arc::default(),
        }
    }

    pub(crate) fn apply(&self, messages: &mut [Message]) {
        let now_ms = clock::now_ms();
        let mut missing = 0;
        for message in &mut *messages {
            if message.ingest_time_ms == 0 {
                message.ingest_time_ms = now_ms;
            }
            if message.id.is_empty() {
                missing += 1;
                message.id = uuid::Uuid::now_v7().to_string().into();
            }
        }
        self.present.inc_by(messages.len() as u64 - missing);
        if missing > 0 {
            self.missing.inc_by(missing);
            self.warn(now_ms, missing);
        }
    }

    fn warn(&self, now_ms: i64, missing: u64) {
        let since = now_ms - self.warned_ms.load(Ordering::Relaxed);
        if self.required && since >= WARN_EVERY.as_millis() as i64 {
            self.warned_ms.store(now_ms, Ordering::Relaxed);
            tracing::warn!(
                workflow = %self.workflow, messages = missing, total = self.missing.get(),
                "messages came without an idempotency key and were given fresh ids; a sender that \
                 repeats them makes duplicates"
            );
        }
    }
}
