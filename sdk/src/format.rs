//! How sinks put a message into text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

use crate::{Message, Operation};

/// What a sink writes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The payload as it came.
    #[default]
    Payload,
    /// The whole message as one JSON object.
    Json,
}

/// A message cannot be put into the format; it is `Rejected`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The payload has line breaks and is not JSON, so it cannot stand on one line.
    #[error(
        "payload has a line break and is not JSON, so it cannot be written as one line; use `format: json`"
    )]
    NotOneLine,
}

impl Format {
    /// Returns the message as one line without its line break.
    ///
    /// # Errors
    /// [`FormatError::NotOneLine`] for a payload that cannot stand on one line.
    pub fn line(self, message: &Message) -> Result<Bytes, FormatError> {
        match self {
            Self::Payload => {
                let bytes = message.payload.bytes();
                if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                    compact(&bytes)
                        .map(Bytes::from)
                        .ok_or(FormatError::NotOneLine)
                } else {
                    Ok(bytes)
                }
            }
            Self::Json => Ok(Bytes::from(document(message))),
        }
    }

    /// Returns the message as a body of its own, line breaks allowed.
    pub fn body(self, message: &Message) -> Bytes {
        match self {
            Self::Payload => message.payload.bytes(),
            Self::Json => Bytes::from(document(message)),
        }
    }
}

/// Returns JSON text without white space between tokens; number text, key order and duplicate keys stay.
fn compact(text: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<&RawValue>(text).ok()?;
    let mut out = Vec::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
    Some(out)
}

/// The whole message as a JSON object on one line. Bytes that are JSON stand under their name, other text
/// under `NAME_text`, other bytes under `NAME_base64`.
fn document(message: &Message) -> Vec<u8> {
    let text = serde_json::to_vec(&Document(message)).unwrap_or_default();
    compact(&text).unwrap_or(text)
}

struct Document<'a>(&'a Message);

impl Serialize for Document<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*message.id)?;
        if message.operation != Operation::Event {
            map.serialize_entry("operation", message.operation.name())?;
        }
        for (name, text) in [
            ("database", &message.database),
            ("schema", &message.schema),
            ("table", &message.table),
        ] {
            if !text.is_empty() {
                map.serialize_entry(name, &**text)?;
            }
        }
        if let Some(key) = &message.key {
            match std::str::from_utf8(key) {
                Ok(text) => map.serialize_entry("key", text)?,
                Err(_) => map.serialize_entry("key_base64", &STANDARD.encode(key))?,
            }
        }
        if let Some(before) = &message.before {
            bytes_entry(&mut map, "before", before)?;
        }
        bytes_entry(&mut map, "payload", &message.payload.bytes())?;
        if !message.metadata.is_empty() {
            let pairs: serde_json::Map<_, _> = message
                .metadata
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string().into()))
                .collect();
            map.serialize_entry("metadata", &pairs)?;
        }
        if let Some(time) = message.event_time_ms {
            map.serialize_entry("event_time_ms", &time)?;
        }
        map.serialize_entry("ingest_time_ms", &message.ingest_time_ms)?;
        map.end()
    }
}

fn bytes_entry<M: SerializeMap>(map: &mut M, name: &str, bytes: &[u8]) -> Result<(), M::Error> {
    if let Ok(json) = serde_json::from_slice::<&RawValue>(bytes) {
        return map.serialize_entry(name, json);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => map.serialize_entry(&format!("{name}_text"), text),
        Err(_) => map.serialize_entry(&format!("{name}_base64"), &STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_several_lines_becomes_compact_json_with_numbers_unchanged() {
        let message = Message::new(
            "1",
            "{\n \"b\": 1E400,\r\n \"a\": \"x \\\" \\\\\", \"b\": 0.10 }",
        );
        let line = Format::Payload.line(&message).unwrap();
        assert_eq!(line, r#"{"b":1E400,"a":"x \" \\","b":0.10}"#);
    }

    #[test]
    fn text_of_several_lines_is_refused_as_payload_and_quoted_as_json() {
        let message = Message::new("1", "one\ntwo");
        assert_eq!(Format::Payload.line(&message), Err(FormatError::NotOneLine));
        let line = Format::Json.line(&message).unwrap();
        assert_eq!(
            line,
            r#"{"id":"1","payload_text":"one\ntwo","ingest_time_ms":0}"#
        );
    }

    #[test]
    fn binary_stands_as_base64() {
        let message = Message::new("1", vec![0xff, 0x00]);
        let line = Format::Json.line(&message).unwrap();
        assert_eq!(
            line,
            r#"{"id":"1","payload_base64":"/wA=","ingest_time_ms":0}"#
        );
    }
}
