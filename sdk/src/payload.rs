//! Payload bytes that stay bytes until somebody needs fields.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::lossless;

/// A message's payload: the bytes as they came, the JSON value read from them, or both.
///
/// The bytes are parsed at most once, losslessly (numbers keep their text and objects the order of their keys), and
/// are given out unchanged as long as nobody changes a field.
#[derive(Clone, Debug)]
pub struct Payload {
    // At least one of the two is present.
    bytes: Option<Bytes>,
    value: Option<Arc<Value>>,
}

/// The payload was needed as JSON and is not.
#[derive(Debug, thiserror::Error)]
#[error("payload is not JSON (line {}, column {})", .0.line(), .0.column())]
pub struct NotJson(#[source] pub serde_json::Error);

/// The payload cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChangeable {
    /// It is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// A key stands twice in one object, or has a name that cannot be kept: one of the values would be lost.
    #[error(
        "payload's key `{pointer}` stands twice in its object or cannot be kept, so no field can be changed"
    )]
    KeyTwice {
        /// JSON pointer to the key.
        pointer: String,
    },
}

impl Payload {
    /// Returns the payload's bytes: those that came, or compact JSON once a field was changed.
    pub fn bytes(&self) -> Bytes {
        match (&self.bytes, &self.value) {
            (Some(bytes), _) => bytes.clone(),
            (None, Some(value)) => Bytes::from(value.to_string()),
            (None, None) => Bytes::new(),
        }
    }

    /// Returns the payload as a JSON value, parsing it on first use.
    ///
    /// # Errors
    /// [`NotJson`] if the bytes are not one JSON document.
    pub fn value(&mut self) -> Result<&Value, NotJson> {
        self.shared_value().map(|value| &**value)
    }

    /// Returns the payload as a JSON value that can be changed; the bytes are made anew from it later.
    ///
    /// # Errors
    /// [`NotChangeable`] if the bytes are not one JSON document, or one that a value cannot hold whole.
    pub fn value_mut(&mut self) -> Result<&mut Value, NotChangeable> {
        let value = self.shared_value()?.clone();
        if let Some(bytes) = &self.bytes
            && let Some(pointer) = lossless::key_twice(bytes, &value)
        {
            return Err(NotChangeable::KeyTwice { pointer });
        }
        drop(value);
        self.bytes = None;
        Ok(Arc::make_mut(
            self.value.get_or_insert_with(|| Arc::new(Value::Null)),
        ))
    }

    /// Returns about how many bytes the payload takes.
    pub fn size(&self) -> usize {
        match (&self.bytes, &self.value) {
            (Some(bytes), _) => bytes.len(),
            (None, Some(value)) => estimate(value),
            (None, None) => 0,
        }
    }

    fn shared_value(&mut self) -> Result<&Arc<Value>, NotJson> {
        if self.value.is_none() {
            let bytes = self.bytes.as_deref().unwrap_or_default();
            self.value = Some(Arc::new(lossless::parse_json(bytes).map_err(NotJson)?));
        }
        Ok(self.value.get_or_insert_with(|| Arc::new(Value::Null)))
    }
}

fn estimate(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| estimate(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields
                .iter()
                .map(|(name, item)| name.len() + 4 + estimate(item))
                .sum::<usize>()
        }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes: Some(bytes),
            value: None,
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self {
            bytes: None,
            value: Some(Arc::new(value)),
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_key_order_survive_a_change_of_another_field() {
        let mut payload = Payload::from(
            r#"{"z": 9007199254740993, "a": 0.10, "big": 123456789012345678901234567890, "e": 1E400}"#,
        );
        payload.value_mut().unwrap()["new"] = Value::Bool(true);
        assert_eq!(
            payload.bytes(),
            r#"{"z":9007199254740993,"a":0.10,"big":123456789012345678901234567890,"e":1E400,"new":true}"#
        );
    }

    #[test]
    fn a_key_that_stands_twice_can_be_read_but_not_changed() {
        let text = r#"{"a":1,"b":{"c":1,"c":2}}"#;
        let mut payload = Payload::from(text);
        assert_eq!(payload.value().unwrap()["b"]["c"], 2);
        let error = payload.value_mut().unwrap_err();
        assert!(error.to_string().contains("`/b/c`"), "{error}");
        assert_eq!(payload.bytes(), text);
    }

    #[test]
    fn reading_fields_leaves_the_bytes_as_they_came() {
        let text = "{ \"a\" :\t1.0 }";
        let mut payload = Payload::from(text);
        assert_eq!(payload.value().unwrap()["a"].to_string(), "1.0");
        assert_eq!(payload.bytes(), text);
    }

    #[test]
    fn binary_stays_binary_and_is_not_json() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut payload = Payload::from(bytes.clone());
        assert!(payload.value().is_err());
        assert_eq!(payload.bytes(), bytes);
    }
}
