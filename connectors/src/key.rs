//! The key by which order is kept, taken from a field.

use bytes::Bytes;
use hermod_sdk::{Payload, get_path};
use serde_json::Value;

/// Returns the value at a dotted path of a JSON payload: a text as it is, anything else as JSON. There is no
/// key where there is no such field, where it is null, and where the payload is not JSON.
pub(crate) fn ordering_key(payload: &mut Payload, path: &str) -> Option<Bytes> {
    match get_path(payload.value().ok()?, path)? {
        Value::Null => None,
        Value::String(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        other => Some(Bytes::from(other.to_string())),
    }
}
