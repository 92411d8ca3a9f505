//! The numbers that name a stream, a record within it and a batch.

use std::fmt;

/// Number of a stream, stable for the life of the log and never given to another stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub(crate) u32);

impl StreamId {
    /// The number itself, as it stands on disk.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Sequence number of a record within its stream. A stream's numbers are dense.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The first number of a stream that was not told to begin elsewhere.
    pub const ZERO: Seq = Seq(0);

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        self.plus(1)
    }

    /// The number `n` places further; it stops at the largest.
    #[must_use]
    pub fn plus(self, n: u64) -> Seq {
        Seq(self.0.saturating_add(n))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Order of a batch among the batches appended since this log was opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lsn(pub(crate) u64);

impl Lsn {
    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a stream holds: the records from `first` up to, but not including, `next`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) first: Seq,
    pub(crate) next: Seq,
}

impl Extent {
    /// Drops the records below `below`; beyond the end it empties and moves `next` forward.
    pub(crate) fn trim(&mut self, below: Seq) {
        self.first = self.first.max(below);
        self.next = self.next.max(self.first);
    }

    /// Makes `to` the next number, never below `first` and never forward.
    pub(crate) fn rewind(&mut self, to: Seq) {
        self.next = self.next.min(to).max(self.first);
    }

    /// Places an empty stream at `at`.
    pub(crate) fn start(&mut self, at: Seq) {
        self.first = at;
        self.next = at;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.first >= self.next
    }
}
