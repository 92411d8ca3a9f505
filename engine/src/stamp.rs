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

    /// Stamps messages that have no time yet.
    pub(crate) fn apply(&self, messages: &mut [Message]) {
        let now_ms = clock::now_ms();
        let (mut present, mut missing) = (0, 0);
        // A message that has a time was stamped before.
        for message in messages
            .iter_mut()
            .filter(|message| message.ingest_time_ms == 0)
        {
            message.ingest_time_ms = now_ms;
            if message.id.is_empty() {
                missing += 1;
                message.id = uuid::Uuid::now_v7().to_string().into();
            } else {
                present += 1;
            }
        }
        self.present.inc_by(present);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_stamped_once_and_missing_keys_are_counted() {
        let metrics = Metrics::new();
        let stamp = Stamp::new(&"w".into(), &metrics, true);
        let mut messages = [
            Message::new("mine", ""),
            Message::new("", ""),
            Message::new("", ""),
        ];
        stamp.apply(&mut messages);
        let first = messages.clone();
        stamp.apply(&mut messages);
        assert_eq!(messages, first);
        assert_eq!(messages[0].id, "mine");
        assert!(messages[1].id < messages[2].id, "fresh ids grow");
        assert!(messages.iter().all(|message| message.ingest_time_ms > 0));
        assert_eq!((stamp.present.get(), stamp.missing.get()), (1, 2));
    }
}
