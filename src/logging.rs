//! Where logs go: standard error, for people or as JSON.

mod ring;

use std::{
    io::{self, IsTerminal},
    time::SystemTime,
};

use hermod_api::LogRing;
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use ring::RingLayer;

use crate::{
    config::{Config, LogFormat},
    failure::Failure,
    output,
};

/// Lines that are kept for those who look at the log over the API.
const RING_LINES: usize = 2000;

/// Starts logging, and returns where the latest lines are kept. Later calls change nothing.
pub(crate) fn start(config: &Config) -> LogRing {
    let ring = LogRing::new(RING_LINES);
    // The filter was checked with the rest of the configuration.
    let filter = filter(&config.log);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if is_json(config.log_format) {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(RingLayer(ring.clone()))
        .try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
    ring
}

/// Makes the filter. What the Raft core says of each of its steps, and five times a second of a node that is away, is for
/// those who ask for it by name; what stops the store is said by the node itself.
fn filter(text: &str) -> EnvFilter {
    const QUIET: &str = "openraft=off";
    let text = if text.contains("openraft") {
        text.to_owned()
    } else {
        format!("{QUIET},{text}")
    };
    EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Returns whether logs are written as JSON.
pub(crate) fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    }
}

/// Writes a node's failure where its logs go, in their form, whatever the filter says: it is the last word.
///
/// It may come before logging is started, and its details are JSON, which fields of `tracing` cannot be.
pub(crate) fn failure(format: LogFormat, failure: Failure) -> Failure {
    if !is_json(format) {
        return failure;
    }
    output::error_line(failure_line(&failure).to_string());
    Failure {
        logged: true,
        ..failure
    }
}

fn failure_line(failure: &Failure) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |passed| i64::try_from(passed.as_millis()).unwrap_or(0));
    let mut line = json!({
        "timestamp": hermod_api::rfc3339_ms(now),
        "level": "ERROR",
        "message": failure.message,
        "code": failure.code.text(),
        "hint": failure.hint(),
    });
    if let [only] = failure.details.as_slice()
        && let Some(pointer) = only.value.get("pointer")
    {
        line["pointer"] = pointer.clone();
    }
    if !failure.details.is_empty() {
        let details = failure.details.iter().map(|detail| detail.value.clone());
        line["details"] = details.collect();
    }
    line["target"] = "hermod".into();
    line
}

#[cfg(test)]
mod tests {
    use hermod_api::Code;

    use super::*;
    use crate::failure::Detail;

    #[test]
    fn a_failure_is_one_line_whose_details_are_json() {
        let fault = Detail::at("/port", "`port` = `\n`: a number is needed");
        let failure = Failure::new(Code::Configuration, Code::Configuration.title());
        let line = failure_line(&failure.clone().with_details(vec![fault.clone()]));
        assert!(!line.to_string().contains('\n'));
        assert_eq!(line["code"], "HMD-0001");
        assert_eq!(line["hint"], Code::Configuration.hint());
        assert_eq!(line["pointer"], "/port");
        assert_eq!(line["details"], json!([fault.value]));
        let several = vec![fault, Detail::at("/log", "no filter")];
        let line = failure_line(&failure.clone().with_details(several));
        assert_eq!(line.get("pointer"), None, "each detail has its own");
        assert_eq!(line["details"][1]["pointer"], "/log");
        assert_eq!(failure_line(&failure).get("details"), None);
    }
}
