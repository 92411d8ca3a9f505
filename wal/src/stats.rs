//! What a log tells about itself.

use crate::{Seq, StreamId};

/// A stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamInfo {
    /// Its number.
    pub id: StreamId,
    /// Its name.
    pub name: String,
    /// First record.
    pub first: Seq,
    /// Number of the next record to be appended.
    pub next: Seq,
}

/// What a stream holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// First record, with everything appended.
    pub first: Seq,
    /// Number of the next record to be appended.
    pub next: Seq,
    /// Number of the next record to become durable: those below are.
    pub durable: Seq,
}

/// Whether a log takes batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum State {
    /// It does.
    Open,
    /// Disk or quota are full: only reserved batches are taken, until there is room (I8).
    Full {
        /// Bytes that the log's files take.
        disk_bytes: u64,
    },
    /// Writing failed twice in a row: nothing is taken until the log is opened again (I7).
    Poisoned {
        /// Files that failed since the log was opened.
        files: u64,
    },
    /// It was closed.
    Closed,
}

/// Counters since the log was opened, and sizes as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Groups written.
    pub groups: u64,
    /// Syncs of groups.
    pub syncs: u64,
    /// Batches that became durable.
    pub batches: u64,
    /// Records that became durable.
    pub records: u64,
    /// Bytes of batches that became durable.
    pub bytes: u64,
    /// Batches that failed.
    pub failed_batches: u64,
    /// Files that failed (I7).
    pub poisoned_files: u64,
    /// Damage met (I6).
    pub damage: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes that the log's files take.
    pub disk_bytes: u64,
    /// Bytes appended and not yet durable.
    pub pending_bytes: u64,
}
