//! The file that is being read.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hermod_sdk::{ConnectorError, ErrorKind, Message, Payload, Position, Text};

use super::{
    FileSourceConfig, Oversized, RecordFormat,
    identity::{HEAD_BYTES, Identity, bytes_at, holds, next_series},
    position::FilePosition,
    record::{Columns, MARK, Mismatch, Splitter, line_end},
    succession::{Next, plain_series},
    window::{Filled, Window},
};
use crate::{csv::without_line_break, disk, key::ordering_key};

/// An open file, with a reader between two of its records.
pub(super) struct Current {
    /// Name that the file is known by.
    pub(super) name: Text,
    /// Where it was when it was opened.
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// Nothing will be added: what is left without a line break is a record.
    pub(super) complete: bool,
    window: Window,
    splitter: Splitter,
    columns: Option<Columns>,
    series: Option<u64>,
    past: Arc<[u64]>,
    head: Vec<u8>,
    // The last look found nothing new, so that the file may have been written anew since.
    idle: bool,
    // Where a record that is too long begins, while it is being left out.
    skipping: Option<u64>,
}

/// The next record, still in the window.
pub(super) struct Taken {
    length: usize,
    /// The message, unless the record is blank or a header.
    pub(super) message: Option<Message>,
}

impl Taken {
    /// A record of no length, after something was left out.
    const NOTHING: Self = Self {
        length: 0,
        message: None,
    };
}

impl Current {
    /// Opens a file at its beginning.
    pub(super) fn begin(
        next: &Next,
        past: Arc<[u64]>,
        config: &FileSourceConfig,
    ) -> io::Result<Self> {
        let file = File::open(&next.path)?;
        Ok(Self {
            name: next.name.as_str().into(),
            identity: Identity::of(&file)?,
            path: next.path.clone(),
            complete: false,
            window: Window::new(file, 0)?,
            splitter: Splitter::new(config),
            columns: columns_at_begin(config),
            series: None,
            past,
            head: Vec::new(),
            idle: false,
            skipping: None,
        })
    }

    /// Opens a file that holds what was read before a position, after that.
    pub(super) fn resume(
        path: &Path,
        position: &FilePosition,
        config: &FileSourceConfig,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        if !holds(&file, position)? {
            // It did a moment ago: another file took the name.
            return Err(io::ErrorKind::NotFound.into());
        }
        let head = bytes_at(&file, 0, position.offset.min(HEAD_BYTES))?;
        let columns = match columns_at_begin(config) {
            None if config.format == RecordFormat::Csv && position.offset > 0 => {
                Some(header(&file, config)?)
            }
            columns => columns,
        };
        Ok(Self {
            name: position.file.clone(),
            identity: Identity::of(&file)?,
            path: path.to_path_buf(),
            complete: false,
            window: Window::new(file, position.offset)?,
            splitter: Splitter::new(config),
            columns,
            series: Some(position.series),
            past: position.past.clone(),
            head,
            idle: false,
            skipping: None,
        })
    }

    /// Returns where the reader stands.
    pub(super) fn position(&mut self) -> Result<FilePosition, ConnectorError> {
        let series = self.series()?;
        Ok(FilePosition {
            file: self.name.clone(),
            device: self.identity.device,
            inode: self.identity.inode,
            born_ns: self.identity.born_ns,
            series,
            offset: self.window.offset(),
            head: crc32fast::hash(&self.head),
            tail: crc32fast::hash(self.window.tail()),
            past: self.past.clone(),
        })
    }

    /// Returns the series that positions in this file have.
    pub(super) fn series(&mut self) -> Result<u64, ConnectorError> {
        if let Some(series) = self.series {
            return Ok(series);
        }
        let mut series = self.plain_series()?;
        if self.past.contains(&series) {
            // The same file was read before, and emptied since.
            let before = self.past.last().copied().unwrap_or_default();
            series = next_series(series, before);
        }
        self.series = Some(series);
        Ok(series)
    }

    /// Returns the series that the file would have if nothing was known of it.
    pub(super) fn plain_series(&self) -> Result<u64, ConnectorError> {
        plain_series(&self.window.file, &self.identity).map_err(|source| self.unreadable(source))
    }

    /// Returns how many bytes lie behind.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Returns whether bytes are left that are no complete record.
    pub(super) fn has_rest(&self) -> bool {
        !self.window.unread().is_empty()
    }

    /// Reads more of the file.
    pub(super) fn fill(&mut self) -> Result<Filled, ConnectorError> {
        let end = self.window.end();
        let filled = self
            .window
            .fill()
            .map_err(|source| self.unreadable(source))?;
        if filled == Filled::More && self.idle {
            let length = self.head.len() as u64;
            let head = bytes_at(&self.window.file, 0, length);
            if head.map_err(|source| self.unreadable(source))? != self.head {
                self.window.cut(end);
                return Ok(Filled::Rewritten);
            }
        }
        self.idle = filled == Filled::End;
        Ok(filled)
    }

    /// Returns the next record, if all of it is there; it stays in the window until [`Current::consume`].
    pub(super) fn take(
        &mut self,
        config: &FileSourceConfig,
    ) -> Result<Option<Taken>, ConnectorError> {
        if self.skipping.is_some() && !self.skip_line() {
            return Ok(None);
        }
        if self.window.offset() == 0 && !self.pass_mark() {
            return Ok(None);
        }
        let unread = self.window.unread();
        let end = self.splitter.end(unread);
        let length = end.unwrap_or(unread.len());
        let is_whole = end.is_some() || (self.complete && length > 0);
        let record = without_line_break(&unread[..length]);
        if record.len() > config.line_bytes_max {
            self.oversized(is_whole.then_some(length), config)?;
            return Ok(Some(Taken::NOTHING));
        }
        if !is_whole {
            return Ok(None);
        }
        if config.format == RecordFormat::Csv && self.columns.is_none() {
            self.columns = Some(Columns::of_header(record, config.delimiter_byte()));
            let message = None;
            return Ok(Some(Taken { length, message }));
        }
        let Some((payload, mismatch)) = self.payload(record, config) else {
            let message = None;
            return Ok(Some(Taken { length, message }));
        };
        let check = crc32fast::hash(record);
        let series = self.series()?;
        let id = format!("{series:016x}-{}-{check:08x}", self.window.offset());
        let mut payload = Payload::from(payload);
        let path = config.key_field.as_deref();
        let key = path.and_then(|path| ordering_key(&mut payload, path));
        let mut message = Message::new(id, payload).with_table(self.name.clone());
        message.key = key;
        if let Some(Mismatch { expected, found }) = mismatch {
            let metadata = &mut message.metadata;
            metadata.set("csv_fields_expected", expected.to_string());
            metadata.set("csv_fields_found", found.to_string());
        }
        let message = Some(message);
        Ok(Some(Taken { length, message }))
    }

    /// Moves behind a record and returns its message with the position there.
    pub(super) fn consume(
        &mut self,
        taken: Taken,
        generation: u64,
    ) -> Result<Option<Message>, ConnectorError> {
        self.pass(taken.length);
        self.splitter.reset();
        let Some(message) = taken.message else {
            return Ok(None);
        };
        let position = Position::encode(generation, &self.position()?);
        Ok(Some(message.with_position(position)))
    }

    fn pass(&mut self, length: usize) {
        let missing = HEAD_BYTES as usize - self.head.len();
        let fresh = &self.window.unread()[..length];
        self.head.extend_from_slice(&fresh[..length.min(missing)]);
        self.window.consume(length);
    }

    fn payload(
        &self,
        record: &[u8],
        config: &FileSourceConfig,
    ) -> Option<(Vec<u8>, Option<Mismatch>)> {
        match (config.format, &self.columns) {
            (RecordFormat::Ndjson, _) if record.iter().all(u8::is_ascii_whitespace) => None,
            (RecordFormat::Csv, Some(columns)) => {
                columns.object(record, config.delimiter_byte(), config.null_if_empty)
            }
            _ => Some((record.to_vec(), None)),
        }
    }

    /// Passes a byte order mark; false if it cannot be told yet whether there is one.
    fn pass_mark(&mut self) -> bool {
        let unread = self.window.unread();
        if unread.starts_with(MARK) {
            self.pass(MARK.len());
            self.splitter.reset();
        } else if MARK.starts_with(unread) && !self.complete {
            return false;
        }
        true
    }

    /// Leaves out a record that is too long, all of it if its length is known, or says that it is there.
    fn oversized(
        &mut self,
        length: Option<usize>,
        config: &FileSourceConfig,
    ) -> Result<(), ConnectorError> {
        let (offset, most) = (self.window.offset(), config.line_bytes_max);
        let is_header = config.format == RecordFormat::Csv && self.columns.is_none();
        if config.oversized == Oversized::Stop || is_header {
            let path = self.path.display();
            let message = format!(
                "record at offset {offset} of `{path}` is longer than {most} bytes; raise \
                 `line_bytes_max` or set `oversized: skip`"
            );
            return Err(ConnectorError::new(ErrorKind::Corrupt, message));
        }
        self.skipping = Some(offset);
        if let Some(length) = length {
            self.pass(length);
            self.skipped();
        }
        Ok(())
    }

    /// Leaves out the rest of a line; false if its end is not there yet.
    fn skip_line(&mut self) -> bool {
        let unread = self.window.unread();
        let end = line_end(unread);
        let length = end.unwrap_or(unread.len());
        self.pass(length);
        self.splitter.reset();
        if end.is_none() && !self.complete {
            return false;
        }
        self.skipped();
        true
    }

    /// I6: a record is never left out silently.
    fn skipped(&mut self) {
        if let Some(from) = self.skipping.take() {
            tracing::warn!(
                file = %self.path.display(),
                offset = from,
                bytes = self.window.offset() - from,
                "record is too long and was left out"
            );
        }
    }

    fn unreadable(&self, source: io::Error) -> ConnectorError {
        disk::error("read", &self.path, source)
    }
}

/// The columns, where they do not stand in the file.
fn columns_at_begin(config: &FileSourceConfig) -> Option<Columns> {
    (config.format == RecordFormat::Csv && !config.has_header).then(|| Columns::of_config(config))
}

/// Reads the header of a file whose beginning lies behind.
fn header(file: &File, config: &FileSourceConfig) -> io::Result<Columns> {
    let mut length = 64 * 1024;
    loop {
        let bytes = bytes_at(file, 0, length)?;
        let mut splitter = Splitter::new(config);
        let begin = if bytes.starts_with(MARK) {
            MARK.len()
        } else {
            0
        };
        let end = splitter.end(&bytes[begin..]);
        if end.is_some()
            || (bytes.len() as u64) < length
            || length > 2 * config.line_bytes_max as u64
        {
            let record = &bytes[begin..][..end.unwrap_or(bytes.len() - begin)];
            return Ok(Columns::of_header(
                without_line_break(record),
                config.delimiter_byte(),
            ));
        }
        length *= 2;
    }
}
