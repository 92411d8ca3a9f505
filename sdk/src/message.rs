//! The unit that moves through a workflow.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Payload, Position, Text};

/// What happened to the thing that a message tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// An event without a change operation, for example a webhook call.
    #[default]
    Event,
    /// A row or document was inserted.
    Create,
    /// A row or document was changed.
    Update,
    /// A row or document was removed.
    Delete,
    /// A row or document as it stood when it was first read.
    Snapshot,
}

impl Operation {
    /// Every operation, in the order of its durable number.
    pub const ALL: [Self; 5] = [
        Self::Event,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Snapshot,
    ];

    /// Returns the operation's name as documents spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Pairs of text beside the payload, in insertion order; a name stands at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(Text, Text)>);

impl Metadata {
    /// Returns the value under `name`.
    pub fn get(&self, name: &str) -> Option<&Text> {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Sets the value under `name`, replacing an earlier one.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some(pair) => pair.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes the value under `name` and returns it.
    pub fn remove(&mut self, name: &str) -> Option<Text> {
        let at = self.0.iter().position(|(key, _)| *key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Walks the pairs in insertion order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Returns whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One message: what a source read, what the log keeps, what a sink writes.
///
/// Cloning is cheap: all text and bytes are shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Stable identity; the idempotency key of sinks unless a workflow names another.
    pub id: Text,
    /// What happened.
    pub operation: Operation,
    /// Database that the message came from, empty where there is none.
    pub database: Text,
    /// Schema (namespace) within the database, empty where there is none.
    pub schema: Text,
    /// Table, collection, topic or path, empty where there is none.
    pub table: Text,
    /// Key by which order is kept; without one, order is kept over the whole stream.
    pub key: Option<Bytes>,
    /// The row or document before the change, as it came.
    pub before: Option<Bytes>,
    /// The payload: the row or document after the change, or the event's body.
    pub payload: Payload,
    /// Text beside the payload. Names that begin with `_hermod_` are the engine's.
    pub metadata: Metadata,
    /// When it happened at the origin, in milliseconds since 1970, if the origin says so.
    pub event_time_ms: Option<i64>,
    /// When Hermod took it in, in milliseconds since 1970; 0 until the engine stamps it.
    pub ingest_time_ms: i64,
    /// Where the source stands after this very message; `None` for push sources, for replayed dead
    /// letters, and for messages in the middle of something that the source can only resume as a whole.
    pub position: Option<Position>,
}

impl Message {
    /// Makes an event with an id and a payload.
    pub fn new(id: impl Into<Text>, payload: impl Into<Payload>) -> Self {
        Self {
            id: id.into(),
            operation: Operation::Event,
            database: Text::new(),
            schema: Text::new(),
            table: Text::new(),
            key: None,
            before: None,
            payload: payload.into(),
            metadata: Metadata::default(),
            event_time_ms: None,
            ingest_time_ms: 0,
            position: None,
        }
    }

    /// Sets the operation.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        self.operation = operation;
        self
    }

    /// Sets the table.
    #[must_use]
    pub fn with_table(mut self, table: impl Into<Text>) -> Self {
        self.table = table.into();
        self
    }

    /// Sets the key by which order is kept.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the position after this message.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Returns about how many bytes the message takes in memory and on disk.
    pub fn size(&self) -> usize {
        let metadata: usize = self
            .metadata
            .iter()
            .map(|(n, v)| n.len() + v.len() + 8)
            .sum();
        96 + self.id.len()
            + self.database.len()
            + self.schema.len()
            + self.table.len()
            + self.key.as_ref().map_or(0, Bytes::len)
            + self.before.as_ref().map_or(0, Bytes::len)
            + self.payload.size()
            + metadata
    }
}
