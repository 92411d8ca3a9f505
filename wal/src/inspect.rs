//! Looking at a log from outside: read-only and without its lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk, Native};
use crate::error::OpenError;
use crate::format::{Found, Header, TABLE_OFFSET, VERSION};
use crate::index::Index;
use crate::recovery::{Damage, Listing, Part, recover};
use crate::replay::Replay;
use crate::segment::{Name, read_opening};
use crate::table::{Gap, Table};
use crate::{Seq, StreamId};

/// What a directory holds, as the next opening would find it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// Directory of the log.
    pub dir: PathBuf,
    /// Version of the format that this program writes.
    pub format: u16,
    /// Segments, oldest first.
    pub segments: Vec<SegmentInfo>,
    /// Files kept ready, and their bytes together.
    pub spares: usize,
    /// Bytes of the files kept ready.
    pub spare_bytes: u64,
    /// Whether the log was closed cleanly.
    pub clean: bool,
    /// Bytes of unfinished writes at the end.
    pub torn_bytes: u64,
    /// Streams, by number.
    pub streams: Vec<StreamTotal>,
    /// Registers: name and bytes of the value.
    pub registers: Vec<(String, usize)>,
    /// Damage met on the way. Of all segments but the newest only the headers are read.
    pub damage: Vec<Damage>,
}

/// A segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u64,
    /// Size of its file.
    pub bytes: u64,
    /// Bytes of its table of streams and registers.
    pub table_bytes: u64,
    /// Number of its first batch.
    pub first_batch: u64,
    /// Whether its header can be read.
    pub readable: bool,
    /// Whether its table can be read.
    pub table_readable: bool,
}

/// A stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamTotal {
    /// Its number.
    pub id: StreamId,
    /// Its name.
    pub name: String,
    /// First record: those before were trimmed.
    pub first: Seq,
    /// Number of the next record.
    pub next: Seq,
    /// Records that are there. Inspecting: as many as there should be; verifying: found and whole.
    pub records: u64,
    /// Bytes of those records with their headers; verifying only, `None` where nobody has counted.
    pub bytes: Option<u64>,
}

/// What reading every byte of a log found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verification {
    /// What the directory holds; `streams` tells what was found.
    pub inspection: Inspection,
    /// Batches read.
    pub batches: u64,
    /// Records read, trimmed ones included.
    pub records: u64,
    /// All damage, with the exact records lost (I6), trimmed ones included.
    pub damage: Vec<Damage>,
    /// Whether there is no damage at all.
    pub healthy: bool,
}

/// Looks at the headers and the newest segment of a log; changes nothing, and needs no lock.
///
/// Beside a running log the answer may mix two moments, and say `torn` of a batch that is being written.
pub fn inspect(dir: impl AsRef<Path>) -> Result<Inspection, OpenError> {
    inspect_on(&Native, dir.as_ref())
}

/// Reads and checks every byte of a log; changes nothing, and needs no lock.
pub fn verify(dir: impl AsRef<Path>) -> Result<Verification, OpenError> {
    verify_on(&Native, dir.as_ref())
}

fn inspect_on(disk: &dyn Disk, dir: &Path) -> Result<Inspection, OpenError> {
    let listing = match Listing::read(disk, dir) {
        Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::Missing {
                dir: dir.to_owned(),
            });
        }
        listing => listing?,
    };
    let end = recover(disk, dir, &listing)?;
    let mut damage = end.report.damage;
    let mut segments = Vec::new();
    for (number, bytes) in &listing.live {
        segments.extend(segment_info(disk, dir, (*number, *bytes), &mut damage)?);
    }
    let streams = end.table.streams.iter().map(|(id, entry)| StreamTotal {
        id: *id,
        name: entry.name.to_string(),
        first: entry.extent.first,
        next: entry.extent.next,
        records: entry.extent.next.0 - entry.extent.first.0,
        bytes: None,
    });
    let registers = end.table.registers.iter();
    Ok(Inspection {
        dir: dir.to_owned(),
        format: VERSION as u16,
        segments,
        spares: listing.spares.len(),
        spare_bytes: listing.spares.iter().map(|(_, bytes)| bytes).sum(),
        clean: end.report.clean,
        torn_bytes: end.report.torn_bytes,
        streams: streams.collect(),
        registers: registers
            .map(|(name, value)| (name.to_string(), value.len()))
            .collect(),
        damage,
    })
}

fn segment_info(
    disk: &dyn Disk,
    dir: &Path,
    (number, bytes): (u64, u64),
    damage: &mut Vec<Damage>,
) -> Result<Option<SegmentInfo>, OpenError> {
    let path = Name::Live(number).path(dir);
    let file = match disk.open(&path, Access::Read) {
        // Recycled by a running log since the directory was listed.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(OpenError::io(&path))?,
    };
    let opening = read_opening(file.as_ref()).map_err(OpenError::io(&path))?;
    damage.extend(opening.differing.map(|(offset, bytes)| Damage {
        segment: number,
        offset,
        bytes,
        part: Part::HeaderCopy,
        lost: Vec::new(),
    }));
    let mut info = SegmentInfo {
        number,
        bytes,
        table_bytes: 0,
        first_batch: 0,
        readable: false,
        table_readable: opening.table.is_some(),
    };
    if let Found::Header(header) = opening.found {
        info.table_bytes = u64::from(header.table_bytes);
        info.first_batch = header.first_frame;
        info.readable = true;
    }
    Ok(Some(info))
}

/// Records found per stream, without those that a later segment holds anew.
type Totals = BTreeMap<StreamId, BTreeMap<u64, (u64, u64)>>;

fn verify_on(disk: &dyn Disk, dir: &Path) -> Result<Verification, OpenError> {
    let mut inspection = inspect_on(disk, dir)?;
    let numbers: Vec<u64> = inspection
        .segments
        .iter()
        .map(|segment| segment.number)
        .collect();
    let mut check = Check {
        disk,
        dir,
        numbers,
        replay: Replay::new(),
        totals: Totals::new(),
        batches: 0,
        records: 0,
    };
    for at in 0..check.numbers.len() {
        check.segment(at, inspection.segments[at].bytes)?;
    }
    for stream in &mut inspection.streams {
        let extent = (stream.first, stream.next);
        let runs = check.totals.get(&stream.id);
        let (records, bytes) = runs.map_or((0, 0), |runs| total(runs, extent));
        (stream.records, stream.bytes) = (records, Some(bytes));
    }
    let damage = check.replay.damage;
    Ok(Verification {
        inspection,
        batches: check.batches,
        records: check.records,
        healthy: damage.is_empty(),
        damage,
    })
}

/// A verification on its way.
struct Check<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    numbers: Vec<u64>,
    replay: Replay,
    totals: Totals,
    batches: u64,
    records: u64,
}

impl Check<'_> {
    fn segment(&mut self, at: usize, bytes: u64) -> Result<(), OpenError> {
        let number = self.numbers[at];
        let path = Name::Live(number).path(self.dir);
        let file = match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(OpenError::io(&path))?,
        };
        let opening = read_opening(file.as_ref()).map_err(OpenError::io(&path))?;
        let Found::Header(header) = opening.found else {
            self.replay
                .note(number, (0, bytes), Part::Header, Vec::new());
            return Ok(());
        };
        if let Some(extent) = opening.differing {
            // I6: nothing is lost yet; one more fault in that place would lose the segment.
            self.replay
                .note(number, extent, Part::HeaderCopy, Vec::new());
        }
        self.begin(at, &header, opening.table);
        let known_end = known_end(
            self.disk,
            self.dir,
            number,
            self.numbers.get(at + 1).copied(),
        )?;
        let newest = at + 1 == self.numbers.len();
        let replayed = self
            .replay
            .segment(file.as_ref(), &header, known_end, newest)
            .map_err(OpenError::io(&path))?;
        self.batches += replayed.frames;
        self.records += replayed.records;
        let end = known_end.or(Some(replayed.end));
        let index = Index::build(file.as_ref(), &header, end).map_err(OpenError::io(&path))?;
        count(&index, &mut self.totals);
        Ok(())
    }

    /// Compares the table of a segment with what the segments before it led to; the difference was lost in them.
    fn begin(&mut self, at: usize, header: &Header, table: Option<Table>) {
        let before = self.numbers[..at].last().copied();
        if let Some(table) = table {
            if before.is_some_and(|before| before != header.previous) {
                self.replay
                    .note(header.previous, (0, 0), Part::File, Vec::new());
            }
            if before.is_some() {
                let gaps = missing(&self.replay.table, &table);
                self.replay.table = table;
                self.replay.name_lost(&gaps, header.previous, 0);
            } else {
                self.replay.table = table;
            }
        } else {
            let extent = (TABLE_OFFSET as u64, u64::from(header.table_bytes));
            self.replay
                .note(header.number, extent, Part::Table, Vec::new());
        }
        self.replay.table.begin_segment();
    }
}

fn known_end(
    disk: &dyn Disk,
    dir: &Path,
    number: u64,
    next: Option<u64>,
) -> Result<Option<u32>, OpenError> {
    let Some(next) = next else { return Ok(None) };
    let path = Name::Live(next).path(dir);
    let file = disk
        .open(&path, Access::Read)
        .map_err(OpenError::io(&path))?;
    match read_opening(file.as_ref())
        .map_err(OpenError::io(&path))?
        .found
    {
        Found::Header(header) if header.previous == number => Ok(Some(header.previous_end)),
        _ => Ok(None),
    }
}

/// Records that a table says were appended, and that the replay before it did not meet.
fn missing(replayed: &Table, stated: &Table) -> Vec<Gap> {
    let gaps = stated.streams.iter().filter_map(|(id, entry)| {
        let met = replayed
            .streams
            .get(id)
            .map_or(Seq::ZERO, |met| met.extent.next);
        let from = met.max(entry.extent.first);
        (from < entry.extent.next).then_some(Gap {
            stream: *id,
            from,
            to: entry.extent.next,
        })
    });
    gaps.collect()
}

/// Adds the runs of a segment: they replace what earlier segments held from their first record on.
fn count(index: &Index, totals: &mut Totals) {
    for (stream, runs) in index.streams() {
        let known = totals.entry(stream).or_default();
        for run in runs {
            // Records from here on that were met before were cut by a rewind.
            known.split_off(&run.first.0);
            if let Some((_, (until, _))) = known.range_mut(..run.first.0).next_back() {
                *until = (*until).min(run.first.0);
            }
            known.insert(run.first.0, (run.until.0, u64::from(run.end - run.at)));
        }
    }
}

/// Records and bytes within an extent.
fn total(runs: &BTreeMap<u64, (u64, u64)>, (first, next): (Seq, Seq)) -> (u64, u64) {
    let mut sum = (0, 0);
    for (from, (until, bytes)) in runs {
        let inside = (*until).min(next.0).saturating_sub((*from).max(first.0));
        let all = (until - from).max(1);
        sum.0 += inside;
        sum.1 += bytes * inside / all;
    }
    sum
}
