//! An incomplete last line: found, and put aside before anything is appended to it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use hermod_sdk::ConnectorError;

use crate::{csv::Scanner, disk, timestamp};

const CHUNK_BYTES: usize = 256 * 1024;

/// What ends a piece of the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// A line break.
    Lines,
    /// A line break outside of quotes.
    Csv {
        /// What stands between fields.
        delimiter: u8,
    },
}

/// Moves an incomplete last line or record to a file of its own and returns how long the rest is.
///
/// # Durability
/// The moved bytes are synced, name included, before they are cut off here.
pub(super) fn repair(file: &File, path: &Path, framing: Framing) -> Result<u64, ConnectorError> {
    let read_error = |source| disk::error("read", path, source);
    let length = file.metadata().map_err(read_error)?.len();
    let whole = match framing {
        Framing::Lines => last_line_end(file, length),
        Framing::Csv { delimiter } => last_record_end(file, length, delimiter),
    }
    .map_err(read_error)?;
    if whole == length {
        return Ok(length);
    }
    let aside = put_aside(file, path, whole)?;
    file.set_len(whole)
        .and_then(|()| file.sync_data())
        .map_err(|source| disk::error("cut the incomplete last line off", path, source))?;
    tracing::warn!(
        file = %path.display(),
        offset = whole,
        bytes = length - whole,
        moved_to = %aside.display(),
        "incomplete last line was moved to a file of its own"
    );
    Ok(whole)
}

fn put_aside(mut file: &File, path: &Path, from: u64) -> Result<PathBuf, ConnectorError> {
    let name = disk::with_suffix(
        path,
        &format!(".torn-{}", timestamp::utc_basic(SystemTime::now())),
    );
    let mut copy = |name: &Path| -> io::Result<()> {
        let mut aside = OpenOptions::new().write(true).create_new(true).open(name)?;
        file.seek(SeekFrom::Start(from))?;
        io::copy(&mut file, &mut aside)?;
        aside.flush()?;
        aside.sync_all()
    };
    copy(&name).map_err(|source| disk::error("move an incomplete last line to", &name, source))?;
    disk::sync_directory(disk::parent(&name))?;
    Ok(name)
}

fn last_line_end(file: &File, length: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES as u64);
        let bytes = &mut chunk[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        if let Some(at) = bytes.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A line break may stand inside quotes, so only a pass from the beginning tells where a record ends.
fn last_record_end(file: &File, length: u64, delimiter: u8) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut scanner = Scanner::new(delimiter);
    let (mut start, mut last) = (0, 0);
    while start < length {
        let size = (length - start).min(CHUNK_BYTES as u64) as usize;
        let bytes = &mut chunk[..size];
        file.read_exact_at(bytes, start)?;
        let mut used = 0;
        while let Some(taken) = scanner.end(&bytes[used..]) {
            used += taken;
            last = start + used as u64;
        }
        start += size as u64;
    }
    Ok(last)
}
