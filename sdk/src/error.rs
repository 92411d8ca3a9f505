//! What went wrong in a connector, and what is to be done about it.

use std::{error::Error, time::Duration};

/// The kind of a connector's failure; it says what the engine must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The other side cannot be reached or is down.
    Unavailable,
    /// The other side asks to slow down.
    Throttled,
    /// The other side refuses our credentials or rights.
    Auth,
    /// The other side refuses this data.
    Rejected,
    /// The data cannot be put into the form that the other side needs.
    Invalid,
    /// Stored state (a position, a token) cannot be read; going on would lose or repeat data.
    Corrupt,
    /// A newer owner holds the lease; this one must stop.
    Fenced,
    /// A defect of ours.
    Internal,
}

/// What the engine does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Pause, keep everything buffered, try again with backoff for ever (or until `on_outage` says so).
    Pause,
    /// Try again a bounded number of times, then dead-letter the message.
    DeadLetter,
    /// Stop the workflow and show the error.
    Stop,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::Throttled,
        Self::Auth,
        Self::Rejected,
        Self::Invalid,
        Self::Corrupt,
        Self::Fenced,
        Self::Internal,
    ];

    /// Returns what the engine does about a failure of this kind.
    pub const fn policy(self) -> Policy {
        match self {
            Self::Unavailable | Self::Throttled | Self::Auth => Policy::Pause,
            Self::Rejected | Self::Invalid => Policy::DeadLetter,
            Self::Corrupt | Self::Fenced | Self::Internal => Policy::Stop,
        }
    }

    /// Returns the kind's name as logs and metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Auth => "auth",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Fenced => "fenced",
            Self::Internal => "internal",
        }
    }
}

/// A connector's failure. The message names what failed and where, never a payload or a secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectorError {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConnectorError {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            source: None,
        }
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says how long the other side asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns how long the other side asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the message with the messages of all causes, for logs and dead letters.
    pub fn report(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

impl From<crate::PositionError> for ConnectorError {
    fn from(error: crate::PositionError) -> Self {
        Self::new(ErrorKind::Corrupt, error.to_string()).with_source(error)
    }
}

impl From<crate::SecretError> for ConnectorError {
    fn from(error: crate::SecretError) -> Self {
        Self::new(ErrorKind::Auth, error.to_string())
    }
}
