//! The way in for pushed messages: a request is answered with success only when I1 holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use hermod_sdk::{Message, PushProtocol, PushSource};
use hermod_wal::AppendError;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{buffer::Buffer, document::Level, log::LogError, progress::Progress, stamp::Stamp};

/// How long a request waits for room before it is refused.
const ROOM_WAIT: Duration = Duration::from_secs(2);

/// When a sender should come back after it was refused for lack of room.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a pushed message is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// There is no room; nothing was kept (I8).
    #[error("no room for messages at the moment")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// The workflow is stopping; nothing was kept.
    #[error("the workflow is stopping")]
    Draining,
    /// The workflow does not take messages; nothing was kept.
    #[error("the workflow does not run: {reason}")]
    NotRunning {
        /// Why.
        reason: String,
    },
    /// A message is too large for the log; nothing was kept.
    #[error("the message is too large: {reason}")]
    TooLarge {
        /// Its size and the limit.
        reason: String,
    },
    /// It is not known whether the messages were kept; send them again under the same id (I7).
    #[error("the outcome is unknown; send the messages again with the same id")]
    Unknown,
}

/// A cheap handle through which pushed messages enter a workflow.
#[derive(Clone)]
pub struct Ingress {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) protocol: PushProtocol,
    pub(crate) source: Arc<dyn PushSource>,
    pub(crate) level: Level,
    pub(crate) buffer: Buffer,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stamp: Stamp,
    pub(crate) gate: Gate,
    /// Cancelled when the workflow has ended.
    pub(crate) ended: CancellationToken,
}

/// Lets requests in, and waits for those that are inside.
pub(crate) struct Gate {
    state: AtomicU8,
    inside: TaskTracker,
}

const WAITING: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

impl Gate {
    pub(crate) fn new(open: bool) -> Self {
        let state = AtomicU8::new(if open { OPEN } else { WAITING });
        Self {
            state,
            inside: TaskTracker::new(),
        }
    }

    pub(crate) fn open(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
    }

    fn enter(&self) -> Result<TaskTrackerToken, SubmitError> {
        // The token is taken first, so that whoever closes the gate either is seen or waits.
        let token = self.inside.token();
        match self.state.load(Ordering::SeqCst) {
            OPEN => Ok(token),
            WAITING => Err(SubmitError::NotRunning {
                reason: "its sinks are being tested; try again".to_owned(),
            }),
            _ => Err(SubmitError::Draining),
        }
    }

    /// Lets nobody in any more and waits until nobody is about to append.
    pub(crate) async fn close(&self) {
        self.state.store(CLOSED, Ordering::SeqCst);
        self.inside.close();
        self.inside.wait().await;
    }
}

impl Ingress {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// Returns whether both are the way into the same running workflow.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns how the source is reached.
    pub fn protocol(&self) -> PushProtocol {
        self.shared.protocol
    }

    /// Returns the source, which authenticates and parses requests.
    pub fn source(&self) -> &Arc<dyn PushSource> {
        &self.shared.source
    }

    /// Gives messages their time, and a fresh id where the sender gave none; done once per message.
    pub fn stamp(&self, messages: &mut [Message]) {
        self.shared.stamp.apply(messages);
    }

    /// Takes messages in and returns once they are safe at the workflow's level (I1).
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whether the messages were kept.
    pub async fn submit(&self, mut messages: Vec<Message>) -> Result<(), SubmitError> {
        if messages.is_empty() {
            return Ok(());
        }
        let Shared {
            level,
            buffer,
            progress,
            stamp,
            ended,
            gate,
            ..
        } = &*self.shared;
        if ended.is_cancelled() {
            return Err(SubmitError::NotRunning {
                reason: "it has ended".to_owned(),
            });
        }
        let inside = gate.enter()?;
        stamp.apply(&mut messages);
        let next = match buffer {
            Buffer::File(file) => {
                let enqueued = file.enqueue(&messages, None, None);
                let enqueued = tokio::time::timeout(ROOM_WAIT, enqueued).await;
                let (ticket, next) = enqueued
                    .map_err(|_| full())?
                    .map_err(|error| refusal(&error))?;
                drop(inside);
                // I1: answered only after the group's sync.
                ticket.await.map_err(|error| match error {
                    AppendError::Full => full(),
                    // I7: a failed sync is no answer; the batch may be there after a crash.
                    _ => SubmitError::Unknown,
                })?;
                next
            }
            Buffer::Ring(ring) => {
                let next = ring.try_push(messages).map_err(|_| full())?;
                drop(inside);
                next
            }
        };
        match level {
            Level::Durable => Ok(()),
            Level::Delivered => tokio::select! {
                biased;
                // I1: answered only after every sink has confirmed, or the dead letter is on disk.
                () = progress.passed(next) => Ok(()),
                () = ended.cancelled() => Err(SubmitError::Unknown),
            },
        }
    }
}

fn full() -> SubmitError {
    SubmitError::Full {
        retry_after: RETRY_AFTER,
    }
}

fn refusal(error: &LogError) -> SubmitError {
    match error {
        LogError::Full(_) => full(),
        LogError::Failed(error @ AppendError::TooLarge { .. }) => SubmitError::TooLarge {
            reason: error.to_string(),
        },
        LogError::Failed(error) => SubmitError::NotRunning {
            reason: error.to_string(),
        },
    }
}
