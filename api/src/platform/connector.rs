//! Kinds of sources and sinks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// They come in.
    Source,
    /// They go out.
    Sink,
}

/// A kind of source or sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connector {
    /// Source or sink.
    pub direction: Direction,
    /// What stands as `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name for people.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// How much it is to be trusted.
    pub stability: String,
    /// JSON Schema of `config`; secrets have `writeOnly`.
    pub schema: Value,
    /// A configuration that works.
    pub example: Value,
    /// What it promises: `confirms`, `repeats`, `rereadable` and such.
    pub promises: Value,
}

/// What came of trying a source or sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Whether it works.
    pub ok: bool,
    /// The step that failed, or what was tried.
    pub step: String,
    /// Why it failed. It quotes no secret (I10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long it took.
    pub took_ms: u64,
}
