//! Messages that could not be delivered: durable records that people list, read, replay and discard.
//!
//! A workflow's dead letters are a stream of the data log, so that "not delivered" is written with the
//! same care as the message itself (I3). What became of each is a mark of two bits in a register that
//! holds 8,192 of them; a prefix in which nothing is open any more is trimmed.

mod marks;
mod record;

use std::{fmt, sync::Arc};

use hermod_sdk::{Message, Text};
use hermod_wal::{Batch, Log, ReadLimit, Seq, StreamId, Visibility};
use serde::Serialize;

use crate::{
    envelope::{self, Target},
    keys,
    log::{DataLog, LogError},
};
pub(crate) use record::Entry;

/// Where a message failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "at", content = "id")]
pub enum Origin {
    /// A sink refused it; the message is as the sink had it.
    Sink(Text),
    /// A node of the graph failed on it; the message is as it entered the graph.
    Node(Text),
    /// The data log is damaged at this place; the letter stands for messages that cannot be read (I6).
    Log(Text),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink(id) => write!(f, "sink {id}"),
            Self::Node(id) => write!(f, "node {id}"),
            Self::Log(place) => write!(f, "data log {place}"),
        }
    }
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nobody has decided yet.
    Open,
    /// It was put back into the workflow as a new message.
    Replayed,
    /// A person dropped it.
    Discarded,
}

/// A dead letter as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its number in the workflow's dead letters.
    pub seq: u64,
    /// The message.
    pub message: Message,
    /// Why it could not be delivered, as the other side says it.
    pub reason: String,
    /// Where it failed.
    pub origin: Origin,
    /// Sinks that did not get it.
    pub sinks: Vec<Text>,
    /// Kind of the failure, as [`hermod_sdk::ErrorKind::name`] spells it, or `transform`.
    pub kind: Text,
    /// How often it was tried.
    pub attempts: u32,
    /// When it became a dead letter, in milliseconds since 1970.
    pub time_ms: i64,
    /// What became of it.
    pub state: Fate,
}

impl DeadLetter {
    /// Whether it stands for messages that damage took: there is nothing to replay.
    pub fn is_lost(&self) -> bool {
        matches!(self.origin, Origin::Log(_))
    }
}

/// Dead letters cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no dead letter of this number (any more).
    #[error(
        "there is no dead letter {seq}; the first that is kept is {first}, the next would be {next}"
    )]
    Missing {
        /// Number that was asked for.
        seq: u64,
        /// First number that is kept.
        first: u64,
        /// Number that the next dead letter will get.
        next: u64,
    },
    /// It was replayed or discarded before.
    #[error("dead letter {seq} is not open any more")]
    Closed {
        /// Its number.
        seq: u64,
    },
    /// It stands for messages that damage took, so there is nothing to put back.
    #[error(
        "dead letter {seq} names messages that are lost to damage of the data log: ask their source for them, then discard it"
    )]
    Lost {
        /// Its number.
        seq: u64,
    },
    /// The record is damaged; its neighbours are not affected (I6).
    #[error("dead letter {seq} cannot be read: {reason}")]
    Damaged {
        /// Its number.
        seq: u64,
        /// What is damaged.
        reason: String,
    },
    /// The workflow keeps its messages in memory, so a replay needs it to run.
    #[error(
        "workflow `{workflow}` keeps its messages in memory, so dead letters are replayed while it runs"
    )]
    NeedsRunning {
        /// Id of the workflow.
        workflow: String,
    },
    /// The log did not take the change.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The dead letters of one workflow; also usable while the workflow does not run.
#[derive(Clone)]
pub struct DeadLetters {
    log: DataLog,
    workflow: Text,
    stream: StreamId,
    // Marks are read, changed and written: one change at a time.
    changes: Arc<tokio::sync::Mutex<()>>,
}

impl DeadLetters {
    /// Opens the dead letters of a workflow that has some in the log.
    pub fn open(log: &Log, workflow: &str) -> Option<Self> {
        let stream = log.find_stream(&keys::dead_letter_stream(workflow))?;
        Some(Self::on(DataLog::new(log.clone()), workflow.into(), stream))
    }

    /// Returns the ids of all workflows that have dead letters in the log.
    pub fn workflows(log: &Log) -> Vec<String> {
        let prefix = keys::dead_letter_stream("");
        let names = log.streams().into_iter().map(|stream| stream.name);
        let mut ids: Vec<_> = names
            .filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned))
            .collect();
        ids.sort();
        ids
    }

    /// Opens the dead letters of a workflow, making the stream if needed.
    pub(crate) fn create(log: &DataLog, workflow: &Text) -> Result<Self, LogError> {
        let stream = log.log().stream(&keys::dead_letter_stream(workflow))?;
        Ok(Self::on(log.clone(), workflow.clone(), stream))
    }

    fn on(log: DataLog, workflow: Text, stream: StreamId) -> Self {
        Self {
            log,
            workflow,
            stream,
            changes: Arc::default(),
        }
    }

    /// Keeps others from changing what became of dead letters until the guard is dropped.
    pub(crate) async fn changing(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.changes.clone().lock_owned().await
    }

    /// Returns the first number that is kept and the number that the next dead letter will get.
    pub fn bounds(&self) -> (u64, u64) {
        let bounds = self.log.log().bounds(self.stream);
        bounds.map_or((0, 0), |bounds| (bounds.first.0, bounds.durable.0))
    }

    /// Returns how many are open.
    pub fn count(&self) -> u64 {
        let (first, next) = self.bounds();
        marks::count_open(self.log.log(), &self.workflow, first, next)
    }

    /// Returns up to `limit` dead letters from number `from` on, closed ones included.
    ///
    /// # Errors
    /// [`DeadLetterError::Damaged`] names a record that cannot be read; go on behind it.
    pub fn list(&self, from: u64, limit: usize) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let from = from.max(self.bounds().0);
        let limit = ReadLimit {
            records: limit,
            bytes: 8 << 20,
        };
        let records = self
            .log
            .log()
            .read(self.stream, Seq(from), limit, Visibility::Durable);
        let records = records.map_err(|error| damaged(from, &error))?;
        let mut letters = Vec::with_capacity(records.len());
        for found in records {
            let seq = found.seq.0;
            let entry = record::decode(&found.payload).map_err(|error| damaged(seq, &error))?;
            let fate = marks::fate(self.log.log(), &self.workflow, seq);
            letters.push(entry.into_letter(seq, fate));
        }
        Ok(letters)
    }

    /// Returns one dead letter.
    pub fn get(&self, seq: u64) -> Result<DeadLetter, DeadLetterError> {
        let (first, next) = self.bounds();
        let missing = DeadLetterError::Missing { seq, first, next };
        if seq < first || seq >= next {
            return Err(missing);
        }
        self.list(seq, 1)?.pop().ok_or(missing)
    }

    /// Returns the open ones among `seqs`, refusing the whole request if one is missing or closed.
    pub(crate) fn open_ones(&self, seqs: &[u64]) -> Result<Vec<DeadLetter>, DeadLetterError> {
        seqs.iter()
            .map(|seq| {
                let letter = self.get(*seq)?;
                match letter.state {
                    Fate::Open => Ok(letter),
                    _ => Err(DeadLetterError::Closed { seq: *seq }),
                }
            })
            .collect()
    }

    /// Returns the open ones among `seqs` with their messages, refusing the whole request as [`Self::open_ones`]
    /// does, or if one has no message.
    pub(crate) fn replayable(&self, seqs: &[u64]) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let letters = self.open_ones(seqs)?;
        match letters.iter().find(|letter| letter.is_lost()) {
            Some(letter) => Err(DeadLetterError::Lost { seq: letter.seq }),
            None => Ok(letters),
        }
    }

    /// Drops dead letters for good; returns how many.
    pub async fn discard(&self, seqs: &[u64]) -> Result<u64, DeadLetterError> {
        let _changing = self.changing().await;
        let letters = self.open_ones(seqs)?;
        self.mark(&letters, Fate::Discarded).await?;
        Ok(letters.len() as u64)
    }

    /// Puts dead letters back into the buffer of a workflow that does not run: message and mark are one
    /// atomic write. Returns how many.
    ///
    /// # Errors
    /// [`DeadLetterError::NeedsRunning`] for a workflow that keeps its messages in memory.
    pub async fn replay_offline(&self, seqs: &[u64]) -> Result<u64, DeadLetterError> {
        let _changing = self.changing().await;
        let letters = self.replayable(seqs)?;
        let log = self.log.log();
        let buffer = log
            .register(&keys::buffer(&self.workflow))
            .and_then(|name| String::from_utf8(name.to_vec()).ok())
            .and_then(|name| log.find_stream(&name))
            .ok_or_else(|| DeadLetterError::NeedsRunning {
                workflow: self.workflow.to_string(),
            })?;
        self.replay_into(buffer, &letters).await?;
        Ok(letters.len() as u64)
    }

    /// Appends the messages to a buffer stream and marks them, in one atomic batch.
    pub(crate) async fn replay_into(
        &self,
        buffer: StreamId,
        letters: &[DeadLetter],
    ) -> Result<(), LogError> {
        let replays: Vec<(Message, Target)> = letters.iter().map(replay_of).collect();
        self.log
            .append(|| {
                let mut batch = Batch::new();
                for (message, target) in &replays {
                    batch.append_with(buffer, |out| envelope::encode(message, Some(target), out));
                }
                self.put_marks(letters, Fate::Replayed, &mut batch);
                batch
            })
            .await
    }

    /// Records what became of dead letters.
    pub(crate) async fn mark(&self, letters: &[DeadLetter], fate: Fate) -> Result<(), LogError> {
        self.log
            .append(|| {
                let mut batch = Batch::new();
                self.put_marks(letters, fate, &mut batch);
                batch
            })
            .await
    }

    fn put_marks(&self, letters: &[DeadLetter], fate: Fate, batch: &mut Batch) {
        let (first, next) = self.bounds();
        let seqs: Vec<u64> = letters.iter().map(|letter| letter.seq).collect();
        let kept = marks::put(
            self.log.log(),
            &self.workflow,
            &seqs,
            fate,
            (first, next),
            batch,
        );
        if kept > first {
            batch.trim(self.stream, Seq(kept));
        }
        batch.reserved();
    }

    /// Writes dead letters and waits until they are on disk.
    ///
    /// # Durability
    /// When it returns, a cursor may pass the messages (I3).
    pub(crate) async fn write(&self, entries: &[Entry]) -> Result<(), LogError> {
        self.log
            .append(|| {
                let mut batch = Batch::new();
                for entry in entries {
                    batch.append_with(self.stream, |out| record::encode(entry, out));
                }
                // I8: dead letters may use the room that is kept for them.
                batch.reserved();
                batch
            })
            .await
    }
}

/// The message to put back, and where to.
pub(crate) fn replay_of(letter: &DeadLetter) -> (Message, Target) {
    let mut message = letter.message.clone();
    // A replayed dead letter carries no position: it must not move or be skipped by a stored one.
    message.position = None;
    let target = match &letter.origin {
        Origin::Sink(_) => Target::Sinks(letter.sinks.clone()),
        // One of `Log` has no message and is refused before.
        Origin::Node(_) | Origin::Log(_) => Target::Graph(letter.sinks.clone()),
    };
    (message, target)
}

fn damaged(seq: u64, error: &dyn std::fmt::Display) -> DeadLetterError {
    DeadLetterError::Damaged {
        seq,
        reason: error.to_string(),
    }
}
