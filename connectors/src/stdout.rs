//! Sink `stdout`: one line per message on the process's standard output.

use std::io::{self, Write};

use async_trait::async_trait;
use hermod_sdk::{
    Batch, Confirms, ConnectorConfig, ConnectorError, ErrorKind, Format, Locality, Repeats, Sink,
    SinkConnector, SinkContext, Spec, Stability, Written,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{lines::Lines, offload::Offload};

/// Configuration of the sink `stdout`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdoutSinkConfig {
    /// What is written of each message: `payload` is the payload as it came (one with line breaks becomes
    /// compact JSON), `json` is the whole message as one JSON object.
    #[serde(default)]
    pub format: Format,
}

impl ConnectorConfig for StdoutSinkConfig {
    fn example() -> Value {
        json!({"format": "json"})
    }
}

type Output = Box<dyn Write + Send>;

/// Writes messages to standard output, a batch with one write.
///
/// # Durability
/// It confirms `accepted`: the reader of the pipe has taken the lines, or will; nobody can say whether it
/// keeps them. A closed pipe is `Unavailable`.
pub struct StdoutSink {
    format: Format,
    output: Offload<Output, io::Result<()>>,
}

impl StdoutSink {
    fn to(format: Format, output: Output) -> Self {
        Self {
            format,
            output: Offload::new(output),
        }
    }

    async fn emit(&mut self, text: Vec<u8>) -> Result<(), ConnectorError> {
        let write = move |output: &mut Output| {
            output.write_all(&text)?;
            output.flush()
        };
        self.output.run(write).await?.map_err(|error| {
            ConnectorError::new(
                ErrorKind::Unavailable,
                "standard output cannot be written to",
            )
            .with_source(error)
        })
    }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        let lines = Lines::of(self.format, batch);
        self.emit(lines.text).await?;
        Ok(lines.written)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        self.emit(Vec::new()).await
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        self.flush().await
    }
}

#[async_trait]
impl SinkConnector for StdoutSink {
    const SPEC: Spec = Spec {
        kind: "stdout",
        title: "Standard output",
        summary: "Writes one line per message to the process's standard output.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: false,
    };
    type Config = StdoutSinkConfig;

    async fn open(config: Self::Config, _cx: SinkContext) -> Result<Self, ConnectorError> {
        Ok(Self::to(config.format, Box::new(io::stdout())))
    }

    async fn probe(_config: &Self::Config) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
