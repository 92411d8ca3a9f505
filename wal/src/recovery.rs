//! Finds out what a directory holds: the state at the end of the log, torn tails and damage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, File, Listed};
use crate::error::OpenError;
use crate::format::{Found, Header, PAGE, TABLE_OFFSET, VERSION};
use crate::index::Index;
use crate::replay::Replay;
use crate::segment::{Name, Opening, read_opening};
use crate::table::Table;
use crate::{Seq, StreamId};

/// What opening a log found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Segments found.
    pub segments: usize,
    /// Whether the log had been closed cleanly.
    pub clean: bool,
    /// Bytes of unfinished writes cut from the end.
    pub torn_bytes: u64,
    /// Damage met (I6). Only the newest segment is read; [`verify`](crate::verify) reads all.
    pub damage: Vec<Damage>,
}

/// Damage on disk (I6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Number of the segment.
    pub segment: u64,
    /// Where it begins in the segment's file.
    pub offset: u64,
    /// Bytes damaged; with `Frames`, up to the next whole batch.
    pub bytes: u64,
    /// What is damaged.
    pub part: Part,
    /// Records lost with it.
    pub lost: Vec<Lost>,
}

/// The part of a segment that is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Part {
    /// The header and its copy: nothing of the segment can be read.
    Header,
    /// The table of streams and registers; it was recovered from the segment before.
    Table,
    /// Batches.
    Frames,
    /// The whole file is missing.
    File,
}

/// Records lost to damage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Number of the stream.
    pub stream: StreamId,
    /// Name of the stream.
    pub name: String,
    /// First record lost.
    pub from: Seq,
    /// First record behind them.
    pub to: Seq,
}

/// The files of a directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Segments by number, with their sizes.
    pub(crate) live: BTreeMap<u64, u64>,
    pub(crate) spares: Vec<(PathBuf, u64)>,
    pub(crate) fillings: Vec<PathBuf>,
    /// Damaged segments that are kept.
    pub(crate) damaged: Vec<u64>,
}

impl Listing {
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, OpenError> {
        let mut listing = Self::default();
        for Listed { name, bytes } in disk.list(dir).map_err(OpenError::io(dir))? {
            match Name::parse(&name) {
                Some(Name::Live(number)) => {
                    listing.live.insert(number, bytes);
                }
                Some(Name::Spare(_)) => listing.spares.push((dir.join(name), bytes)),
                Some(Name::Filling(_)) => listing.fillings.push(dir.join(name)),
                Some(Name::Damaged(number)) => listing.damaged.push(number),
                None => {}
            }
        }
        Ok(listing)
    }
}

/// The end of a log, ready to be written on.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) table: Table,
    pub(crate) report: Recovery,
    /// The newest segment, if its header can be read.
    pub(crate) last: Option<Last>,
    pub(crate) next_frame: u64,
}

/// The newest segment.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) header: Header,
    pub(crate) path: PathBuf,
    /// Behind the last valid frame.
    pub(crate) end: u32,
    /// Frames of a torn tail reach up to here.
    pub(crate) dirty_end: u32,
    /// Frames from here on are not known to have been synced.
    pub(crate) unsynced: u32,
    pub(crate) index: Index,
}

/// One segment opened for replay.
struct Opened {
    file: Arc<dyn File>,
    path: PathBuf,
    opening: Opening,
}

fn open(disk: &dyn Disk, dir: &Path, number: u64) -> Result<Opened, OpenError> {
    let path = Name::Live(number).path(dir);
    let file = disk
        .open(&path, Access::Read)
        .map_err(OpenError::io(&path))?;
    let opening = read_opening(file.as_ref()).map_err(OpenError::io(&path))?;
    if let Found::Newer(found) = opening.found {
        return Err(OpenError::NewerFormat {
            dir: dir.to_owned(),
            found,
            supported: VERSION as u16,
        });
    }
    Ok(Opened {
        file,
        path,
        opening,
    })
}

/// Recovers the end of the log. Only the newest segment is read, and the ones before it as far as its table is damaged.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, listing: &Listing) -> Result<End, OpenError> {
    let mut replay = Replay::new();
    let mut report = Recovery {
        segments: listing.live.len(),
        ..Recovery::default()
    };
    let (chain, has_table) = chain(disk, dir, listing, &mut replay)?;
    report.clean = chain.is_empty();
    let mut last = None;
    for at in (0..chain.len()).rev() {
        let (number, opened) = &chain[at];
        replay.table.begin_segment();
        let Found::Header(header) = opened.opening.found else {
            replay.note(*number, (0, listing.live[number]), Part::Header, Vec::new());
            last = None;
            continue;
        };
        let oldest = at + 1 == chain.len();
        if oldest {
            replay.next_frame = header.first_frame;
        }
        if !(oldest && has_table) {
            let extent = (TABLE_OFFSET as u64, u64::from(header.table_bytes));
            replay.note(*number, extent, Part::Table, Vec::new());
        }
        // The segment before the newest is always kept, for the case that the newest table is damaged.
        if at == 0 && header.previous != 0 && !listing.live.contains_key(&header.previous) {
            replay.note(header.previous, (0, 0), Part::File, Vec::new());
        }
        let known_end = at
            .checked_sub(1)
            .and_then(|next| match chain[next].1.opening.found {
                Found::Header(next) if next.previous == *number => Some(next.previous_end),
                _ => None,
            });
        let replayed = replay
            .segment(opened.file.as_ref(), &header, known_end, at == 0)
            .map_err(OpenError::io(&opened.path))?;
        if at == 0 {
            report.clean = replayed.closed;
            report.torn_bytes = replayed.torn_bytes;
            last = Some(Last {
                header,
                path: opened.path.clone(),
                end: replayed.end,
                dirty_end: replayed.dirty_end,
                unsynced: replayed.unsynced,
                index: replayed.index,
            });
        }
    }
    report.damage = replay.damage;
    Ok(End {
        table: replay.table,
        report,
        last,
        next_frame: replay.next_frame,
    })
}

/// The segments to replay, newest first: back to the first whose table is whole, which `replay` then begins with. Tells
/// whether there is one.
fn chain(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    replay: &mut Replay,
) -> Result<(Vec<(u64, Opened)>, bool), OpenError> {
    let mut chain = Vec::new();
    for number in listing.live.keys().rev() {
        let mut opened = open(disk, dir, *number)?;
        let table = opened.opening.table.take();
        chain.push((*number, opened));
        if let Some(table) = table {
            replay.table = table;
            return Ok((chain, true));
        }
    }
    Ok((chain, false))
}

impl Last {
    /// Makes the end of the segment fit to be written on: cuts a torn tail and syncs what may not have been.
    ///
    /// Doing it again after a crash in the middle changes nothing: it removes frames that are cut anyway, and writes again
    /// what is there.
    pub(crate) fn mend(&self, disk: &dyn Disk) -> std::io::Result<Arc<dyn File>> {
        let file = disk.open(&self.path, Access::Write)?;
        // Whatever a failed sync left in the page cache marked as clean is written again, so that this sync covers it.
        let mut bytes = vec![0; (self.end - self.unsynced) as usize];
        let read = file.read_at(&mut bytes, u64::from(self.unsynced))?;
        file.write_at(&bytes[..read], u64::from(self.unsynced))?;
        let zeros = vec![0; 64 << 10];
        let mut at = self.end;
        let dirty_end = self
            .dirty_end
            .max(self.end.next_multiple_of(PAGE).min(self.header.capacity));
        while at < dirty_end {
            let step = (dirty_end - at).min(zeros.len() as u32);
            file.write_at(&zeros[..step as usize], u64::from(at))?;
            at += step;
        }
        file.sync_data()?;
        Ok(file)
    }
}
