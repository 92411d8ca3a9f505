//! The latest lines of the node's log, for those who look at it from afar.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Bytes of a line's message; what is longer is cut.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// How bad it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For those who look for a mistake in the program.
    Debug,
    /// Something happened.
    Info,
    /// A person should know.
    Warn,
    /// A person must look.
    Error,
}

/// A line of the log. Whoever pushes it has left secrets out (I10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Its number, given by the ring: 0, 1, 2, …
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How bad it is.
    pub level: LogLevel,
    /// The part of the program.
    pub target: String,
    /// Of which workflow, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What happened, with its fields.
    pub message: String,
}

/// A bounded ring of lines (I9). A clone is the same ring.
#[derive(Clone, Debug)]
pub struct LogRing {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lines: Mutex<Lines>,
    next: watch::Sender<u64>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<LogLine>,
    next: u64,
}

impl LogRing {
    /// Makes an empty one for so many lines.
    pub fn new(capacity: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                lines: Mutex::default(),
                next: watch::Sender::new(0),
                capacity: capacity.max(1),
            }),
        }
    }

    /// Adds a line; the oldest makes room. Its sequence is set here.
    pub fn push(&self, mut line: LogLine) {
        let cut = line.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        line.message.truncate(cut);
        let mut lines = self.lines();
        line.sequence = lines.next;
        lines.next += 1;
        if lines.kept.len() == self.shared.capacity {
            lines.kept.pop_front();
        }
        lines.kept.push_back(line);
        let next = lines.next;
        drop(lines);
        self.shared.next.send_replace(next);
    }

    /// Returns the lines from a number on, at most so many and then the latest, and the number that comes next.
    pub fn since(&self, sequence: u64, limit: usize) -> (Vec<LogLine>, u64) {
        let lines = self.lines();
        let fresh = lines.kept.iter().filter(|line| line.sequence >= sequence);
        let skip = fresh.clone().count().saturating_sub(limit);
        (fresh.skip(skip).cloned().collect(), lines.next)
    }

    /// Returns the number that the next line will get.
    pub fn next(&self) -> u64 {
        self.lines().next
    }

    /// Waits until there is a line of this number or a later one.
    ///
    /// # Cancel safety
    /// Cancel-safe: it takes nothing.
    pub async fn reached(&self, sequence: u64) {
        let mut next = self.shared.next.subscribe();
        // The sender lives in the ring, so it cannot be gone.
        if next.wait_for(|next| *next > sequence).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.shared
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine {
            sequence: 0,
            at_ms: 0,
            level: LogLevel::Info,
            target: "test".to_owned(),
            workflow: None,
            message: message.to_owned(),
        }
    }

    #[tokio::test]
    async fn i9_the_oldest_lines_make_room() {
        let ring = LogRing::new(2);
        for text in ["a", "b", "c"] {
            ring.push(line(text));
        }
        let (lines, next) = ring.since(0, 10);
        let texts: Vec<_> = lines.iter().map(|line| &*line.message).collect();
        assert_eq!((texts, next), (vec!["b", "c"], 3));
        assert_eq!(ring.since(2, 10).0.len(), 1);
        assert_eq!(ring.since(0, 1).0[0].message, "c");
        ring.reached(2).await;
        ring.push(line(&"ä".repeat(MESSAGE_BYTES_MAX)));
        assert_eq!(ring.since(3, 1).0[0].message.len(), MESSAGE_BYTES_MAX);
    }
}
