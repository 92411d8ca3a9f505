//! What a person gets to see when a command does not succeed.

use std::{fmt, process::ExitCode};

use hermod_api::Code;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: everything was done.
    Done,
    /// 1: something failed while it ran.
    Failed,
    /// 2: the input or the configuration cannot be used.
    Unusable,
    /// 128 and the signal's number: forced by a second signal.
    Forced(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
            Exit::Unusable => ExitCode::from(2),
            Exit::Forced(signal) => ExitCode::from(128 + signal),
        }
    }
}

/// A command's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its code.
    pub(crate) code: Code,
    /// What is wrong, in one line.
    pub(crate) message: String,
    /// More of it, one line each.
    pub(crate) details: Vec<String>,
    /// Whether it is in the log already.
    pub(crate) logged: bool,
}

impl Failure {
    /// Makes a failure.
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
            details: Vec::new(),
            logged: false,
        }
    }

    /// Adds lines of detail.
    pub(crate) fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Returns how the process ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self.code {
            Code::Configuration
            | Code::Document
            | Code::DirectoryLocked
            | Code::DirectoryNewer
            | Code::DirectoryUnusable
            | Code::PortInUse
            | Code::AddressUnusable
            | Code::Mode
            | Code::NoSuchWorkflow
            | Code::PathTaken
            | Code::Invalid
            | Code::NoSuchObject => Exit::Unusable,
            Code::Log
            | Code::WorkflowFailed
            | Code::WorkflowStart
            | Code::LogDamaged
            | Code::Control
            | Code::DeadLetter
            | Code::Forced
            | Code::NoVerdict
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::BodyTooLarge
            | Code::BodyTimeout
            | Code::Unauthenticated
            | Code::Malformed
            | Code::UnsupportedType
            | Code::Full
            | Code::Draining
            | Code::NotRunning
            | Code::OutcomeUnknown
            | Code::Unavailable
            | Code::TooManyConnections
            | Code::Forbidden
            | Code::Csrf
            | Code::Conflict
            | Code::PreconditionRequired
            | Code::Stale
            | Code::TooManyAttempts
            | Code::StoreUnavailable
            | Code::StoreUnknown
            | Code::Setup
            | Code::StoreFull
            | Code::StoreDamaged
            | Code::SignIn
            | Code::NodeUnavailable => Exit::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.code.text(), self.message)?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        write!(f, "\n  to do: {}", self.code.hint())?;
        write!(f, "\n  more: docs/errors/{}.md", self.code.text())
    }
}

impl std::error::Error for Failure {}
