//! Finds the segment that holds a record, and opens it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cache::Floors;
use crate::disk::Access;
use crate::error::ReadError;
use crate::format::Found;
use crate::index::Index;
use crate::ledger::Ledger;
use crate::segment::{Name, Pin, Sealed, read_opening};
use crate::shared::Shared;
use crate::{Seq, StreamId};

/// Why a segment could not be looked into.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It was recycled meanwhile; whoever looked begins anew.
    Gone,
    /// Header or table are damaged.
    Damaged,
    Io(PathBuf, io::Error),
}

impl Unreadable {
    pub(crate) fn io(path: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io(path, error)
    }
}

/// What is known about the place of a stream's records before any file is opened.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) stream: StreamId,
    /// Numbers of the segments, oldest first; the last is the one being written.
    pub(crate) segments: Vec<u64>,
    /// Last segment in which the stream's next number moved back.
    pub(crate) rewound: u64,
    /// Lowest next number in the segment being written.
    pub(crate) low: Seq,
}

impl Trace {
    pub(crate) fn of(ledger: &Ledger, stream: StreamId) -> Option<Self> {
        let known = ledger.streams.get(&stream)?;
        Some(Self {
            stream,
            segments: ledger.live.keys().copied().collect(),
            rewound: known.rewound,
            low: known.low,
        })
    }

    /// The segment that holds the live copy of a record. Every segment knows the lowest next number that the stream had in
    /// it: the record is in the newest segment where that is not above the record's number. Without rewinds these lowest
    /// numbers only grow, so all but the rewound segments are searched by halving.
    pub(crate) fn segment_of(&self, shared: &Shared, seq: Seq) -> Result<Option<u64>, Unreadable> {
        let Some((active, sealed)) = self.segments.split_last() else {
            return Ok(None);
        };
        if self.low <= seq {
            return Ok(Some(*active));
        }
        let straight = sealed.partition_point(|number| *number <= self.rewound);
        let (mut low, mut high) = (straight, sealed.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.floor(shared, middle)?.is_none_or(|floor| floor <= seq) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low > straight {
            return Ok(Some(sealed[low - 1]));
        }
        for at in (0..straight).rev() {
            if self.floor(shared, at)?.is_none_or(|floor| floor <= seq) {
                return Ok(Some(sealed[at]));
            }
        }
        Ok(None)
    }

    /// The records of a segment from `seq` on that no later segment holds anew: up to which number.
    pub(crate) fn bound(&self, shared: &Shared, number: u64) -> Result<Seq, Unreadable> {
        let mut bound = if self.rewound > number {
            self.low
        } else {
            Seq(u64::MAX)
        };
        let Some((_, sealed)) = self.segments.split_last() else {
            return Ok(bound);
        };
        let after = sealed.partition_point(|other| *other <= number);
        let until = sealed.partition_point(|other| *other <= self.rewound);
        for at in after..until.max(after) {
            if let Some(floor) = self.floor(shared, at)? {
                bound = bound.min(floor);
            }
        }
        Ok(bound)
    }

    /// Where the records of the stream end that are in a segment or before it: the next one's begin there.
    pub(crate) fn end_in(&self, shared: &Shared, number: u64) -> Option<Seq> {
        let behind = self.segments.partition_point(|other| *other <= number);
        if behind + 1 >= self.segments.len() {
            return Some(self.low);
        }
        if let Ok(floor) = self.floor(shared, behind) {
            return floor;
        }
        Some(self.first_found(shared, behind, Seq::ZERO))
    }

    /// The first record from `from` on that can be read, in segments from the one at `behind` on: for when the tables that
    /// would tell are damaged.
    pub(crate) fn first_found(&self, shared: &Shared, behind: usize, from: Seq) -> Seq {
        let sealed_count = self.segments.len().saturating_sub(1);
        let numbers = self.segments.get(behind..sealed_count).unwrap_or_default();
        let firsts = numbers.iter().filter_map(|other| {
            let sealed = sealed(shared, *other).ok()?;
            let run = sealed
                .index
                .runs(self.stream)
                .iter()
                .find(|run| run.until > from)?;
            Some(run.first.max(from))
        });
        firsts.min().unwrap_or(self.low).min(self.low.max(from))
    }

    /// Lowest next number of the stream in a sealed segment; `None`: the stream did not exist yet.
    fn floor(&self, shared: &Shared, at: usize) -> Result<Option<Seq>, Unreadable> {
        let floors = floors(shared, self.segments[at], self.segments[at + 1])?;
        let found = floors.binary_search_by_key(&self.stream, |(stream, _)| *stream);
        Ok(found.ok().map(|at| floors[at].1))
    }
}

/// The lowest next numbers in a segment, from the table of the next one.
fn floors(shared: &Shared, number: u64, next: u64) -> Result<Arc<Floors>, Unreadable> {
    if let Some(floors) = shared.caches.floors(number) {
        return Ok(floors);
    }
    let _pin = pin(shared, next)?;
    let path = Name::Live(next).path(&shared.dir);
    let file = shared
        .disk
        .open(&path, Access::Read)
        .map_err(Unreadable::io(path.clone()))?;
    let opening = read_opening(file.as_ref()).map_err(Unreadable::io(path))?;
    let table = match (opening.found, opening.table) {
        (Found::Header(header), Some(table)) if header.previous == number => table,
        // It tells of another segment, whose file is missing.
        _ => return Err(Unreadable::Damaged),
    };
    let floors: Floors = table
        .streams
        .iter()
        .map(|(id, entry)| (*id, entry.low))
        .collect();
    let floors = Arc::new(floors);
    shared.caches.keep_floors(number, &floors);
    Ok(floors)
}

fn pin(shared: &Shared, number: u64) -> Result<Arc<Pin>, Unreadable> {
    shared
        .ledger()
        .live
        .get(&number)
        .cloned()
        .ok_or(Unreadable::Gone)
}

/// Opens a segment that is not written any more, and indexes it unless it is known.
pub(crate) fn sealed(shared: &Shared, number: u64) -> Result<Arc<Sealed>, Unreadable> {
    if let Some(sealed) = shared.caches.sealed(number) {
        return Ok(sealed);
    }
    let (pin, next) = {
        let ledger = shared.ledger();
        let pin = ledger.live.get(&number).cloned().ok_or(Unreadable::Gone)?;
        let next = ledger
            .live
            .range(number + 1..)
            .next()
            .map(|(next, _)| *next);
        (pin, next)
    };
    let known_end = match next {
        Some(next) => end_before(shared, number, next)?,
        None => None,
    };
    let path = Name::Live(number).path(&shared.dir);
    let file = shared
        .disk
        .open(&path, Access::Read)
        .map_err(Unreadable::io(path.clone()))?;
    let opening = read_opening(file.as_ref()).map_err(Unreadable::io(path.clone()))?;
    let Found::Header(header) = opening.found else {
        return Err(Unreadable::Damaged);
    };
    let index = Index::build(file.as_ref(), &header, known_end).map_err(Unreadable::io(path))?;
    for (at, end) in &index.damage {
        // I6: named once when it is met.
        if shared.damaged(number, u64::from(*at)) {
            tracing::error!(
                segment = number,
                offset = at,
                bytes = end - at,
                "damage in the log"
            );
        }
    }
    let sealed = Arc::new(Sealed {
        header,
        file,
        index,
        pin,
    });
    shared.caches.keep_sealed(&sealed);
    Ok(sealed)
}

/// Where a segment ends, as the header of the next one says.
fn end_before(shared: &Shared, number: u64, next: u64) -> Result<Option<u32>, Unreadable> {
    let path = Name::Live(next).path(&shared.dir);
    let _pin = pin(shared, next)?;
    let file = shared
        .disk
        .open(&path, Access::Read)
        .map_err(Unreadable::io(path.clone()))?;
    match read_opening(file.as_ref())
        .map_err(Unreadable::io(path))?
        .found
    {
        Found::Header(header) if header.previous == number => Ok(Some(header.previous_end)),
        _ => Ok(None),
    }
}

impl From<Unreadable> for ReadError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(path, source) => Self::Io { path, source },
            Unreadable::Gone | Unreadable::Damaged => Self::Io {
                path: PathBuf::new(),
                source: io::ErrorKind::InvalidData.into(),
            },
        }
    }
}
