//! Sources that Hermod reads.

use async_trait::async_trait;

use crate::{ConnectorConfig, ConnectorError, Message, Position, Spec, Text};

/// How much one read may return at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most messages, at least 1.
    pub messages: usize,
    /// Most bytes over all messages; one message may exceed it alone.
    pub bytes: usize,
}

/// Messages, and where the source stands after the last of them.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceBatch {
    /// At least one message, in the source's order.
    pub messages: Vec<Message>,
    /// Where to go on after the last message.
    pub position: Position,
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// At least one message.
    Batch(SourceBatch),
    /// The source has come to its end and will never have more.
    End,
}

/// An open source that can be read again from a position.
#[async_trait]
pub trait Source: Send {
    /// Waits for at least one message and returns what is there, up to the limit.
    ///
    /// # Errors
    /// A [`ConnectorError`] of a kind with policy `Pause` makes the engine reopen the source at the last
    /// position that it stored; `Corrupt`, `Fenced` and `Internal` stop the workflow.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message: the next read returns it.
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError>;

    /// Tells the source that everything up to `position` is safe at the workflow's level (I1).
    ///
    /// The position is contiguous: nothing after it is implied.
    async fn acknowledge(&mut self, position: &Position) -> Result<(), ConnectorError>;

    /// Releases what the source holds.
    async fn close(&mut self) -> Result<(), ConnectorError>;
}

/// What a source learns on open.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// Id of the workflow.
    pub workflow: Text,
    /// Id of the source.
    pub source: Text,
    /// Generation for the positions that this opening makes.
    pub generation: u64,
}

/// A kind of source: what is registered in the list of sources.
#[async_trait]
pub trait SourceConnector: Source + Sized + 'static {
    /// Its self-description.
    const SPEC: Spec;
    /// Its configuration.
    type Config: ConnectorConfig;
    /// Its typed position.
    type At: crate::TypedPosition;

    /// Opens the source after `position`, or at its configured beginning.
    async fn open(
        config: Self::Config,
        position: Option<Position>,
        cx: SourceContext,
    ) -> Result<Self, ConnectorError>;

    /// Tests the connection without reading data.
    async fn probe(config: &Self::Config) -> Result<(), ConnectorError>;
}
