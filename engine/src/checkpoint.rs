//! Writes how far the sinks have come, and frees what all of them have passed.
//!
//! A cursor register holds the next number (u64), the epoch under which it was moved (u64, I5), and the
//! name of the buffer stream that it counts in.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hermod_sdk::{Position, Text};
use hermod_wal::{Batch, Seq};
use tokio::sync::{Mutex, watch};

use crate::{
    buffer::Buffer,
    document::WorkflowPlan,
    keys,
    log::{DataLog, LogError},
    pipeline::Stop,
    progress::Progress,
};

/// Cursors that move within this time are written together.
const COALESCE: Duration = Duration::from_millis(25);

/// A sink's stored cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) next: u64,
    pub(crate) epoch: u64,
    pub(crate) stream: Text,
}

impl Cursor {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.stream.len());
        bytes.extend_from_slice(&self.next.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(self.stream.as_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let (next, rest) = bytes.split_first_chunk::<8>()?;
        let (epoch, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            next: u64::from_le_bytes(*next),
            epoch: u64::from_le_bytes(*epoch),
            stream: Text::try_from(bytes.slice(16..)).ok()?,
        })
    }
}

/// Keeps the stored cursors behind the real ones.
pub(crate) struct Checkpoint {
    log: Option<DataLog>,
    workflow: Text,
    epoch: u64,
    sinks: Arc<[Text]>,
    buffer: Buffer,
    /// Register of the source's position, where the buffer does not keep it beside the data.
    position_key: Option<String>,
    progress: Arc<Progress>,
    /// The position that a re-readable source may be told at level `delivered`.
    pub(crate) safe: watch::Sender<Option<Position>>,
    written: Mutex<Written>,
}

/// What was written last.
#[derive(Default)]
struct Written {
    cursors: Vec<u64>,
    position: Option<Position>,
}

impl Checkpoint {
    pub(crate) fn new(
        log: Option<DataLog>,
        plan: &WorkflowPlan,
        epoch: u64,
        buffer: Buffer,
        position_key: Option<String>,
        progress: &Arc<Progress>,
    ) -> Self {
        Self {
            log,
            workflow: plan.id.clone(),
            epoch,
            sinks: plan.sinks.iter().map(|sink| sink.id.clone()).collect(),
            buffer,
            position_key,
            progress: progress.clone(),
            safe: watch::Sender::new(None),
            written: Mutex::default(),
        }
    }

    /// Writes whenever a cursor has moved, until it is cancelled.
    pub(crate) async fn run(&self) -> Result<(), Stop> {
        loop {
            self.progress.moved().await;
            tokio::time::sleep(COALESCE).await;
            match self.write().await {
                Ok(()) => {}
                Err(Stop::Full { error }) => {
                    // I8: nothing is lost by a late cursor; it is written when room comes back.
                    tracing::warn!(workflow = %self.workflow, %error, "cursors cannot be stored yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.progress.nudge();
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Writes what has changed and waits until it is on disk.
    pub(crate) async fn write(&self) -> Result<(), Stop> {
        let mut written = self.written.lock().await;
        let (cursors, low) = (self.progress.cursors(), self.progress.low());
        if let Some(log) = &self.log {
            self.check_epoch(log)?;
            let changed = match &self.buffer {
                Buffer::File(_) => cursors != written.cursors,
                Buffer::Ring(_) => self.position_key.is_some() && low.position != written.position,
            };
            if changed {
                let appended = log.append(|| self.batch(&cursors, &written, &low)).await;
                appended.map_err(|error| match error {
                    LogError::Full(_) => Stop::Full {
                        error: error.to_string(),
                    },
                    LogError::Failed(_) => Stop::failed(error.to_string()),
                })?;
            }
        }
        // I2: the source hears of a position only after ours is on disk.
        if low.position.is_some() && low.position != *self.safe.borrow() {
            self.safe.send_replace(low.position.clone());
        }
        *written = Written {
            cursors,
            position: low.position,
        };
        Ok(())
    }

    fn batch(&self, cursors: &[u64], written: &Written, low: &crate::progress::Mark) -> Batch {
        let mut batch = Batch::new();
        match &self.buffer {
            Buffer::File(file) => {
                for (index, (sink, next)) in self.sinks.iter().zip(cursors).enumerate() {
                    if written.cursors.get(index) != Some(next) {
                        let stream = file.name().clone();
                        let cursor = Cursor {
                            next: *next,
                            epoch: self.epoch,
                            stream,
                        };
                        batch.set(&keys::cursor(&self.workflow, sink), &cursor.to_bytes());
                    }
                }
                batch.trim(file.stream_id(), Seq(low.next));
            }
            Buffer::Ring(_) => {
                if let (Some(key), Some(position)) = (&self.position_key, &low.position) {
                    batch.set(key, &position.to_bytes());
                }
            }
        }
        // I8: cursors may use the room that is kept for them.
        batch.reserved();
        batch
    }

    /// I5: a cursor is not written under an epoch that is not the latest.
    fn check_epoch(&self, log: &DataLog) -> Result<(), Stop> {
        let latest = crate::epoch::latest(log.log(), &self.workflow);
        if latest == self.epoch {
            return Ok(());
        }
        let mine = self.epoch;
        Err(Stop::failed(format!(
            "a newer owner holds epoch {latest}; this one had {mine}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trip() {
        let cursor = Cursor {
            next: 7,
            epoch: 9,
            stream: "buf/w/1".into(),
        };
        assert_eq!(Cursor::from_bytes(&cursor.to_bytes().into()), Some(cursor));
        assert_eq!(Cursor::from_bytes(&Bytes::from_static(b"short")), None);
    }
}
