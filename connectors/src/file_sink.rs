//! Sink `file`: appends messages to a local file, a batch with one write and one `fdatasync`.

use async_trait::async_trait;
use hermod_sdk::{
    Batch, Confirms, ConnectorConfig, ConnectorError, Format, Locality, Problems, Repeats, Sink,
    SinkConnector, SinkContext, Spec, Stability, Written,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    lines::Lines,
    offload::{Offload, blocking},
};

mod table;
mod target;
mod torn;

use table::Table;
use target::Target;

/// Configuration of the sink `file`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSinkConfig {
    /// Path of the file on the node that runs the workflow. Missing directories are made.
    #[schemars(length(min = 1), example = &"/var/lib/hermod/out/orders.ndjson")]
    pub filename: String,
    /// What is written of each message.
    #[serde(default)]
    pub format: FileFormat,
    /// CSV: dotted paths of the payload's fields, one column each; other fields are left out. Without it
    /// the columns are those of the file's header line or else of the first message, and a message with
    /// a field that has no column is rejected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)), extend("x-group" = "CSV"))]
    pub columns: Vec<String>,
    /// CSV: whether each file begins with a line of column names.
    #[serde(default = "default_header")]
    #[schemars(extend("x-group" = "CSV"))]
    pub header: bool,
    /// CSV: the one character between fields.
    #[serde(default = "default_delimiter")]
    #[schemars(length(min = 1, max = 1), extend("x-group" = "CSV"))]
    pub delimiter: String,
    /// The file is put aside before a batch that would make it longer than this, under its name with the
    /// time (UTC) appended: `FILE.20260102T030405.678Z`. 0 lets it grow for ever.
    #[serde(default)]
    #[schemars(extend("x-unit" = "bytes"))]
    pub rotate_bytes: u64,
    /// How many files that were put aside are kept, the oldest are deleted; 0 keeps all.
    #[serde(default)]
    pub rotate_keep: usize,
}

fn default_header() -> bool {
    true
}

fn default_delimiter() -> String {
    ",".to_owned()
}

/// What the sink `file` writes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// The payload as it came, on one line. One with line breaks becomes compact JSON; if it is not JSON, it
    /// is rejected.
    #[default]
    Payload,
    /// The whole message as one JSON object on one line.
    Json,
    /// Fields of the payload, which must be a JSON object, as a CSV record.
    Csv,
}

impl FileSinkConfig {
    /// Makes a configuration with defaults for all but the path.
    pub fn new(filename: impl Into<String>) -> Self {
        Self {
            filename: filename.into(),
            format: FileFormat::default(),
            columns: Vec::new(),
            header: default_header(),
            delimiter: default_delimiter(),
            rotate_bytes: 0,
            rotate_keep: 0,
        }
    }

    /// The delimiter as the byte that `check` made sure of.
    fn delimiter_byte(&self) -> u8 {
        self.delimiter.bytes().next().unwrap_or(b',')
    }
}

impl ConnectorConfig for FileSinkConfig {
    fn check(&self, problems: &mut Problems) {
        if self.filename.ends_with('/') || self.filename.contains('\0') {
            problems.add("/filename", "is not the path of a file");
        }
        if self.rotate_keep > 0 && self.rotate_bytes == 0 {
            problems.add("/rotate_keep", "has no effect without `rotate_bytes`");
        }
        check_delimiter(&self.delimiter, problems);
        if self.format != FileFormat::Csv {
            if !self.columns.is_empty() {
                problems.add("/columns", "has an effect with `format: csv` only");
            }
            return;
        }
        if !self.header && self.columns.is_empty() {
            problems.add("/columns", "is needed when there is no `header`");
        }
        for (index, name) in self.columns.iter().enumerate() {
            if self.columns[..index].contains(name) {
                problems.add(format!("/columns/{index}"), format!("repeats `{name}`"));
            }
        }
    }

    fn example() -> Value {
        json!({
            "filename": "/var/lib/hermod/out/orders.csv",
            "format": "csv",
            "columns": ["id", "customer.name", "total"],
            "rotate_bytes": 104_857_600,
            "rotate_keep": 10,
        })
    }
}

/// Adds a problem if `delimiter` is not one ASCII character that can stand between fields.
pub(crate) fn check_delimiter(delimiter: &str, problems: &mut Problems) {
    let [byte] = delimiter.as_bytes() else {
        problems.add("/delimiter", "must be one ASCII character");
        return;
    };
    if !byte.is_ascii() || matches!(byte, b'"' | b'\n' | b'\r' | 0) {
        problems.add("/delimiter", "cannot be a quote or a line break");
    }
}

/// Appends messages to a file that it holds alone.
///
/// # Durability
/// A batch is confirmed after `fdatasync`. The file is held by `flock`; held elsewhere is `Unavailable`. An
/// incomplete last line, left by a crash in the middle of a write, is moved to `FILE.torn-TIME` on open. A
/// write that fails, for example because the disk is full, is taken back as a whole. Batches that are
/// written again stand there twice.
pub struct FileSink {
    encoding: Encoding,
    target: Offload<Target, Result<(), ConnectorError>>,
}

enum Encoding {
    Lines(Format),
    Table(Table),
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        let (header, lines) = match &mut self.encoding {
            Encoding::Lines(format) => (Vec::new(), Lines::of(*format, batch)),
            Encoding::Table(table) => {
                let lines = table.lines(batch);
                (table.header_line(), lines)
            }
        };
        if !lines.text.is_empty() {
            let append = move |target: &mut Target| target.append(&header, &lines.text);
            self.target.run(append).await??;
        }
        Ok(lines.written)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        // Each write has synced its batch; what is left is a write whose future was dropped.
        self.target.run(|_| Ok(())).await?
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        self.target
            .run(|target| {
                target.close();
                Ok(())
            })
            .await?
    }
}

#[async_trait]
impl SinkConnector for FileSink {
    const SPEC: Spec = Spec {
        kind: "file",
        title: "File",
        summary: "Appends messages to a local file, as lines or CSV, synced batch by batch.",
        stability: Stability::Stable,
        locality: Locality::Node,
        confirms: Confirms::Durable,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: false,
    };
    type Config = FileSinkConfig;

    async fn open(config: Self::Config, _cx: SinkContext) -> Result<Self, ConnectorError> {
        let mut target = Target::new(&config);
        // Columns that the operator has chosen must be those of a file that is there already.
        let chosen = Table::new(&config, None).header_line();
        let (target, first) = blocking(move || {
            let first = target.open(&chosen);
            (target, first)
        })
        .await?;
        let first = first?;
        let encoding = match config.format {
            FileFormat::Payload => Encoding::Lines(Format::Payload),
            FileFormat::Json => Encoding::Lines(Format::Json),
            FileFormat::Csv => Encoding::Table(Table::new(&config, first.as_deref())),
        };
        Ok(Self {
            encoding,
            target: Offload::new(target),
        })
    }

    async fn probe(config: &Self::Config) -> Result<(), ConnectorError> {
        let target = Target::new(config);
        blocking(move || target.probe()).await?
    }
}

#[cfg(test)]
mod tests;
