//! Source `file`: the records of a local file, once or as they come, through rotation and truncation.
//!
//! - [`position`]: what is remembered of a place in a file, so that the file is known again.
//! - [`identity`]: what tells one file from another.
//! - [`succession`]: which file comes next, under whatever name it is by now.
//! - [`window`]: bytes, and whether they are still those that were read.
//! - [`record`]: where records end and how they become payloads.
//! - [`current`]: the file that is being read; [`reader`]: all of it put together.

use std::time::Duration;

use async_trait::async_trait;
use hermod_sdk::{
    Confirms, ConnectorConfig, ConnectorError, Locality, Position, Problems, Read, ReadLimit,
    Repeats, Source, SourceConnector, SourceContext, Spec, Stability,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    file_sink::check_delimiter,
    offload::{Offload, blocking},
};

mod current;
mod identity;
mod position;
mod reader;
mod record;
mod succession;
mod window;

pub use position::FilePosition;
use reader::{Reader, Step};
use succession::Place;

/// Configuration of the source `file`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSourceConfig {
    /// Path of the file on the node that runs the workflow, or of a directory if there is a `pattern`.
    #[schemars(length(min = 1), example = &"/var/log/shop/orders.ndjson")]
    pub local_path: String,
    /// Which files of the directory are read, in the order of their names: `*` stands for any characters,
    /// `?` for one. A file is left for good once a later one is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"orders-*.ndjson")]
    pub pattern: Option<String>,
    /// What a record is.
    #[serde(default)]
    pub format: RecordFormat,
    /// Whether the source ends with the file or waits for more.
    #[serde(default)]
    pub mode: ReadMode,
    /// CSV: the one character between fields.
    #[serde(default = "default_delimiter")]
    #[schemars(length(min = 1, max = 1), extend("x-group" = "CSV"))]
    pub delimiter: String,
    /// CSV: whether each file begins with a record of column names.
    #[serde(default = "default_has_header")]
    #[schemars(extend("x-group" = "CSV"))]
    pub has_header: bool,
    /// CSV: names of the columns of files without a header; without them they are `column_1`, `column_2`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1)), extend("x-group" = "CSV"))]
    pub columns: Vec<String>,
    /// CSV: whether a field of no characters is null. An empty text in quotes stays an empty text.
    #[serde(default)]
    #[schemars(extend("x-group" = "CSV"))]
    pub null_if_empty: bool,
    /// NDJSON and CSV: dotted path of the field that becomes the ordering key. A record without it has no
    /// key, and its order is kept over the whole stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_field: Option<String>,
    /// Longest record that is read.
    #[serde(default = "default_line_bytes_max")]
    #[schemars(range(min = 1, max = 16_777_216), extend("x-unit" = "bytes", "x-advanced" = true))]
    pub line_bytes_max: usize,
    /// What happens to a longer record.
    #[serde(default)]
    #[schemars(extend("x-advanced" = true))]
    pub oversized: Oversized,
    /// Longest wait between two looks at a file that has nothing new. After new records the looks are close
    /// together at first.
    #[serde(default = "default_poll_interval_ms")]
    #[schemars(range(min = 1, max = 3_600_000), extend("x-unit" = "ms", "x-advanced" = true))]
    pub poll_interval_ms: u64,
    /// How long a file that was replaced by another must have had nothing new before it is left: programs
    /// go on writing to the old file for a moment after a rotation.
    #[serde(default = "default_rotate_wait_ms")]
    #[schemars(range(max = 3_600_000), extend("x-unit" = "ms", "x-advanced" = true))]
    pub rotate_wait_ms: u64,
}

fn default_delimiter() -> String {
    ",".to_owned()
}

fn default_has_header() -> bool {
    true
}

fn default_line_bytes_max() -> usize {
    1 << 20
}

fn default_poll_interval_ms() -> u64 {
    250
}

fn default_rotate_wait_ms() -> u64 {
    2000
}

/// What a record of a file is. A byte order mark at the beginning belongs to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordFormat {
    /// A line of JSON. A line that is not JSON is delivered as it is, blank lines are skipped.
    #[default]
    Ndjson,
    /// A CSV record; the payload is a JSON object of texts. A row with fewer fields lacks the last ones, the
    /// surplus of a row with more stands under `column_N`; both say so in the metadata
    /// (`csv_fields_expected`, `csv_fields_found`). A field that is not UTF-8 stands as `NAME_base64`.
    Csv,
    /// A line as it is, without its line break (LF or CRLF); blank lines are records too.
    Raw,
}

/// Whether a source ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadMode {
    /// Waits for new records and goes through rotations. A last line without a line break is incomplete and
    /// waited for.
    #[default]
    Follow,
    /// Ends at the end of the file, or of the last file that fits the pattern. A last line without a line
    /// break counts.
    Once,
}

/// What happens to a record that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oversized {
    /// The workflow stops before it, with an error that names file and offset.
    #[default]
    Stop,
    /// It is left out, with a warning in the log that names file and offset.
    Skip,
}

impl FileSourceConfig {
    /// Makes a configuration with defaults for all but the path.
    pub fn new(local_path: impl Into<String>) -> Self {
        Self {
            local_path: local_path.into(),
            pattern: None,
            format: RecordFormat::default(),
            mode: ReadMode::default(),
            delimiter: default_delimiter(),
            has_header: default_has_header(),
            columns: Vec::new(),
            null_if_empty: false,
            key_field: None,
            line_bytes_max: default_line_bytes_max(),
            oversized: Oversized::default(),
            poll_interval_ms: default_poll_interval_ms(),
            rotate_wait_ms: default_rotate_wait_ms(),
        }
    }

    /// The delimiter as the byte that `check` made sure of.
    fn delimiter_byte(&self) -> u8 {
        self.delimiter.bytes().next().unwrap_or(b',')
    }
}

impl ConnectorConfig for FileSourceConfig {
    fn check(&self, problems: &mut Problems) {
        if self.local_path.contains('\0') {
            problems.add("/local_path", "is not the path of a file");
        }
        if self.pattern.is_none() && self.local_path.ends_with('/') {
            problems.add(
                "/local_path",
                "is a directory; say in `pattern` which of its files to read",
            );
        }
        if self.pattern.as_ref().is_some_and(|text| text.contains('/')) {
            problems.add("/pattern", "is about names in one directory, without `/`");
        }
        check_delimiter(&self.delimiter, problems);
        if !self.columns.is_empty() && (self.has_header || self.format != RecordFormat::Csv) {
            problems.add(
                "/columns",
                "has an effect with `format: csv` and `has_header: false` only",
            );
        }
        if self.key_field.is_some() && self.format == RecordFormat::Raw {
            problems.add("/key_field", "has no effect with `format: raw`");
        }
        for (index, name) in self.columns.iter().enumerate() {
            if self.columns[..index].contains(name) {
                problems.add(format!("/columns/{index}"), format!("repeats `{name}`"));
            }
        }
    }

    fn example() -> Value {
        json!({"local_path": "/var/log/shop/orders.ndjson", "format": "ndjson", "mode": "follow"})
    }
}

/// Shortest wait between two looks at a file that has nothing new.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(5);

/// Reads the records of a file, or of files one after another.
///
/// Each message carries its position. Its id is made of the file's identity, the record's offset and
/// its content, and is the same whenever the record is read again. `table` is the file's name.
///
/// A file that was renamed is read to its end and its successor after it; so is a file that was copied and
/// emptied. A file that was emptied, or is gone before its end, is reported in the log. What cannot be told
/// apart: a file that was emptied and written anew with the very bytes that were read of it before.
pub struct FileSource {
    reader: Offload<Reader, Result<Step, ConnectorError>>,
    wait: Duration,
    wait_max: Duration,
}

#[async_trait]
impl Source for FileSource {
    /// # Cancel safety
    /// A look at the file that a dropped future left behind is finished by the next read.
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError> {
        loop {
            let step = self.reader.resume_or(move |reader| reader.next(limit));
            match step.await?? {
                Step::Batch(batch) => {
                    self.wait = POLL_INTERVAL_MIN.min(self.wait_max);
                    return Ok(Read::Batch(batch));
                }
                Step::End => return Ok(Read::End),
                Step::Wait => {
                    tokio::time::sleep(self.wait).await;
                    self.wait = (self.wait * 2).min(self.wait_max);
                }
            }
        }
    }

    async fn acknowledge(&mut self, _position: &Position) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl SourceConnector for FileSource {
    const SPEC: Spec = Spec {
        kind: "file",
        title: "File",
        summary: "Reads lines, NDJSON or CSV from local files, once or as they grow and rotate.",
        stability: Stability::Stable,
        locality: Locality::Node,
        confirms: Confirms::Durable,
        repeats: Repeats::AtLeastOnce,
        rereadable: true,
        partial: false,
    };
    type Config = FileSourceConfig;
    type At = FilePosition;

    async fn open(
        config: Self::Config,
        position: Option<Position>,
        cx: SourceContext,
    ) -> Result<Self, ConnectorError> {
        let position = match position {
            Some(position) => Some(position.decode::<FilePosition>()?),
            None => None,
        };
        let wait_max = Duration::from_millis(config.poll_interval_ms.max(1));
        Ok(Self {
            reader: Offload::new(Reader::new(config, position, cx.generation)),
            wait: POLL_INTERVAL_MIN.min(wait_max),
            wait_max,
        })
    }

    async fn probe(config: &Self::Config) -> Result<(), ConnectorError> {
        let place = Place::new(config);
        blocking(move || place.probe()).await?
    }
}

#[cfg(test)]
mod tests;
