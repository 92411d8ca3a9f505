//! What tells one file from another.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    time::UNIX_EPOCH,
};

use sha2::{Digest, Sha256};

use super::position::FilePosition;

/// How many bytes from the beginning are compared.
pub(super) const HEAD_BYTES: u64 = 256;
/// How many bytes before the position are compared.
pub(super) const TAIL_BYTES: u64 = 64;
/// How much of the first line goes into a series.
pub(super) const FIRST_LINE_BYTES: usize = 1024;

/// A file as the file system knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) born_ns: u64,
    pub(super) changed_ns: i128,
}

impl Identity {
    /// Returns the identity of the file at `path`; nothing if there is none.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(metadata.is_file().then(|| Self::of_metadata(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::of_metadata(&file.metadata()?))
    }

    fn of_metadata(metadata: &std::fs::Metadata) -> Self {
        let born = metadata.created().ok();
        let since = born.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born_ns: since.map_or(0, |since| since.as_nanos() as u64),
            changed_ns: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
        }
    }

    /// Returns whether both are the same file. Device numbers may change with a restart of the machine, so
    /// they count only where births are not known.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.matches(other.device, other.inode, other.born_ns)
    }

    /// Returns whether this is the file of a position, as far as the file system knows.
    pub(super) fn is_of(&self, position: &FilePosition) -> bool {
        self.matches(position.device, position.inode, position.born_ns)
    }

    fn matches(&self, device: u64, inode: u64, born_ns: u64) -> bool {
        self.inode == inode
            && self.born_ns == born_ns
            && (self.born_ns != 0 || self.device == device)
    }

    /// Returns what orders files that were made one after another.
    pub(super) fn age(&self) -> (u64, i128) {
        (self.born_ns, self.changed_ns)
    }

    /// Returns the series of messages of a file that begins with `first_line`.
    pub(super) fn series(&self, first_line: &[u8]) -> u64 {
        let device = if self.born_ns == 0 { self.device } else { 0 };
        let mut hash = Sha256::new();
        for number in [device, self.inode, self.born_ns] {
            hash.update(number.to_le_bytes());
        }
        hash.update(&first_line[..first_line.len().min(FIRST_LINE_BYTES)]);
        first_eight(hash)
    }
}

/// Returns the series of a file that has the same one as a file that was read before.
pub(super) fn next_series(series: u64, before: u64) -> u64 {
    let hash = Sha256::new()
        .chain_update(series.to_le_bytes())
        .chain_update(before.to_le_bytes());
    first_eight(hash)
}

fn first_eight(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Returns whether the bytes before the position are in the file, as far as they are remembered.
pub(super) fn holds(file: &File, position: &FilePosition) -> io::Result<bool> {
    let offset = position.offset;
    if file.metadata()?.len() < offset {
        return Ok(false);
    }
    let head = bytes_at(file, 0, offset.min(HEAD_BYTES))?;
    let length = offset.min(TAIL_BYTES);
    let tail = bytes_at(file, offset - length, length)?;
    Ok(crc32fast::hash(&head) == position.head && crc32fast::hash(&tail) == position.tail)
}

/// Reads up to `length` bytes; fewer where the file ends.
pub(super) fn bytes_at(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
