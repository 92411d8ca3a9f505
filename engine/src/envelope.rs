//! The durable form of a message in a buffer stream, format 1.
//!
//! All numbers are little endian; *bytes* is a length (u32) and that many bytes; *text* is bytes in UTF-8.
//!
//! | field | type | note |
//! |---|---|---|
//! | format | u8 | 1 |
//! | operation | u8 | 0 event, 1 create, 2 update, 3 delete, 4 snapshot |
//! | flags | u8 | 1 key, 2 before, 4 event time, 8 position, 16 target |
//! | ingest time | i64 | milliseconds since 1970 |
//! | event time | i64 | only with flag 4 |
//! | id, database, schema, table | text each | empty where there is none |
//! | key | bytes | only with flag 1 |
//! | before | bytes | only with flag 2 |
//! | payload | bytes | as it came |
//! | metadata | u16 count, then name and value as text each | |
//! | position | bytes | only with flag 8: generation (u64), then the source's JSON |
//! | target | u8 kind, u16 count, text each | only with flag 16: 1 straight to the sinks, 2 through the graph for the sinks |
//!
//! The log's record checksum covers all of it. `docs/formats/envelope.md` is the page for people; golden
//! files stand under `engine/testdata/envelope/` and never change.

use bytes::Bytes;
use hermod_sdk::{Message, Metadata, Operation, Position, Text};

use crate::wire::{Fields, WireError, put_bytes};

const FORMAT: u8 = 1;
const HAS_KEY: u8 = 1;
const HAS_BEFORE: u8 = 2;
const HAS_EVENT_TIME: u8 = 4;
const HAS_POSITION: u8 = 8;
const HAS_TARGET: u8 = 16;

/// Where a replayed message goes; ordinary messages have none and go everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Straight to these sinks: the message is as the sink had it.
    Sinks(Vec<Text>),
    /// Through the graph, for these sinks only: the message is as it entered the graph.
    Graph(Vec<Text>),
}

/// A message with its target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Envelope {
    pub(crate) message: Message,
    pub(crate) target: Option<Target>,
}

/// Appends the durable form of a message.
pub(crate) fn encode(message: &Message, target: Option<&Target>, out: &mut Vec<u8>) {
    let flag = |present: bool, bit: u8| if present { bit } else { 0 };
    out.push(FORMAT);
    out.push(operation_number(message.operation));
    out.push(
        flag(message.key.is_some(), HAS_KEY)
            | flag(message.before.is_some(), HAS_BEFORE)
            | flag(message.event_time_ms.is_some(), HAS_EVENT_TIME)
            | flag(message.position.is_some(), HAS_POSITION)
            | flag(target.is_some(), HAS_TARGET),
    );
    out.extend_from_slice(&message.ingest_time_ms.to_le_bytes());
    if let Some(time) = message.event_time_ms {
        out.extend_from_slice(&time.to_le_bytes());
    }
    for text in [
        &message.id,
        &message.database,
        &message.schema,
        &message.table,
    ] {
        put_bytes(out, text.as_bytes());
    }
    for bytes in [&message.key, &message.before].into_iter().flatten() {
        put_bytes(out, bytes);
    }
    put_bytes(out, &message.payload.bytes());
    out.extend_from_slice(&(message.metadata.iter().len() as u16).to_le_bytes());
    for (name, value) in message.metadata.iter() {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    if let Some(position) = &message.position {
        put_bytes(out, &position.to_bytes());
    }
    if let Some(target) = target {
        encode_target(target, out);
    }
}

fn encode_target(target: &Target, out: &mut Vec<u8>) {
    let (kind, sinks) = match target {
        Target::Sinks(sinks) => (1u8, sinks),
        Target::Graph(sinks) => (2u8, sinks),
    };
    out.push(kind);
    out.extend_from_slice(&(sinks.len() as u16).to_le_bytes());
    for sink in sinks {
        put_bytes(out, sink.as_bytes());
    }
}

/// Reads the durable form of a message; text and bytes are shared with `bytes`.
pub(crate) fn decode(bytes: &Bytes) -> Result<Envelope, WireError> {
    let mut fields = Fields::new(bytes);
    let format = fields.u8()?;
    if format == 0 || format > FORMAT {
        return Err(WireError::Newer {
            what: "message",
            found: format,
            supported: FORMAT,
        });
    }
    let operation = operation_of(fields.u8()?, fields.at())?;
    let flags = fields.u8()?;
    let ingest_time_ms = fields.i64()?;
    let event_time_ms = if flags & HAS_EVENT_TIME == 0 {
        None
    } else {
        Some(fields.i64()?)
    };
    let (id, database) = (fields.text()?, fields.text()?);
    let (schema, table) = (fields.text()?, fields.text()?);
    let key = if flags & HAS_KEY == 0 {
        None
    } else {
        Some(fields.bytes()?)
    };
    let before = if flags & HAS_BEFORE == 0 {
        None
    } else {
        Some(fields.bytes()?)
    };
    let payload = fields.bytes()?.into();
    let mut metadata = Metadata::default();
    for _ in 0..fields.u16()? {
        let name = fields.text()?;
        metadata.set(name, fields.text()?);
    }
    let position = if flags & HAS_POSITION == 0 {
        None
    } else {
        let at = fields.at();
        let position = Position::from_bytes(&fields.bytes()?);
        Some(position.map_err(|_| WireError::Short { at })?)
    };
    let target = if flags & HAS_TARGET == 0 {
        None
    } else {
        Some(decode_target(&mut fields)?)
    };
    fields.end()?;
    let message = Message {
        id,
        operation,
        database,
        schema,
        table,
        key,
        before,
        payload,
        metadata,
        event_time_ms,
        ingest_time_ms,
        position,
    };
    Ok(Envelope { message, target })
}

fn decode_target(fields: &mut Fields<'_>) -> Result<Target, WireError> {
    let at = fields.at();
    let kind = fields.u8()?;
    let count = fields.u16()?;
    let sinks = (0..count)
        .map(|_| fields.text())
        .collect::<Result<Vec<_>, _>>()?;
    match kind {
        1 => Ok(Target::Sinks(sinks)),
        2 => Ok(Target::Graph(sinks)),
        other => Err(WireError::Unknown {
            what: "target",
            value: u64::from(other),
            at,
        }),
    }
}

fn operation_number(operation: Operation) -> u8 {
    match operation {
        Operation::Event => 0,
        Operation::Create => 1,
        Operation::Update => 2,
        Operation::Delete => 3,
        Operation::Snapshot => 4,
    }
}

fn operation_of(number: u8, at: usize) -> Result<Operation, WireError> {
    Operation::ALL
        .into_iter()
        .find(|operation| operation_number(*operation) == number)
        .ok_or(WireError::Unknown {
            what: "operation",
            value: u64::from(number),
            at,
        })
}

#[cfg(test)]
mod tests;
