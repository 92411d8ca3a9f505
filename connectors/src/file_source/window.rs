//! A window on an open file: what has been read of it and not been given out.

use std::{fs::File, io};

use super::identity::{TAIL_BYTES, bytes_at};

/// How much is read at once.
const CHUNK_BYTES: u64 = 512 * 1024;

/// Bytes of a file around the place where the reader stands.
pub(super) struct Window {
    pub(super) file: File,
    buffer: Vec<u8>,
    // Where the buffer begins in the file, and where in the buffer the reader stands.
    begin: u64,
    at: usize,
}

/// What a look for more bytes found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// There are more.
    More,
    /// The file ends here.
    End,
    /// What was read before is not in the file any more.
    Rewritten,
}

impl Window {
    /// Opens a window at an offset.
    pub(super) fn new(file: File, offset: u64) -> io::Result<Self> {
        let context = offset.min(TAIL_BYTES);
        let buffer = bytes_at(&file, offset - context, context)?;
        Ok(Self {
            at: buffer.len(),
            begin: offset - context,
            file,
            buffer,
        })
    }

    /// Returns the offset at which the reader stands.
    pub(super) fn offset(&self) -> u64 {
        self.begin + self.at as u64
    }

    /// Returns the offset after the last byte that was read.
    pub(super) fn end(&self) -> u64 {
        self.begin + self.buffer.len() as u64
    }

    /// Returns what was read and not given out.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Moves the reader.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    /// Forgets the bytes that were read from offset `end` on.
    pub(super) fn cut(&mut self, end: u64) {
        self.buffer.truncate((end - self.begin) as usize);
    }

    /// Returns the last bytes before the reader.
    pub(super) fn tail(&self) -> &[u8] {
        &self.buffer[self.at.saturating_sub(TAIL_BYTES as usize)..self.at]
    }

    /// Reads more.
    ///
    /// The last bytes that are known are read again, in the same call as those after them: only a file
    /// that still has them where they were is the one that was being read. A file that was emptied and has
    /// grown beyond this place in the meantime is found by this.
    pub(super) fn fill(&mut self) -> io::Result<Filled> {
        let keep = self.at.saturating_sub(TAIL_BYTES as usize);
        self.buffer.drain(..keep);
        self.begin += keep as u64;
        self.at -= keep;
        let overlap = self.buffer.len().min(TAIL_BYTES as usize);
        let from = self.end() - overlap as u64;
        let bytes = bytes_at(&self.file, from, overlap as u64 + CHUNK_BYTES)?;
        let known = &self.buffer[self.buffer.len() - overlap..];
        // `get` fails where the file has become shorter than what is known.
        if bytes.get(..overlap) != Some(known) {
            return Ok(Filled::Rewritten);
        }
        self.buffer.extend_from_slice(&bytes[overlap..]);
        Ok(if bytes.len() > overlap {
            Filled::More
        } else {
            Filled::End
        })
    }
}
