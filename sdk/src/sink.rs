//! Sinks that Hermod writes.

use std::time::Duration;

use async_trait::async_trait;

use crate::{ConnectorConfig, ConnectorError, Message, Position, Spec, Text};

/// One message with its number in the stream that it is delivered from.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Sequence number in the buffer's stream; grows, with gaps where messages were filtered.
    pub seq: u64,
    /// The message as the workflow's path to this sink made it.
    pub message: Message,
}

/// What makes a batch recognisable when it is written again, and its owner when it is stale.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Name of the buffer that numbers the messages; new for each node and each fresh buffer.
    pub stream: Text,
    /// Epoch of the lease under which the batch is written (I5).
    pub epoch: u64,
    /// First sequence number that the batch stands for.
    pub first: u64,
    /// Last sequence number that the batch stands for; numbers without a record were filtered on purpose.
    pub last: u64,
    /// Source position after the last sequence number, where the source is re-readable.
    pub position: Option<Position>,
}

/// Messages for one sink, in log order, never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The messages, in log order.
    pub records: Vec<Record>,
    /// The batch's token.
    pub token: Token,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink confirms it at its declared level.
    Written,
    /// The sink refuses this message and will go on refusing it.
    Rejected {
        /// Why, as the other side says it; no payload.
        reason: String,
    },
    /// Not written, and worth another try.
    Retry {
        /// Why, as the other side says it; no payload.
        reason: String,
        /// How long the other side asks to wait.
        after: Option<Duration>,
    },
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it is written.
    All,
    /// One outcome for each record, in order.
    Each(Vec<Outcome>),
}

/// What a transactional sink already holds of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// Name of the buffer.
    pub stream: Text,
    /// Epoch under which it was last written.
    pub epoch: u64,
    /// Last sequence number that is covered.
    pub last: u64,
    /// Source position that is covered.
    pub position: Option<Position>,
}

/// An open sink.
#[async_trait]
pub trait Sink: Send {
    /// Writes a batch and says what became of each message (I3).
    ///
    /// # Errors
    /// A [`ConnectorError`] speaks of the batch as a whole: nothing of it is known to be written.
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError>;

    /// Returns once everything written so far holds at the declared level.
    async fn flush(&mut self) -> Result<(), ConnectorError>;

    /// Flushes and releases what the sink holds.
    async fn close(&mut self) -> Result<(), ConnectorError>;

    /// Returns what the target already holds, read on open; empty unless the sink is transactional.
    fn committed(&self) -> &[Committed] {
        &[]
    }
}

/// The right under which a sink is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// The workflow's owner: raises all of the sink's rows, and stops when it is refused.
    Owner,
    /// A returned node that drains what was stranded on it: raises its own stream's row only.
    Drain,
}

/// What a sink learns on open.
#[derive(Clone, Debug)]
pub struct SinkContext {
    /// Id of the workflow.
    pub workflow: Text,
    /// Id of the sink.
    pub sink: Text,
    /// Name of the buffer that will be delivered.
    pub stream: Text,
    /// Epoch of the lease.
    pub epoch: u64,
    /// The right under which the sink is opened.
    pub tenure: Tenure,
}

/// A kind of sink: what is registered in the list of sinks.
#[async_trait]
pub trait SinkConnector: Sink + Sized + 'static {
    /// Its self-description.
    const SPEC: Spec;
    /// Its configuration.
    type Config: ConnectorConfig;

    /// Opens the sink.
    async fn open(config: Self::Config, cx: SinkContext) -> Result<Self, ConnectorError>;

    /// Tests the connection without writing data.
    async fn probe(config: &Self::Config) -> Result<(), ConnectorError>;

    /// Returns what a repeat does under this configuration, at most what the spec says.
    fn repeats(_config: &Self::Config) -> crate::Repeats {
        Self::SPEC.repeats
    }

    /// Returns whether, under this configuration, a later message of a batch may be taken while an earlier one
    /// is refused for now; see [`crate::Spec::partial`].
    fn partial(_config: &Self::Config) -> bool {
        Self::SPEC.partial
    }
}
