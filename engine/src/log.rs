//! The engine's async handle on the data log.

use hermod_wal::{AppendError, Batch, Log, Ticket};

/// An append did not become durable.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk or the quota is full; nothing was written (I8).
    #[error("the data log is full: {0}")]
    Full(#[source] AppendError),
    /// Nothing was written and a repeat will not help, or the group's sync failed (I7).
    #[error("the data log failed: {0}")]
    Failed(#[source] AppendError),
}

impl From<AppendError> for LogError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full => Self::Full(error),
            other => Self::Failed(other),
        }
    }
}

/// A cheap handle on the node's data log.
#[derive(Clone)]
pub(crate) struct DataLog {
    log: Log,
}

impl DataLog {
    pub(crate) fn new(log: Log) -> Self {
        Self { log }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Enqueues a batch, waiting while too much is pending; `make` is called again for each try.
    pub(crate) async fn enqueue(&self, make: impl Fn() -> Batch) -> Result<Ticket, LogError> {
        loop {
            match self.log.append(make()) {
                Ok(ticket) => return Ok(ticket),
                Err(AppendError::Busy) => self.log.room().await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Enqueues a batch and waits until it is on disk.
    pub(crate) async fn append(&self, make: impl Fn() -> Batch) -> Result<(), LogError> {
        // I1: the ticket is ready only after the group's sync.
        self.enqueue(make).await?.await?;
        Ok(())
    }
}
