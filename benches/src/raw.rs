//! The reference `raw-prealloc`: what one technique gives at best, not a log.
//!
//! A zero-filled file that is used again from its beginning when it is full; a frame is length, CRC-32 and payload; one
//! `pwrite` and one `fdatasync` per group. Records that arrive while a sync is in flight make up the next group.

mod group;

pub(crate) use group::Grouped;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use anyhow::ensure;

/// Size of the file, that of the measurements in the log's comparison.
const FILE_BYTES: u64 = 128 << 20;

/// How much one read of a scan takes.
const READ_BYTES: usize = 1 << 20;

/// The file, and where the next group goes.
pub(crate) struct Raw {
    file: File,
    bytes: u64,
    at: u64,
}

impl Raw {
    /// Makes and fills the file that is used again and again.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        Self::sized(dir, FILE_BYTES)
    }

    /// Makes and fills a file of `bytes`.
    pub(crate) fn sized(dir: &Path, bytes: u64) -> io::Result<Self> {
        let path = dir.join("raw-prealloc");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let zeros = vec![0; READ_BYTES];
        for at in (0..bytes).step_by(READ_BYTES) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes, at: 0 })
    }

    /// Writes framed records, without a sync.
    pub(crate) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        if self.at + frames.len() as u64 > self.bytes {
            self.at = 0;
        }
        self.file.write_all_at(frames, self.at)?;
        self.at += frames.len() as u64;
        Ok(())
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Reads the file from its beginning and checks each frame; returns how many there are.
    pub(crate) fn scan(&self) -> anyhow::Result<u64> {
        let (mut count, mut at, mut held) = (0, 0, 0);
        let mut buffer = vec![0; READ_BYTES];
        while at < self.at {
            let wanted = (READ_BYTES as u64 - held).min(self.at - at) as usize;
            let held_before = held as usize;
            self.file
                .read_exact_at(&mut buffer[held_before..held_before + wanted], at)?;
            at += wanted as u64;
            let filled = held_before + wanted;
            let mut rest = &buffer[..filled];
            while let Some(frame) = Frame::first(rest) {
                let is_whole = crc32fast::hash(frame.payload) == frame.sum;
                ensure!(is_whole, "a frame of the reference is damaged");
                count += 1;
                rest = frame.behind;
            }
            held = rest.len() as u64;
            let kept = filled - rest.len();
            buffer.copy_within(kept..filled, 0);
        }
        ensure!(held == 0, "the reference ends within a frame");
        Ok(count)
    }
}

/// Puts a record behind the frames in `frames`.
pub(crate) fn frame(frames: &mut Vec<u8>, payload: &[u8]) {
    frames.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frames.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    frames.extend_from_slice(payload);
}

/// A frame as it stands in the file.
struct Frame<'a> {
    payload: &'a [u8],
    /// What the payload's checksum should be.
    sum: u32,
    behind: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Returns the first frame, if it is there as a whole.
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (payload, behind) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some(Self {
            payload,
            sum: u32::from_le_bytes(*sum),
            behind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_scanned_and_damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = Raw::sized(dir.path(), 4 << 20).unwrap();
        let mut frames = Vec::new();
        for n in 0..3000_u32 {
            frame(&mut frames, &vec![n as u8; 1000 + n as usize % 7]);
        }
        raw.write(&frames).unwrap();
        raw.sync().unwrap();
        assert_eq!(raw.scan().unwrap(), 3000);
        raw.file.write_all_at(b"x", 1_500_000).unwrap();
        assert!(raw.scan().is_err());
    }

    #[test]
    fn a_full_file_is_used_again_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = Raw::sized(dir.path(), 1 << 20).unwrap();
        let mut frames = Vec::new();
        frame(&mut frames, &vec![7; 600_000]);
        raw.write(&frames).unwrap();
        raw.write(&frames).unwrap();
        assert_eq!(raw.at, frames.len() as u64);
        assert_eq!(raw.scan().unwrap(), 1);
    }
}
