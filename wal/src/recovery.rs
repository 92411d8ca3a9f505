//! Finds out what a directory holds: the state at the end of the log, torn tails and damage.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, File, Listed};
use crate::error::OpenError;
use crate::format::{Found, Header, PAGE, VERSION};
use crate::frame::{FRAME_BYTES, Frame, Kind, Op, ops};
use crate::index::Index;
use crate::scan::{Event, Scan, salvage};
use crate::segment::{Name, Opening, read_opening};
use crate::table::{Gap, Table};
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

/// Replays segments in order.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) table: Table,
    pub(crate) damage: Vec<Damage>,
    pub(crate) next_frame: u64,
}

/// Where the replay of one segment ended.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) end: u32,
    pub(crate) dirty_end: u32,
    pub(crate) unsynced: u32,
    pub(crate) closed: bool,
    pub(crate) torn_bytes: u64,
    pub(crate) index: Index,
    pub(crate) frames: u64,
    pub(crate) records: u64,
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
    let mut replay = Replay {
        table: Table::default(),
        damage: Vec::new(),
        next_frame: 1,
    };
    let mut report = Recovery {
        segments: listing.live.len(),
        ..Recovery::default()
    };
    let mut chain = Vec::new();
    for number in listing.live.keys().rev() {
        let mut opened = open(disk, dir, *number)?;
        let table = opened.opening.table.take();
        chain.push((*number, opened));
        if let Some(table) = table {
            replay.table = table;
            break;
        }
    }
    if chain.is_empty() {
        report.clean = true;
    }
    replay.table.begin_segment();
    let mut last = None;
    for at in (0..chain.len()).rev() {
        let (number, opened) = &chain[at];
        let is_first = at + 1 == chain.len();
        let Found::Header(header) = opened.opening.found else {
            replay.note(*number, (0, listing.live[number]), Part::Header, Vec::new());
            replay.table.begin_segment();
            last = None;
            continue;
        };
        if is_first {
            replay.next_frame = header.first_frame;
        }
        // The segment before the newest is always kept, for the case that the newest table is damaged.
        if at == 0 && header.previous != 0 && !listing.live.contains_key(&header.previous) {
            replay.note(header.previous, (0, 0), Part::File, Vec::new());
        }
        // The first of the chain gave its table, unless none has one.
        if !is_first || replay.table == Table::default() && header.table_bytes > 16 {
            let bytes = u64::from(header.table_bytes);
            replay.note(*number, (8192, bytes), Part::Table, Vec::new());
            replay.table.begin_segment();
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

/// State to go back to if what follows turns out to be a torn tail.
struct Doubt {
    table: Table,
    index: Index,
    damage: usize,
    at: u32,
    expected: u64,
    closed: bool,
    unsynced: u32,
    counts: (u64, u64),
}

impl Replay {
    fn note(&mut self, segment: u64, (offset, bytes): (u64, u64), part: Part, lost: Vec<Lost>) {
        self.damage.push(Damage {
            segment,
            offset,
            bytes,
            part,
            lost,
        });
    }

    /// Applies a segment to the table. In the newest one, invalid bytes may be a torn tail.
    pub(crate) fn segment(
        &mut self,
        file: &dyn File,
        header: &Header,
        known_end: Option<u32>,
        newest: bool,
    ) -> std::io::Result<Replayed> {
        let from = header.frames_offset();
        let mut scan = Scan::new(
            file,
            header.seed(),
            from,
            header.first_frame,
            (header.capacity, known_end),
        );
        let mut walk = Replayed {
            end: from,
            dirty_end: from,
            unsynced: from,
            closed: false,
            torn_bytes: 0,
            index: Index::default(),
            frames: 0,
            records: 0,
        };
        let mut unsynced: VecDeque<(u64, u32)> = VecDeque::new();
        let mut doubt: Option<Doubt> = None;
        loop {
            let expected = scan.expected();
            match scan.next()? {
                Event::Whole { at, frame } => {
                    // Every frame below `durable` was synced before this one was written: what is invalid there is damage.
                    if doubt
                        .as_ref()
                        .is_some_and(|doubt| frame.durable > doubt.expected)
                    {
                        doubt = None;
                    }
                    while unsynced
                        .front()
                        .is_some_and(|(number, _)| *number < frame.durable)
                    {
                        unsynced.pop_front();
                    }
                    unsynced.push_back((frame.number, at));
                    let bytes = scan.bytes(at, at + frame.bytes)?;
                    self.frame(bytes, &frame, header.number, at, &mut walk);
                    walk.end = at + frame.bytes;
                    self.next_frame = frame.number + 1;
                }
                Event::Invalid { at, end } => {
                    if newest && doubt.is_none() {
                        doubt = Some(Doubt {
                            table: self.table.clone(),
                            index: std::mem::take(&mut walk.index),
                            damage: self.damage.len(),
                            at,
                            expected,
                            closed: walk.closed,
                            unsynced: unsynced.front().map_or(at, |(_, at)| *at),
                            counts: (walk.frames, walk.records),
                        });
                    }
                    walk.closed = false;
                    let region = scan.bytes(at, end)?;
                    self.region(region, header, at);
                    walk.end = end;
                }
                Event::End { at, dirty_end } => {
                    walk.unsynced = unsynced.front().map_or(at, |(_, at)| *at);
                    walk.dirty_end = dirty_end;
                    break;
                }
            }
        }
        match doubt {
            Some(doubt) => {
                self.go_back(doubt, &mut walk);
            }
            // Runs from before the damage were set aside with the doubt: index anew, damage included.
            None if newest && !self.damage.is_empty() => {
                walk.index = Index::build(file, header, Some(walk.end))?;
            }
            None => {}
        }
        if newest {
            walk.torn_bytes = u64::from(walk.dirty_end.saturating_sub(walk.end));
        }
        Ok(walk)
    }

    /// What was invalid is a torn tail: forgets all that came from it and behind it.
    fn go_back(&mut self, doubt: Doubt, walk: &mut Replayed) {
        walk.dirty_end = walk.dirty_end.max(walk.end);
        self.table = doubt.table;
        self.damage.truncate(doubt.damage);
        self.next_frame = doubt.expected;
        walk.index = doubt.index;
        walk.end = doubt.at;
        walk.closed = doubt.closed;
        walk.unsynced = doubt.unsynced;
        (walk.frames, walk.records) = doubt.counts;
    }

    fn frame(&mut self, bytes: &[u8], frame: &Frame, segment: u64, at: u32, walk: &mut Replayed) {
        walk.closed = false;
        walk.frames += 1;
        let mut gaps = Vec::new();
        for op in ops(bytes, FRAME_BYTES, frame.bytes as usize) {
            walk.records += u64::from(op.kind == Kind::Append);
            walk.closed |= op.kind == Kind::Close;
            gaps.extend(self.table.apply(op, bytes, segment));
        }
        walk.index.add_frame(bytes, at);
        self.name_lost(&gaps, segment, at);
    }

    /// Takes what is healthy from a damaged region.
    fn region(&mut self, region: &[u8], header: &Header, at: u32) {
        let extent = (u64::from(at), region.len() as u64);
        self.note(header.number, extent, Part::Frames, Vec::new());
        let ops: Vec<Op> = salvage(header.seed(), region);
        let gaps: Vec<Gap> = ops
            .into_iter()
            .filter_map(|op| self.table.apply(op, region, header.number))
            .collect();
        self.name_lost(&gaps, header.number, at);
    }

    /// Adds lost records to the damage that took them.
    pub(crate) fn name_lost(&mut self, gaps: &[Gap], segment: u64, at: u32) {
        for gap in gaps {
            let name = self
                .table
                .streams
                .get(&gap.stream)
                .map(|entry| entry.name.to_string());
            let lost = Lost {
                stream: gap.stream,
                name: name.unwrap_or_default(),
                from: gap.from,
                to: gap.to,
            };
            match self.damage.last_mut() {
                Some(damage) if damage.segment == segment => damage.lost.push(lost),
                _ => self.note(segment, (u64::from(at), 0), Part::Frames, vec![lost]),
            }
        }
    }
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
