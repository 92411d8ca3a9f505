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
    document::{Level, WorkflowPlan},
    keys,
    log::{DataLog, LogError},
    ownership::Replica,
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
    scope: Text,
    level: Level,
    epoch: u64,
    sinks: Arc<[Text]>,
    buffer: Buffer,
    /// Register of the source's position, where the buffer does not keep it beside the data.
    position_key: Option<String>,
    progress: Arc<Progress>,
    replica: Option<Arc<dyn Replica>>,
    /// The position that holds at the workflow's level on this node.
    local: watch::Sender<Option<Position>>,
    /// The position that a re-readable source may be told.
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
        (scope, epoch): (Text, u64),
        buffer: Buffer,
        position_key: Option<String>,
        progress: &Arc<Progress>,
        replica: Option<Arc<dyn Replica>>,
    ) -> Self {
        Self {
            log,
            workflow: plan.id.clone(),
            scope,
            level: plan.acknowledge,
            epoch,
            sinks: plan.sinks.iter().map(|sink| sink.id.clone()).collect(),
            buffer,
            position_key,
            progress: progress.clone(),
            replica,
            local: watch::Sender::new(None),
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
        if self.level == Level::Delivered && low.position.is_some() {
            self.hold(low.position.as_ref());
        }
        *written = Written {
            cursors,
            position: low.position,
        };
        Ok(())
    }

    /// Notes that a position holds at the workflow's level on this node.
    pub(crate) fn hold(&self, position: Option<&Position>) {
        let to = if self.replica.is_some() {
            &self.local
        } else {
            &self.safe
        };
        to.send_if_modified(|held| {
            let moved = held.as_ref() != position;
            if moved {
                *held = position.cloned();
            }
            moved
        });
    }

    /// Whether a position must be kept outside of this node before the source hears of it.
    pub(crate) fn is_replicated(&self) -> bool {
        self.replica.is_some()
    }

    /// Keeps positions in the store as they move, until it is cancelled.
    pub(crate) async fn replicate(&self) -> Result<(), Stop> {
        let mut local = self.local.subscribe();
        // The sender lives as long as `self`.
        while local.changed().await.is_ok() {
            let position = local.borrow_and_update().clone();
            self.replicate_one(position).await?;
        }
        Ok(())
    }

    /// Keeps the last position in the store, unless it is there.
    pub(crate) async fn replicate_last(&self) -> Result<(), Stop> {
        let position = self.local.borrow().clone();
        if position == *self.safe.borrow() {
            return Ok(());
        }
        self.replicate_one(position).await
    }

    async fn replicate_one(&self, position: Option<Position>) -> Result<(), Stop> {
        let (Some(replica), Some(position)) = (&self.replica, position) else {
            return Ok(());
        };
        let kept = replica.keep(&position).await;
        kept.map_err(|error| Stop::failed(error.to_string()))?;
        // I2: a takeover never finds the source ahead of the store.
        self.safe.send_replace(Some(position));
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
                        batch.set(&keys::cursor(&self.scope, sink), &cursor.to_bytes());
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
        let latest = crate::epoch::latest(log.log(), &self.scope);
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
