//! The file that is appended to: held, repaired, written, put aside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hermod_sdk::{ConnectorError, ErrorKind};
use rustix::fs::{FlockOperation, flock};

use super::{FileFormat, FileSinkConfig, torn, torn::Framing};
use crate::{
    csv::{self, Scanner},
    disk, timestamp,
};

/// Longest header line that is read back.
const HEADER_BYTES_MAX: usize = 1 << 20;
/// How often another process may move the file between our opening and our locking it.
const OPEN_TRIES: usize = 10;

/// The place that a sink appends to, across rotations and failures.
pub(super) struct Target {
    path: PathBuf,
    framing: Framing,
    rotate_bytes: u64,
    rotate_keep: usize,
    // Empty after a failure that leaves the file's end unknown: the next write opens it anew.
    held: Option<Held>,
}

/// A file that is open and locked.
struct Held {
    file: File,
    device: u64,
    inode: u64,
}

impl Target {
    pub(super) fn new(config: &FileSinkConfig) -> Self {
        let framing = match config.format {
            FileFormat::Payload | FileFormat::Json => Framing::Lines,
            FileFormat::Csv => Framing::Csv {
                delimiter: config.delimiter_byte(),
            },
        };
        Self {
            path: PathBuf::from(&config.filename),
            framing,
            rotate_bytes: config.rotate_bytes,
            rotate_keep: config.rotate_keep,
            held: None,
        }
    }

    /// Opens the file and returns its first CSV record, line break included, if there is one. With a
    /// `header` it must be the same.
    pub(super) fn open(&mut self, header: &[u8]) -> Result<Option<Vec<u8>>, ConnectorError> {
        disk::create_directories(disk::parent(&self.path))?;
        let held = Held::open(&self.path)?;
        torn::repair(&held.file, &self.path, self.framing)?;
        // The name may be new.
        disk::sync_directory(disk::parent(&self.path))?;
        let first = match self.framing {
            Framing::Lines => None,
            Framing::Csv { delimiter } => held
                .first_record(delimiter)
                .map_err(|source| disk::error("read", &self.path, source))?,
        };
        if let (Some(first), Framing::Csv { delimiter }) = (&first, self.framing)
            && !header.is_empty()
            && !csv::same_texts(first, header, delimiter)
        {
            let message = format!("`{}` begins with other CSV columns", self.path.display());
            return Err(ConnectorError::new(ErrorKind::Unavailable, message));
        }
        self.held = Some(held);
        Ok(first)
    }

    /// Lets go of the file.
    pub(super) fn close(&mut self) {
        self.held = None;
    }

    /// Checks that the file could be appended to, without making or changing it.
    pub(super) fn probe(&self) -> Result<(), ConnectorError> {
        match OpenOptions::new().append(true).open(&self.path) {
            Ok(file) => Held::regular(&file, &self.path).map(drop),
            Err(source) if source.kind() == io::ErrorKind::NotFound => self.probe_directory(),
            Err(source) => Err(disk::error("write to", &self.path, source)),
        }
    }

    /// Checks that the nearest directory that exists can be written to.
    fn probe_directory(&self) -> Result<(), ConnectorError> {
        let parent = disk::parent(&self.path);
        let existing = parent.ancestors().find(|path| path.exists());
        let directory = existing.unwrap_or(Path::new("."));
        rustix::fs::access(directory, rustix::fs::Access::WRITE_OK)
            .map_err(|error| disk::error("make files in", directory, error.into()))?;
        if directory.is_dir() {
            return Ok(());
        }
        let source = io::ErrorKind::NotADirectory.into();
        Err(disk::error("make files in", directory, source))
    }

    /// Appends text, after `header` if the file is empty, and syncs it.
    ///
    /// # Durability
    /// The text is on stable storage when this returns. On an error nothing of it is left in the file, or
    /// the file is opened anew, its end checked, before anything else is written.
    pub(super) fn append(&mut self, header: &[u8], text: &[u8]) -> Result<(), ConnectorError> {
        let held = match self.held.take() {
            // Somebody may have renamed or removed the file, for example logrotate.
            Some(held) if held.is_at(&self.path) => held,
            _ => self.reopen(header)?,
        };
        let length = held.length(&self.path)?;
        let grown = length.saturating_add(text.len() as u64);
        let (held, length) = if self.rotate_bytes > 0 && length > 0 && grown > self.rotate_bytes {
            (self.rotate(held)?, 0)
        } else {
            (held, length)
        };
        self.write(held, length, header, text)
    }

    fn reopen(&mut self, header: &[u8]) -> Result<Held, ConnectorError> {
        self.open(header)?;
        self.held.take().ok_or_else(|| {
            ConnectorError::new(ErrorKind::Internal, "the file was opened and is not held")
        })
    }

    fn write(
        &mut self,
        held: Held,
        length: u64,
        header: &[u8],
        text: &[u8],
    ) -> Result<(), ConnectorError> {
        let mut file = &held.file;
        let written = if length == 0 && !header.is_empty() {
            file.write_all(&[header, text].concat())
        } else {
            file.write_all(text)
        };
        if let Err(source) = written {
            // A part of the batch may stand there, and must not be taken for lines later.
            if file.set_len(length).is_ok() {
                self.held = Some(held);
            }
            return Err(disk::error("write to", &self.path, source));
        }
        // I1: confirmed only after `fdatasync`.
        if let Err(source) = file.sync_data() {
            // I7: what the kernel dropped cannot be synced by trying again. The batch is cut off, and the
            // file is opened anew.
            let cut = file.set_len(length);
            tracing::error!(
                file = %self.path.display(),
                cut_back = cut.is_ok(),
                "file cannot be synced: {source}"
            );
            return Err(disk::error("sync", &self.path, source));
        }
        self.held = Some(held);
        Ok(())
    }

    /// Puts the file aside and begins a new one.
    fn rotate(&mut self, held: Held) -> Result<Held, ConnectorError> {
        let aside = free_name(&self.path);
        fs::rename(&self.path, &aside)
            .map_err(|source| disk::error("put aside", &self.path, source))?;
        let next = Held::open(&self.path)?;
        // What was written before is held until the new name is durable.
        disk::sync_directory(disk::parent(&self.path))?;
        drop(held);
        tracing::info!(file = %self.path.display(), moved_to = %aside.display(), "file was put aside");
        self.delete_oldest();
        Ok(next)
    }

    /// Deletes files that were put aside, beyond those to keep. A failure is logged and tried again at the
    /// next rotation.
    fn delete_oldest(&self) {
        if self.rotate_keep == 0 {
            return;
        }
        let mut aside = match put_aside(&self.path) {
            Ok(aside) => aside,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), "old files cannot be listed: {error}");
                return;
            }
        };
        aside.sort();
        let surplus = aside.len().saturating_sub(self.rotate_keep);
        for path in &aside[..surplus] {
            match fs::remove_file(path) {
                Ok(()) => tracing::info!(file = %path.display(), "old file was deleted"),
                Err(error) => {
                    tracing::warn!(file = %path.display(), "old file cannot be deleted: {error}");
                }
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A child process that is just being started has a copy of the file, which would hold the lock a moment longer.
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::debug!(%error, "the lock ends when the file is closed");
        }
    }
}

impl Held {
    fn open(path: &Path) -> Result<Self, ConnectorError> {
        for _ in 0..OPEN_TRIES {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(path)
                .map_err(|source| disk::error("open", path, source))?;
            let metadata = Self::regular(&file, path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let message =
                        format!("`{}` is held by another process or sink", path.display());
                    return Err(ConnectorError::new(ErrorKind::Unavailable, message));
                }
                Err(error) => return Err(disk::error("lock", path, error.into())),
            }
            let held = Self {
                file,
                device: metadata.dev(),
                inode: metadata.ino(),
            };
            // Between opening and locking, its holder may have put it aside.
            if held.is_at(path) {
                return Ok(held);
            }
        }
        let message = format!("`{}` is being replaced all the time", path.display());
        Err(ConnectorError::new(ErrorKind::Unavailable, message))
    }

    fn regular(file: &File, path: &Path) -> Result<fs::Metadata, ConnectorError> {
        let metadata = file
            .metadata()
            .map_err(|source| disk::error("open", path, source))?;
        if metadata.is_file() {
            return Ok(metadata);
        }
        let message = format!("`{}` is not a regular file", path.display());
        Err(ConnectorError::new(ErrorKind::Unavailable, message))
    }

    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }

    fn length(&self, path: &Path) -> Result<u64, ConnectorError> {
        let metadata = self.file.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|source| disk::error("read", path, source))
    }

    fn first_record(&self, delimiter: u8) -> io::Result<Option<Vec<u8>>> {
        let mut record = Vec::new();
        let mut scanner = Scanner::new(delimiter);
        while record.len() < HEADER_BYTES_MAX {
            let mut chunk = [0; 4096];
            let size = self.file.read_at(&mut chunk, record.len() as u64)?;
            if size == 0 {
                return Ok(None);
            }
            let end = scanner.end(&chunk[..size]);
            record.extend_from_slice(&chunk[..end.unwrap_or(size)]);
            if end.is_some() {
                return Ok(Some(record));
            }
        }
        Ok(Some(record))
    }
}

/// Returns a name for the file to be put aside under that does not exist yet.
fn free_name(path: &Path) -> PathBuf {
    let mut time = SystemTime::now();
    loop {
        let name = disk::with_suffix(path, &format!(".{}", timestamp::utc_basic(time)));
        if !name.exists() {
            return name;
        }
        time += std::time::Duration::from_millis(1);
    }
}

/// Returns the files that were put aside.
fn put_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir(disk::parent(path))? {
        let entry = entry?;
        let other = entry.file_name();
        let time = other
            .to_str()
            .and_then(|other| other.strip_prefix(&*name)?.strip_prefix('.'));
        if time.is_some_and(timestamp::is_utc_basic) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
