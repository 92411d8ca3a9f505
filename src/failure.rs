//! What a person gets to see when a command does not succeed.

use std::{fmt, process::ExitCode};

use hermod_api::Code;
use serde_json::{Value, json};

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

/// One of the things that are wrong, for people and for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// In one line.
    pub(crate) text: String,
    /// The same as a JSON object; `pointer` says where, if that can be said.
    pub(crate) value: Value,
}

impl Detail {
    /// Makes a detail of a value at a JSON pointer.
    pub(crate) fn at(pointer: impl Into<String>, text: impl Into<String>) -> Self {
        let (pointer, text) = (pointer.into(), text.into());
        let value = json!({"pointer": pointer, "message": text});
        Self { text, value }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
    pub(crate) details: Vec<Detail>,
    /// What to do, where the code's own hint does not fit.
    pub(crate) hint: Option<&'static str>,
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
            hint: None,
            logged: false,
        }
    }

    /// Adds lines of detail.
    pub(crate) fn with_details(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    /// Says what to do in place of the code's own hint.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        self.hint.unwrap_or_else(|| self.code.hint())
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
            | Code::StoreMismatch
            | Code::Invalid
            | Code::Malformed
            | Code::NoSuchObject => Exit::Unusable,
            _ => Exit::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.code.text(), self.message)?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        write!(f, "\n  to do: {}", self.hint())?;
        write!(f, "\n  more: docs/errors/{}.md", self.code.text())
    }
}

impl std::error::Error for Failure {}
