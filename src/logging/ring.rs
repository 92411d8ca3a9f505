//! Keeps the latest lines of the log in memory, for those who look at it over the API.

use std::time::SystemTime;

use hermod_api::{LogLevel, LogLine, LogRing};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Pushes every event of level `info` and above into a ring.
pub(super) struct RingLayer(pub(super) LogRing);

impl<S: Subscriber> Layer<S> for RingLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            _ => return,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.0.push(LogLine {
            sequence: 0,
            at_ms: now.map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(0)),
            level,
            target: metadata.target().to_owned(),
            workflow: text.workflow,
            message: format!("{}{}", text.message, text.fields),
        });
    }
}

/// An event in one line.
#[derive(Default)]
struct Text {
    message: String,
    workflow: Option<String>,
    fields: String,
}

impl Text {
    fn add(&mut self, name: &str, value: &str) {
        if name == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        if name == "workflow" {
            self.workflow = Some(value.trim_matches('"').to_owned());
        }
        self.fields += &format!(" {name}={value}");
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn lines_are_kept_with_their_fields_and_their_workflow() {
        let ring = LogRing::new(8);
        let subscriber = tracing_subscriber::registry().with(RingLayer(ring.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(workflow = %"w1", error = "away", "sink does not answer");
            tracing::debug!("not kept");
        });
        let (kept, _) = ring.since(0, 10);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].workflow.as_deref(), Some("w1"));
        assert_eq!(
            kept[0].message,
            "sink does not answer workflow=w1 error=away"
        );
        assert_eq!(kept[0].level, LogLevel::Warn);
    }
}
