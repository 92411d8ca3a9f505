//! The document of a workflow: `{workflow, sources, sinks}`, checked as a whole and turned into a plan.
//!
//! Every mistake is reported at once with its JSON pointer. Keys of the original without effect on data are
//! kept and warned about; keys whose effect is not built yet are refused; all others are errors.

mod check;
mod connector;
mod delivery;
mod graph;
mod keys;
mod notes;
mod report;
mod section;
mod spelling;
mod workflow;

use std::{sync::Arc, time::Duration};

use hermod_sdk::{Problem, SinkEntry, SinkFactory, SourceEntry, SourceOpener, Text};
use serde::{Deserialize, Serialize};

pub use check::check;
pub use graph::{EdgeDocument, GraphDocument, NodeDocument};
pub(crate) use keys::Keys;
pub(crate) use report::Report;
pub(crate) use section::{Section, escape};
pub use spelling::nearest;

/// The connectors that a document may name.
#[derive(Clone, Copy)]
pub struct Catalog {
    /// Kinds of sources.
    pub sources: &'static [SourceEntry],
    /// Kinds of sinks.
    pub sinks: &'static [SinkEntry],
}

/// A valid document.
pub struct Checked {
    /// What is to run.
    pub plan: WorkflowPlan,
    /// What people should know.
    pub warnings: Vec<Problem>,
}

/// When a source hears that a message is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every sink has confirmed it, or it is a dead letter on disk.
    Delivered,
    /// It is on this node's disk.
    Durable,
}

impl Level {
    /// Returns the name that documents give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Durable => "durable",
        }
    }
}

/// Where messages wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferPlan {
    /// In memory; offers only level `delivered`.
    Ring {
        /// Most messages.
        messages: usize,
        /// Most bytes.
        bytes: usize,
    },
    /// In a stream of the data log.
    File,
}

/// A checked workflow, ready to run.
#[derive(Clone)]
pub struct WorkflowPlan {
    /// Id of the workflow; names its streams in the data log.
    pub id: Text,
    /// Name for people.
    pub name: Text,
    /// Whether a node starts it by itself.
    pub active: bool,
    /// When the source hears that a message is safe.
    pub acknowledge: Level,
    /// Where messages wait.
    pub buffer: BufferPlan,
    /// Where messages come from.
    pub source: SourcePlan,
    /// Where messages go.
    pub sinks: Vec<SinkPlan>,
    /// The way between.
    pub graph: GraphDocument,
}

/// A checked source.
#[derive(Clone)]
pub struct SourcePlan {
    /// Id of the source.
    pub id: Text,
    /// Id of its node in the graph.
    pub node: Text,
    /// Kind of the source.
    pub kind: &'static str,
    /// Opens it.
    pub opener: SourceOpener,
    /// Whether it can be read again from a position.
    pub rereadable: bool,
}

/// A checked sink.
#[derive(Clone)]
pub struct SinkPlan {
    /// Id of the sink.
    pub id: Text,
    /// Kind of the sink.
    pub kind: &'static str,
    /// Opens it.
    pub factory: Arc<dyn SinkFactory>,
    /// How it is written to.
    pub delivery: DeliveryPlan,
}

/// How a sink is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPlan {
    /// Size of batches.
    pub batch: BatchPlan,
    /// Repeats of failed writes.
    pub retry: RetryPlan,
    /// What an outage of the sink means.
    pub on_outage: OnOutage,
    /// What happens when the sink is slower than the others.
    pub on_slow_sink: OnSlowSink,
    /// Whether order is kept where the sink's answers are partial.
    pub ordered: bool,
}

/// Size of batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// Most messages.
    pub messages: usize,
    /// Most bytes; one message may exceed it alone.
    pub bytes: usize,
    /// Longest wait for a batch to fill, in milliseconds; 0 takes what is there.
    pub wait_ms: u64,
}

/// Repeats of failed writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPlan {
    /// How often a refused message is tried again before it becomes a dead letter.
    pub max_retries: u32,
    /// First wait, in milliseconds; doubles each time.
    pub interval_ms: u64,
    /// Longest wait, in milliseconds.
    pub interval_ms_max: u64,
}

/// What an outage of a sink means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOutage {
    /// Messages wait in the buffer for as long as it takes.
    Wait,
    /// Messages become dead letters after `max_retries`.
    DeadLetter,
}

/// What happens when a sink is slower than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSlowSink {
    /// It catches up from the log at its own pace.
    Lag,
    /// The others wait for it.
    Block,
}

impl Default for DeliveryPlan {
    fn default() -> Self {
        Self {
            batch: BatchPlan {
                messages: 500,
                bytes: 1 << 20,
                wait_ms: 0,
            },
            retry: RetryPlan {
                max_retries: 3,
                interval_ms: 100,
                interval_ms_max: 30_000,
            },
            on_outage: OnOutage::Wait,
            on_slow_sink: OnSlowSink::Lag,
            ordered: true,
        }
    }
}

impl BufferPlan {
    /// The ring that a document gets without limits of its own.
    pub const RING: Self = Self::Ring {
        messages: 1024,
        bytes: 64 << 20,
    };
}

impl RetryPlan {
    /// Returns the first wait.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Returns the longest wait.
    pub fn interval_max(&self) -> Duration {
        Duration::from_millis(self.interval_ms_max)
    }
}

#[cfg(test)]
mod tests;
