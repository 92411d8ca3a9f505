//! Segment files: their names, how they are begun and how they are read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, File};
use crate::format::{COPY_OFFSET, Found, HEADER_BYTES, Header, PAGE, TABLE_OFFSET};
use crate::index::Index;
use crate::table::Table;

const LIVE: &str = "segment-";
const SPARE: &str = "spare-";
const FILLING: &str = "filling-";
const DAMAGED: &str = "damaged-";
const SUFFIX: &str = ".wal";

/// Name of the file that holds the lock.
pub(crate) const LOCK: &str = "LOCK";

/// What a file of the directory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    /// A segment of the log.
    Live(u64),
    /// A file that is ready to become a segment.
    Spare(u64),
    /// A file that is being filled.
    Filling(u64),
    /// A damaged segment that is kept (I6).
    Damaged(u64),
}

impl Name {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(SUFFIX)?;
        let number = |prefix| {
            stem.strip_prefix(prefix)
                .filter(|digits| digits.len() == 16)
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        };
        number(LIVE)
            .map(Self::Live)
            .or_else(|| number(SPARE).map(Self::Spare))
            .or_else(|| number(FILLING).map(Self::Filling))
            .or_else(|| number(DAMAGED).map(Self::Damaged))
    }

    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        let (prefix, number) = match self {
            Self::Live(number) => (LIVE, number),
            Self::Spare(number) => (SPARE, number),
            Self::Filling(number) => (FILLING, number),
            Self::Damaged(number) => (DAMAGED, number),
        };
        dir.join(format!("{prefix}{number:016x}{SUFFIX}"))
    }
}

/// Held by whoever reads a segment: its file is not recycled or deleted meanwhile.
#[derive(Debug)]
pub(crate) struct Pin {
    /// Size of the file.
    pub(crate) bytes: u64,
}

/// The segment that is written to.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) header: Header,
    pub(crate) file: Arc<dyn File>,
    pub(crate) pin: Arc<Pin>,
    /// Where the next frame goes.
    pub(crate) end: u32,
}

impl Active {
    /// Room for frames that is left.
    pub(crate) fn room(&self) -> usize {
        (self.header.capacity - self.end) as usize
    }
}

/// A segment that is not written to any more, opened for reading.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) header: Header,
    pub(crate) file: Arc<dyn File>,
    pub(crate) index: Index,
    /// Keeps the file from being recycled.
    #[expect(dead_code, reason = "held for its count")]
    pub(crate) pin: Arc<Pin>,
}

/// Header and table of a segment, as far as they can be read.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) found: Found,
    pub(crate) table: Option<Table>,
}

/// Reads header and table.
pub(crate) fn read_opening(file: &dyn File) -> io::Result<Opening> {
    let mut start = vec![0; COPY_OFFSET + HEADER_BYTES];
    let read = file.read_at(&mut start, 0)?;
    start.truncate(read);
    let found = Header::find(&start);
    let Found::Header(header) = found else {
        return Ok(Opening { found, table: None });
    };
    let mut bytes = vec![0; header.table_bytes as usize];
    let read = file.read_at(&mut bytes, TABLE_OFFSET as u64)?;
    let whole = read == bytes.len() && header.seed().check(&bytes) == header.table_check;
    let table = if whole { Table::decode(&bytes) } else { None };
    Ok(Opening { found, table })
}

/// Where a new segment comes in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) number: u64,
    pub(crate) previous: u64,
    pub(crate) previous_end: u32,
    pub(crate) first_frame: u64,
}

/// Makes a zero-filled or recycled file the next segment: header and table are durable before the file has its name.
pub(crate) fn begin(
    disk: &dyn Disk,
    dir: &Path,
    spare: &Path,
    capacity: u32,
    position: Position,
    table: &[u8],
) -> io::Result<Active> {
    let file = disk.open(spare, Access::Write)?;
    let mut header = Header {
        number: position.number,
        salt: disk.entropy(),
        capacity,
        table_bytes: table.len() as u32,
        table_check: 0,
        previous_end: position.previous_end,
        previous: position.previous,
        first_frame: position.first_frame,
    };
    header.table_check = header.seed().check(table);
    let encoded = header.encode();
    // The page in which the first frame will lie is written whole, so that no page is read back in.
    let mut start = vec![0; header.frames_offset().next_multiple_of(PAGE).min(capacity) as usize];
    start[..HEADER_BYTES].copy_from_slice(&encoded);
    start[COPY_OFFSET..COPY_OFFSET + HEADER_BYTES].copy_from_slice(&encoded);
    start[TABLE_OFFSET..TABLE_OFFSET + table.len()].copy_from_slice(table);
    file.write_at(&start, 0)?;
    file.sync_data()?;
    let path = Name::Live(header.number).path(dir);
    disk.rename(spare, &path)?;
    disk.sync_dir(dir)?;
    let pin = Arc::new(Pin {
        bytes: u64::from(capacity),
    });
    Ok(Active {
        header,
        file,
        pin,
        end: header.frames_offset(),
    })
}
