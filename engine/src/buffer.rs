//! Where messages wait between intake and delivery.
//!
//! A [`Ring`] holds them in memory and can only offer level `delivered`; a [`FileBuffer`] is a stream of
//! the data log. Both number messages densely, give them to any number of readers by number, and free
//! what every sink has passed.

mod file;
mod ring;

use std::sync::Arc;

use hermod_sdk::{Message, Text};

use crate::envelope::Target;
pub(crate) use file::{FileBuffer, RegisterValue};
pub(crate) use ring::{Ring, RingLimits};

/// One message in a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) message: Message,
    pub(crate) target: Option<Target>,
}

/// How much one read of a buffer returns at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLimit {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// Messages that are lost to damage of the log (I6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) stream: Text,
    /// First number lost.
    pub(crate) from: u64,
    /// First number behind them.
    pub(crate) to: u64,
    pub(crate) segment: u64,
    /// Where in the segment's file the damage begins.
    pub(crate) offset: u64,
}

/// What one read of a buffer finds.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// Messages, at least one.
    Entries(Vec<Entry>),
    /// Messages that cannot be read; the next read goes on behind them.
    Lost(Hole),
}

/// Reading on is not possible; the workflow stops with this reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("buffer stream `{stream}` cannot be read at {seq}: {reason}")]
    Unreadable {
        stream: Text,
        seq: u64,
        reason: String,
    },
}

/// A buffer of either kind.
#[derive(Clone)]
pub(crate) enum Buffer {
    Ring(Arc<Ring>),
    File(Arc<FileBuffer>),
}

impl Buffer {
    /// Returns the name under which sinks know the numbering.
    pub(crate) fn stream(&self) -> &Text {
        match self {
            Self::Ring(ring) => ring.name(),
            Self::File(file) => file.name(),
        }
    }

    /// Returns the number of the first message that is kept and the number that the next one will get.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        match self {
            Self::Ring(ring) => ring.bounds(),
            Self::File(file) => file.bounds(),
        }
    }

    /// Returns the ring, if it is one.
    pub(crate) fn ring(&self) -> Option<Arc<Ring>> {
        match self {
            Self::Ring(ring) => Some(ring.clone()),
            Self::File(_) => None,
        }
    }

    /// Makes a reader that begins at `from`.
    pub(crate) fn reader(&self, from: u64) -> Reader {
        match self {
            Self::Ring(ring) => Reader::Ring(ring.clone(), from),
            Self::File(file) => Reader::File(file.reader(from)),
        }
    }
}

/// Reads a buffer in order.
pub(crate) enum Reader {
    Ring(Arc<Ring>, u64),
    File(file::FileReader),
}

impl Reader {
    /// Waits for at least one message and returns what is there, up to the limit; damage is named (I6).
    ///
    /// # Cancel safety
    /// Dropping the future skips nothing.
    pub(crate) async fn read(&mut self, limit: ChunkLimit) -> Result<Found, ReadError> {
        match self {
            Self::Ring(ring, next) => {
                let entries = ring.read(*next, limit).await;
                *next = entries.last().map_or(*next, |entry| entry.seq + 1);
                Ok(Found::Entries(entries))
            }
            Self::File(reader) => reader.read(limit).await,
        }
    }
}
