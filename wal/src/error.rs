//! Errors, one small enum for each thing a caller does.

use std::io;
use std::path::PathBuf;

use crate::{Seq, StreamId};

/// Why a log could not be opened, inspected or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory was written by a newer version of the format.
    #[error(
        "log directory `{}` has format version {found}, this program reads up to {supported}: use a newer program",
        dir.display()
    )]
    NewerFormat {
        /// Directory of the log.
        dir: PathBuf,
        /// Version found.
        found: u16,
        /// Newest version that this program reads.
        supported: u16,
    },
    /// Another process or another open log holds the directory.
    #[error("log directory `{}` is in use by another process", dir.display())]
    Locked {
        /// Directory of the log.
        dir: PathBuf,
    },
    /// The directory is not there (only when inspecting).
    #[error("log directory `{}` does not exist", dir.display())]
    Missing {
        /// Directory of the log.
        dir: PathBuf,
    },
    /// Input or output failed.
    #[error("cannot open the log: `{}`", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.into();
        move |source| OpenError::Io { path, source }
    }
}

/// Why a batch was not appended, or did not become durable.
///
/// From [`Log::append`](crate::Log::append) an error means that nothing of the batch was or will be written. From a
/// ticket, `Full` says the same; `Failed`, `Poisoned` and `Closed` mean that the batch is not
/// durable, and that after a crash right now it may be there in whole or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The disk or the quota is full. Wait for [`Log::room`](crate::Log::room).
    #[error("the log is full")]
    Full,
    /// Too many bytes wait to become durable. Wait for a ticket or for [`Log::room`](crate::Log::room).
    #[error("too much is waiting to become durable")]
    Busy,
    /// The batch does not fit in a segment.
    #[error("a batch of {bytes} bytes is too large, the limit is {max}")]
    TooLarge {
        /// Size of the batch on disk.
        bytes: usize,
        /// Largest size that fits.
        max: usize,
    },
    /// The stream does not exist (any more).
    #[error("stream `{stream}` is unknown")]
    UnknownStream {
        /// The stream.
        stream: StreamId,
    },
    /// `start_at` on a stream that holds records.
    #[error("stream `{stream}` is not empty")]
    NotEmpty {
        /// The stream.
        stream: StreamId,
    },
    /// A register's value is over 64 KiB.
    #[error("a register of {bytes} bytes is too large, the limit is {max}")]
    RegisterTooLarge {
        /// Size of the value.
        bytes: usize,
        /// Largest size.
        max: usize,
    },
    /// The name of a stream or register is empty or over 512 bytes.
    #[error("a name of {bytes} bytes is empty or over the limit of {max}")]
    BadName {
        /// Length of the name.
        bytes: usize,
        /// Longest name.
        max: usize,
    },
    /// The table of streams and registers has no room for more.
    #[error("the table of streams and registers is full")]
    TableFull,
    /// An encoder given to `append_with` removed bytes that were not its own.
    #[error("an encoder shortened the batch")]
    Shortened,
    /// The write or sync of the batch's group failed, or of a batch that it follows on (I7). The log goes on.
    #[error("the write or sync of the batch failed")]
    Failed,
    /// Writing failed twice in a row; the log takes nothing more until it is opened again (I7).
    #[error("the log is poisoned by failed writes")]
    Poisoned,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The records were trimmed; the stream begins at `first`.
    #[error("the records were trimmed, the stream begins at `{first}`")]
    Trimmed {
        /// First record that is there.
        first: Seq,
    },
    /// Records are damaged on disk (I6). What lies behind them can be read from `to` on.
    #[error(
        "records `{from}` to before `{to}` of stream `{stream}` are damaged: segment {segment}, offset {offset}"
    )]
    Damaged {
        /// The stream.
        stream: StreamId,
        /// First damaged record.
        from: Seq,
        /// First record behind the damage.
        to: Seq,
        /// Number of the segment.
        segment: u64,
        /// Where in the segment's file the damage begins.
        offset: u64,
    },
    /// The stream does not exist (any more).
    #[error("stream `{stream}` is unknown")]
    UnknownStream {
        /// The stream.
        stream: StreamId,
    },
    /// Reading failed.
    #[error("cannot read the log: `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a wait for records ended without them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The stream does not exist (any more).
    #[error("stream `{stream}` is unknown")]
    UnknownStream {
        /// The stream.
        stream: StreamId,
    },
    /// The log is poisoned: nothing more will come.
    #[error("the log is poisoned by failed writes")]
    Poisoned,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Why a log was not closed cleanly.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// What was not yet durable could not be made so; its tickets say the same.
    #[error("the log could not write what was waiting")]
    Unwritten,
    /// The log was poisoned before.
    #[error("the log is poisoned by failed writes")]
    Poisoned,
}
