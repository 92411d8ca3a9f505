//! Messages as rows of COPY's text format.

use std::ops::Range;

use bytes::Bytes;
use hermod_sdk::{Format, Message, Operation, Payload, Record, get_path};
use serde_json::{Value, value::RawValue};

use super::{
    PostgresOperationMode,
    target::{Column, Field, Kind, Target},
};

/// Rows for COPY, one after the other.
pub(super) struct Rows {
    text: Bytes,
    /// Where each row ends.
    ends: Vec<usize>,
    /// Whether one of them is a delete.
    pub(super) has_delete: bool,
}

impl Rows {
    /// Encodes records up to the first that cannot be put into the table; says why that one cannot.
    pub(super) fn encode(
        target: &Target,
        records: &[&Record],
        staged: bool,
    ) -> (Self, Option<String>) {
        let bytes: usize = records
            .iter()
            .map(|record| record.message.payload.size() + 64)
            .sum();
        let mut text = Vec::with_capacity(bytes);
        let mut ends = Vec::with_capacity(records.len());
        let mut has_delete = false;
        let mut refusal = None;
        for (number, record) in records.iter().enumerate() {
            let is_delete = record.message.operation == Operation::Delete;
            if let Err(reason) = encode_row(target, &record.message, is_delete, &mut text) {
                text.truncate(ends.last().copied().unwrap_or(0));
                refusal = Some(reason);
                break;
            }
            if staged {
                text.push(b'\t');
                text.extend_from_slice(number.to_string().as_bytes());
                text.extend_from_slice(if is_delete { b"\tt" } else { b"\tf" });
            }
            text.push(b'\n');
            ends.push(text.len());
            has_delete |= is_delete;
        }
        let rows = Self {
            text: text.into(),
            ends,
            has_delete,
        };
        (rows, refusal)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Drops all rows but the first `count`.
    pub(super) fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
    }

    /// Returns the text of some of the rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> Bytes {
        let end = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.text.slice(end(rows.start)..end(rows.end))
    }
}

fn encode_row(
    target: &Target,
    message: &Message,
    is_delete: bool,
    text: &mut Vec<u8>,
) -> Result<(), String> {
    if is_delete && target.mode != PostgresOperationMode::Auto {
        return Err("the message is a delete, which `operation_mode` does not allow".to_owned());
    }
    let is_mapped = target
        .columns
        .iter()
        .any(|column| matches!(column.field, Field::Path(_)));
    // A deleted row's fields are those that it had before.
    let mut body = match &message.before {
        Some(before) if is_delete && message.payload.size() == 0 => Payload::from(before.clone()),
        _ => message.payload.clone(),
    };
    let fields = if is_mapped {
        body.value().map_err(|error| error.to_string())?
    } else {
        &Value::Null
    };
    for (index, column) in target.columns.iter().enumerate() {
        if index > 0 {
            text.push(b'\t');
        }
        let start = text.len();
        if !is_delete || column.is_key {
            encode_value(column, message, fields, text)?;
        } else {
            text.extend_from_slice(NULL);
        }
        if is_delete && column.is_key && &text[start..] == NULL {
            return Err(format!(
                "the message is a delete without a value for the key `{}`",
                column.name
            ));
        }
    }
    Ok(())
}

const NULL: &[u8] = b"\\N";

fn encode_value(
    column: &Column,
    message: &Message,
    fields: &Value,
    text: &mut Vec<u8>,
) -> Result<(), String> {
    match &column.field {
        Field::Id => encode_text(column, &message.id, text),
        Field::Table => encode_text(column, &message.table, text),
        Field::Operation => encode_text(column, message.operation.name(), text),
        Field::Key => {
            let Some(key) = &message.key else {
                text.extend_from_slice(NULL);
                return Ok(());
            };
            encode_bytes(column, key, text)
        }
        Field::Body(format) => encode_body(column, *format, message, text),
        Field::Path(path) => match get_path(fields, path) {
            None | Some(Value::Null) => {
                text.extend_from_slice(NULL);
                Ok(())
            }
            // A document goes into a JSON column as it is, text included: there it has its quotes.
            Some(value) if column.kind == Kind::Json => {
                escape(value.to_string().as_bytes(), text);
                Ok(())
            }
            Some(Value::String(value)) => encode_bytes(column, value.as_bytes(), text),
            // The number's own text: nothing passes through a float.
            Some(value) => encode_bytes(column, value.to_string().as_bytes(), text),
        },
    }
}

fn encode_body(
    column: &Column,
    format: Format,
    message: &Message,
    text: &mut Vec<u8>,
) -> Result<(), String> {
    let body = format.body(message);
    if column.kind == Kind::Json {
        // Looked at here, so that a batch is not sent in vain. The document is sent as it came: the server keeps
        // its numbers exactly.
        serde_json::from_slice::<&RawValue>(&body).map_err(|_| {
            format!(
                "payload is not JSON, which the column `{}` needs",
                column.name
            )
        })?;
        escape(&body, text);
        return Ok(());
    }
    encode_bytes(column, &body, text)
}

fn encode_text(column: &Column, value: &str, text: &mut Vec<u8>) -> Result<(), String> {
    if column.kind == Kind::Json {
        escape(Value::from(value).to_string().as_bytes(), text);
        return Ok(());
    }
    encode_bytes(column, value.as_bytes(), text)
}

/// Encodes bytes for a column of bytes or of text.
fn encode_bytes(column: &Column, value: &[u8], text: &mut Vec<u8>) -> Result<(), String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match column.kind {
        Kind::Bytes => {
            text.extend_from_slice(b"\\\\x");
            text.reserve(2 * value.len());
            for byte in value {
                text.push(DIGITS[usize::from(byte >> 4)]);
                text.push(DIGITS[usize::from(byte & 15)]);
            }
        }
        Kind::Text | Kind::Json => {
            let name = &column.name;
            if std::str::from_utf8(value).is_err() {
                return Err(format!(
                    "the value for the column `{name}` is not UTF-8; use a column of type `bytea`"
                ));
            }
            if value.contains(&0) {
                return Err(format!(
                    "the value for the column `{name}` has a zero byte; use a column of type `bytea`"
                ));
            }
            escape(value, text);
        }
    }
    Ok(())
}

/// Writes text with the characters escaped that part columns and rows.
///
/// Source: PostgreSQL manual, COPY, "Text Format".
fn escape(value: &[u8], text: &mut Vec<u8>) {
    let mut start = 0;
    for (at, byte) in value.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => continue,
        };
        text.extend_from_slice(&value[start..at]);
        text.extend_from_slice(&[b'\\', letter]);
        start = at + 1;
    }
    text.extend_from_slice(&value[start..]);
}

#[cfg(test)]
mod tests;
