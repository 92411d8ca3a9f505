//! All of it put together: records of the current file, and what comes after it.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hermod_sdk::{ConnectorError, ErrorKind, Message, ReadLimit, SourceBatch};

use super::{
    FileSourceConfig, ReadMode,
    current::Current,
    identity::Identity,
    position::{FilePosition, PAST_MAX},
    succession::{Next, Place},
    window::Filled,
};
use crate::disk;

/// What a look brought.
pub(super) enum Step {
    /// At least one message.
    Batch(SourceBatch),
    /// Nothing for now.
    Wait,
    /// Nothing any more.
    End,
}

/// Reads one file after another. All of it blocks.
pub(super) struct Reader {
    config: FileSourceConfig,
    place: Place,
    generation: u64,
    // Where to begin, until the file is found.
    start: Option<FilePosition>,
    current: Option<Current>,
    past: Arc<[u64]>,
    // Since when the file that comes next is there and the current one has nothing new.
    quiet: Option<Instant>,
    // That the file is missing was said.
    missing: bool,
}

impl Reader {
    pub(super) fn new(
        config: FileSourceConfig,
        start: Option<FilePosition>,
        generation: u64,
    ) -> Self {
        Self {
            place: Place::new(&config),
            config,
            generation,
            past: start
                .as_ref()
                .map_or_else(|| Arc::from([]), |at| at.past.clone()),
            start,
            current: None,
            quiet: None,
            missing: false,
        }
    }

    /// Returns the next messages, as far as they are there.
    pub(super) fn next(&mut self, limit: ReadLimit) -> Result<Step, ConnectorError> {
        loop {
            if self.current.is_none() && !self.begin()? {
                return self.nothing_there();
            }
            if let Some(batch) = self.take(limit)? {
                return Ok(Step::Batch(batch));
            }
            let Some(current) = &mut self.current else {
                continue;
            };
            match current.fill()? {
                Filled::More => {
                    current.complete = false;
                    self.quiet = None;
                }
                Filled::Rewritten => self.emptied()?,
                Filled::End => {
                    if let Some(step) = self.at_end()? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    fn take(&mut self, limit: ReadLimit) -> Result<Option<SourceBatch>, ConnectorError> {
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        let mut messages: Vec<Message> = Vec::new();
        let mut bytes = 0;
        while messages.len() < limit.messages.max(1) {
            let taken = match current.take(&self.config) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                // What is before it goes first; the next look finds the error again.
                Err(_) if !messages.is_empty() => break,
                Err(error) => return Err(error),
            };
            if let Some(message) = &taken.message {
                bytes += message.size();
                if bytes > limit.bytes && !messages.is_empty() {
                    break;
                }
            }
            messages.extend(current.consume(taken, self.generation)?);
        }
        let last = messages.last().and_then(|message| message.position.clone());
        Ok(last.map(|position| SourceBatch { messages, position }))
    }

    /// Opens the file to begin with; false if there is none.
    fn begin(&mut self) -> Result<bool, ConnectorError> {
        if let Some(position) = self.start.clone() {
            return self.begin_at(&position);
        }
        match self.place.first_after(None)? {
            Some(next) => self.open(&next),
            None => Ok(false),
        }
    }

    /// Finds the file of a position, or what comes after it.
    fn begin_at(&mut self, position: &FilePosition) -> Result<bool, ConnectorError> {
        if let Some(path) = self.place.find(position)? {
            return self.resume(&path, position);
        }
        if let Some(path) = self.place.copy_of(position)? {
            tracing::info!(
                file = &*position.file,
                copy = %path.display(),
                offset = position.offset,
                "file was emptied; what is left of it is read from a copy"
            );
            return self.resume(&path, position);
        }
        let Some(next) = self.after_lost(position)? else {
            return Ok(false);
        };
        // I6: what is lost is said.
        tracing::warn!(
            file = &*position.file,
            offset = position.offset,
            next = %next.path.display(),
            "file is gone or was emptied; records after the offset that were not read are lost to this source"
        );
        self.past = pushed(&self.past, [position.series]);
        self.open(&next)
    }

    /// Returns the file to go on with when that of the position is not to be found.
    fn after_lost(&self, position: &FilePosition) -> Result<Option<Next>, ConnectorError> {
        let name = position.file.to_string();
        let usual = self.place.path(&name);
        let found = identity_at(&usual)?;
        // Emptied in place: older copies of it are younger files, and were read before.
        let emptied = found.is_some_and(|found| found.is_of(position));
        if !emptied && position.born_ns != 0 {
            let lost = Identity {
                device: position.device,
                inode: position.inode,
                born_ns: position.born_ns,
                changed_ns: 0,
            };
            let past = pushed(&self.past, [position.series]);
            if let Some(path) = self.place.rotated_after(&name, &lost, &past)? {
                return Ok(Some(Next { name, path }));
            }
        }
        if found.is_some() {
            return Ok(Some(Next { name, path: usual }));
        }
        self.place.first_after(Some(&name))
    }

    fn resume(&mut self, path: &Path, position: &FilePosition) -> Result<bool, ConnectorError> {
        let opened = Current::resume(path, position, &self.config);
        self.opened(opened, path)
    }

    fn open(&mut self, next: &Next) -> Result<bool, ConnectorError> {
        let opened = Current::begin(next, self.past.clone(), &self.config);
        self.opened(opened, &next.path)
    }

    fn opened(&mut self, opened: io::Result<Current>, path: &Path) -> Result<bool, ConnectorError> {
        match opened {
            Ok(current) => {
                self.current = Some(current);
                self.start = None;
                self.quiet = None;
                self.missing = false;
                Ok(true)
            }
            // It was there a moment ago; the next look finds what is there now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(disk::error("read", path, source)),
        }
    }

    /// There is no file to read.
    fn nothing_there(&mut self) -> Result<Step, ConnectorError> {
        let shown = self.place.shown();
        if self.config.mode == ReadMode::Follow {
            if !self.missing {
                tracing::warn!(file = shown, "no file is there; it is waited for");
                self.missing = true;
            }
            return Ok(Step::Wait);
        }
        if self.place.is_pattern() {
            tracing::warn!(
                pattern = shown,
                "no file fits, or none after those that were read"
            );
            return Ok(Step::End);
        }
        let message = format!("`{shown}` is not there, or is not a regular file");
        Err(ConnectorError::new(ErrorKind::Unavailable, message))
    }

    /// The current file does not hold any more what was read of it.
    fn emptied(&mut self) -> Result<(), ConnectorError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let position = current.position()?;
        if let Some(path) = self.place.copy_of(&position)? {
            tracing::info!(
                file = %current.path.display(),
                copy = %path.display(),
                offset = position.offset,
                "file was emptied; what is left of it is read from a copy"
            );
            self.resume(&path, &position)?;
            return Ok(());
        }
        if current.has_rest() && !current.complete {
            // The beginning of a line whose end is gone: delivered rather than dropped.
            current.complete = true;
            return Ok(());
        }
        // I6: what is lost is said.
        tracing::warn!(
            file = %current.path.display(),
            offset = position.offset,
            "file was emptied or written anew and is read from its beginning; records after the offset that were not read are lost to this source"
        );
        let name = current.name.to_string();
        let path = self.place.path(&name);
        self.past = pushed(&self.past, [position.series]);
        self.start = Some(position);
        self.current = None;
        self.open(&Next { name, path })?;
        Ok(())
    }

    /// The current file has nothing new. Returns nothing if there is something to read now.
    fn at_end(&mut self) -> Result<Option<Step>, ConnectorError> {
        let next = self.next_file()?;
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        let once = self.config.mode == ReadMode::Once;
        if next.is_none() && !once {
            self.quiet = None;
            return Ok(Some(Step::Wait));
        }
        if !once {
            let since = *self.quiet.get_or_insert_with(Instant::now);
            if since.elapsed() < Duration::from_millis(self.config.rotate_wait_ms) {
                return Ok(Some(Step::Wait));
            }
        }
        if current.has_rest() && !current.complete {
            current.complete = true;
            return Ok(None);
        }
        let Some(next) = next else {
            return Ok(Some(Step::End));
        };
        tracing::info!(
            file = %current.path.display(),
            bytes = current.offset(),
            next = %next.path.display(),
            "file was read to its end"
        );
        self.leave()?;
        // Where the next one vanished at this moment, what comes after the one that was left is looked for
        // again.
        self.open(&next)?;
        Ok(None)
    }

    /// Returns the file that comes after the current one, if it is there.
    fn next_file(&mut self) -> Result<Option<Next>, ConnectorError> {
        let Some(current) = &mut self.current else {
            return Ok(None);
        };
        let name = current.name.to_string();
        let usual = self.place.path(&name);
        let found = identity_at(&usual)?;
        let is_usual = found.is_some_and(|found| found.is(&current.identity));
        if !is_usual {
            let mut known = vec![current.plain_series()?];
            if current.offset() > 0 {
                known.push(current.series()?);
            }
            let past = pushed(&self.past, known);
            let rotated = self.place.rotated_after(&name, &current.identity, &past)?;
            if let Some(path) = rotated {
                return Ok(Some(Next { name, path }));
            }
            if found.is_some() {
                return Ok(Some(Next { name, path: usual }));
            }
            if !self.place.is_pattern() && !self.missing {
                self.missing = true;
                tracing::warn!(
                    file = %usual.display(),
                    "file was removed or renamed; its successor is waited for"
                );
            }
        }
        let mut after = name;
        while let Some(next) = self.place.first_after(Some(&after))? {
            if !self.was_read(&next)? {
                return Ok(Some(next));
            }
            after = next.name;
        }
        Ok(None)
    }

    /// Returns whether a file is the current one or one that was read before, under another name.
    fn was_read(&self, next: &Next) -> Result<bool, ConnectorError> {
        let Some(current) = &self.current else {
            return Ok(false);
        };
        let read = |source| disk::error("read", &next.path, source);
        let file = match std::fs::File::open(&next.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(read)?,
        };
        let identity = Identity::of(&file).map_err(read)?;
        let series = super::succession::plain_series(&file, &identity).map_err(read)?;
        Ok(identity.is(&current.identity) || self.past.contains(&series))
    }

    /// Lets the current file go and remembers that it was read.
    fn leave(&mut self) -> Result<(), ConnectorError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let plain = current.plain_series()?;
        let series = current.series()?;
        self.past = pushed(&self.past, [plain, series]);
        // Until the next file is open, this one is the place to go on from.
        self.start = Some(FilePosition {
            past: self.past.clone(),
            ..current.position()?
        });
        Ok(())
    }
}

fn identity_at(path: &Path) -> Result<Option<Identity>, ConnectorError> {
    Identity::at(path).map_err(|source| disk::error("read", path, source))
}

/// Returns `past` with more series after it, each once, the oldest dropped beyond what is remembered.
fn pushed(past: &Arc<[u64]>, more: impl IntoIterator<Item = u64>) -> Arc<[u64]> {
    let mut all: Vec<u64> = past.to_vec();
    for series in more {
        all.retain(|&known| known != series);
        all.push(series);
    }
    let surplus = all.len().saturating_sub(PAST_MAX);
    all.drain(..surplus);
    all.into()
}
