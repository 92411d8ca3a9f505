//! The stream of events.

use std::ops::ControlFlow;

use hermod_api::Code;
use serde_json::Value;

use super::{Ask, problem::Refused};
use crate::failure::Failure;

/// Largest event that is read.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Something that the server tells.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    /// `status`, `gone`, …
    pub(crate) name: String,
    /// What happened.
    pub(crate) data: Value,
}

impl Ask<'_> {
    /// Reads events until `each` has enough of them.
    ///
    /// # Errors
    /// The stream cannot be opened, or ends by itself.
    pub(crate) fn events(
        self,
        mut each: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        self.client.runtime.block_on(self.listen(&mut each))
    }

    async fn listen(&self, each: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<(), Failure> {
        let mut response = self.open().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            let mut bytes = Vec::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > EVENT_BYTES_MAX {
                    break;
                }
            }
            let refused = Refused {
                server: &self.client.server,
                status,
                headers: &headers,
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            };
            return Err(refused.into_failure(None));
        }
        let mut reading = Reading::default();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(&error))?
        {
            reading.bytes.extend_from_slice(&chunk);
            while let Some(event) = reading.next() {
                if each(event).is_break() {
                    return Ok(());
                }
            }
            if reading.bytes.len() > EVENT_BYTES_MAX {
                break;
            }
        }
        let message = format!("`{}` has ended the stream of events", self.client.server);
        Err(Failure::new(Code::Control, message)
            .with_hint("ask again: the node was stopped, or you may not look any more"))
    }
}

/// What was read and is not yet an event.
#[derive(Default)]
struct Reading {
    bytes: Vec<u8>,
}

impl Reading {
    /// Takes the next whole event out; signs of life and what is not known are passed over.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.bytes.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            let (Some(name), Some(data)) = (field("event: "), field("data: ")) else {
                continue;
            };
            if let Ok(data) = serde_json::from_str(data) {
                let name = name.to_owned();
                return Some(Event { name, data });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_found_wherever_the_stream_was_cut() {
        let text = "event: status\ndata: [1]\n\n: alive\n\nevent: gone\ndata: [\"a\"]\n\n";
        for cut in 0..text.len() {
            let mut reading = Reading::default();
            let mut found = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                reading.bytes.extend_from_slice(part.as_bytes());
                found.extend(std::iter::from_fn(|| reading.next()));
            }
            let names: Vec<_> = found.iter().map(|event| event.name.as_str()).collect();
            assert_eq!(names, ["status", "gone"], "{cut}");
            assert_eq!(found[1].data, json!(["a"]));
        }
    }
}
