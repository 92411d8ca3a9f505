//! Errors of the store as a whole. That a single operation is refused is an [`Answer`](crate::Answer) and no error.

use std::{error::Error, time::Duration};

/// What a caller does about an error of the store.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Nothing was done; try again after a moment. No leader, no quorum, a busy database.
    Unavailable,
    /// Nobody can say whether it was done: it was not answered in time. A retry must be harmless.
    Unknown,
    /// Nothing was done, and nothing ever will be: it breaks a limit or is malformed.
    Invalid,
    /// The store has stopped, or is not to be trusted any more. The node ends.
    Stopped,
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Makes an error. The message holds no document and no secret (I10).
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            source: None,
        }
    }

    /// Makes an [`Unavailable`](StoreErrorKind::Unavailable) error that says when to try again.
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StoreErrorKind::Unavailable, message)
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what to do about it.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Returns when to try again, where that makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
