//! Batches as request bodies, and the keys by which a receiver knows them again.

use bytes::Bytes;
use hermod_sdk::{Batch, Format, Message, Outcome, Written};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::HttpMode;

/// The body of a request for a batch.
pub(super) struct BatchBody {
    pub(super) bytes: Bytes,
    /// How many messages it holds.
    pub(super) count: usize,
    pub(super) key: String,
    /// By record of the batch, in order: why it is not in the body.
    refused: Vec<Option<String>>,
}

impl BatchBody {
    pub(super) fn of(mode: HttpMode, format: Format, batch: &Batch) -> Self {
        let mut bytes = Vec::new();
        let mut digest = Sha256::new();
        let mut refused = Vec::with_capacity(batch.records.len());
        let mut count = 0;
        if mode == HttpMode::JsonArray {
            bytes.push(b'[');
        }
        for record in &batch.records {
            let part = match part(mode, format, &record.message) {
                Ok(part) => part,
                Err(reason) => {
                    refused.push(Some(reason));
                    continue;
                }
            };
            refused.push(None);
            if mode == HttpMode::JsonArray && count > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(&part);
            if mode == HttpMode::Ndjson {
                bytes.push(b'\n');
            }
            digest.update((record.message.id.len() as u64).to_le_bytes());
            digest.update(record.message.id.as_bytes());
            count += 1;
        }
        if mode == HttpMode::JsonArray {
            bytes.push(b']');
        }
        Self {
            bytes: bytes.into(),
            count,
            key: hex(&digest.finalize()),
            refused,
        }
    }

    /// Puts what became of the messages in the body together with those that are not in it.
    pub(super) fn merge(self, written: Written) -> Written {
        if self.count == self.refused.len() {
            return written;
        }
        let mut sent = match written {
            Written::All => vec![Outcome::Written; self.count],
            Written::Each(outcomes) => outcomes,
        }
        .into_iter();
        let merged = self.refused.into_iter().map(|refused| match refused {
            Some(reason) => Outcome::Rejected { reason },
            None => sent.next().unwrap_or(Outcome::Retry {
                reason: "the sink has no result for this message".to_owned(),
                after: None,
            }),
        });
        Written::Each(merged.collect())
    }
}

fn part(mode: HttpMode, format: Format, message: &Message) -> Result<Bytes, String> {
    if mode == HttpMode::JsonArray && format == Format::Payload {
        let bytes = message.payload.bytes();
        return match serde_json::from_slice::<&RawValue>(&bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err(
                "payload is not JSON, so it cannot be an element of an array; use `format: json`"
                    .to_owned(),
            ),
        };
    }
    format.line(message).map_err(|error| error.to_string())
}

/// Returns a message's id as a header can carry it: what is not printable ASCII stands as `%XX`.
pub(super) fn key_of(id: &str) -> String {
    let mut key = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            key.push(char::from(byte));
        } else {
            key.push('%');
            key.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    key
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
