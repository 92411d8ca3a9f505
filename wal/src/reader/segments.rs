//! Reading from segments: the one being written, and older ones.

use std::sync::Arc;

use super::view::{Chunk, FileView, Walk};
use super::{Record, Request};
use crate::Seq;
use crate::error::ReadError;
use crate::index::{Index, Run};
use crate::locate::{Trace, Unreadable, sealed};
use crate::segment::{Active, Name, Sealed};
use crate::shared::Shared;

/// Where a reader stands in the files.
#[derive(Debug, Default)]
pub(super) struct Place {
    sealed: Option<Stand>,
    chunk: Chunk,
}

/// A sealed segment that a reader reads from.
#[derive(Debug)]
struct Stand {
    sealed: Arc<Sealed>,
    /// Records from here on are in other segments.
    bound: Seq,
    /// The bound holds as long as the stream was not rewound since.
    rewound: (u64, Seq),
}

/// Why nothing was read.
pub(super) enum Failure {
    /// The segment was recycled meanwhile.
    Again,
    Final(ReadError),
}

/// Records are missing where they should be.
struct Hole {
    segment: u64,
    offset: u32,
    /// Where the damaged region around it begins, if it is known.
    region: Option<u32>,
    to: Seq,
}

/// Reads from the segment that is being written: a copy of its runs tells where.
pub(super) fn from_active(
    shared: &Shared,
    request: Request,
    place: &mut Place,
    active: &Active,
    (runs, bound): (&[Run], Seq),
) -> Result<Vec<Record>, Failure> {
    place.sealed = None;
    let view = FileView {
        number: active.header.number,
        seed: active.header.seed(),
        file: active.file.as_ref(),
    };
    let walk = match view.read(request, runs, bound, &mut place.chunk) {
        Ok(records) => return Ok(records),
        Err(Walk::Io(error)) => return Err(io(shared, view.number, error)),
        Err(walk) => walk,
    };
    // Not as it was written: look at all of it again, so that only what is damaged is missed.
    let index = Index::build(active.file.as_ref(), &active.header, Some(active.end))
        .map_err(|error| io(shared, view.number, error))?;
    let again = view.read(
        request,
        index.runs(request.stream),
        bound,
        &mut Chunk::default(),
    );
    again.map_err(|again| hole(shared, view.number, &index, request, (walk, again), bound))
}

/// Reads from a segment that is not written any more; `next` ends what may be seen.
pub(super) fn from_sealed(
    shared: &Shared,
    request: Request,
    place: &mut Place,
    trace: &Trace,
    next: Seq,
) -> Result<Vec<Record>, Failure> {
    let stand = match place.sealed.take() {
        Some(stand) if stand.still_holds(request, trace) => stand,
        _ => Stand::find(shared, request, trace, next)?,
    };
    let number = stand.sealed.header.number;
    let view = FileView {
        number,
        seed: stand.sealed.header.seed(),
        file: stand.sealed.file.as_ref(),
    };
    let bound = stand.bound.min(next);
    let runs = stand.sealed.index.runs(request.stream);
    let walk = match view.read(request, runs, bound, &mut place.chunk) {
        Ok(records) => {
            place.sealed = Some(stand);
            return Ok(records);
        }
        Err(Walk::Io(error)) => return Err(io(shared, number, error)),
        Err(walk) => walk,
    };
    let to = trace.end_in(shared, number).unwrap_or(bound).min(bound);
    if matches!(walk, Walk::Missing) {
        let index = &stand.sealed.index;
        return Err(hole(
            shared,
            number,
            index,
            request,
            (Walk::Missing, Walk::Missing),
            to,
        ));
    }
    // Damaged since it was indexed: index it anew, so that only what is damaged is missed.
    shared.caches.forget(number);
    let fresh = sealed(shared, number)?;
    let index = &fresh.index;
    let again = view.read(
        request,
        index.runs(request.stream),
        bound,
        &mut Chunk::default(),
    );
    again.map_err(|again| hole(shared, number, index, request, (walk, again), to))
}

impl Stand {
    /// Finds the segment that holds the record asked for.
    fn find(shared: &Shared, request: Request, trace: &Trace, next: Seq) -> Result<Self, Failure> {
        let oldest = trace.segments.first().copied().unwrap_or(0);
        let number = match trace.segment_of(shared, request.from) {
            Ok(Some(number)) => number,
            Ok(None) => {
                let to = trace.end_in(shared, 0).unwrap_or(next).min(next);
                return Err(lost(
                    shared,
                    request,
                    &Hole {
                        segment: oldest,
                        offset: 0,
                        region: None,
                        to,
                    },
                ));
            }
            Err(Unreadable::Damaged) => {
                let found = search_all(shared, trace, request);
                let to = trace.first_found(shared, 0, request.from).min(next);
                let hole = Hole {
                    segment: oldest,
                    offset: 0,
                    region: None,
                    to,
                };
                found.ok_or_else(|| lost(shared, request, &hole))?
            }
            Err(error) => return Err(error.into()),
        };
        if trace.segments.last() == Some(&number) {
            return Err(Failure::Again);
        }
        let bound = trace.bound(shared, number).unwrap_or(Seq(u64::MAX));
        match sealed(shared, number) {
            Ok(sealed) => Ok(Self {
                sealed,
                bound,
                rewound: (trace.rewound, trace.low),
            }),
            Err(Unreadable::Damaged) => {
                let to = trace
                    .end_in(shared, number)
                    .unwrap_or(next)
                    .min(next)
                    .min(bound);
                Err(lost(
                    shared,
                    request,
                    &Hole {
                        segment: number,
                        offset: 0,
                        region: None,
                        to,
                    },
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn still_holds(&self, request: Request, trace: &Trace) -> bool {
        let runs = self.sealed.index.runs(request.stream);
        let inside = runs.first().is_some_and(|run| run.first <= request.from)
            && runs.last().is_some_and(|run| request.from < run.until);
        let unmoved = if trace.rewound == 0 {
            self.rewound.0 == 0
        } else {
            self.rewound == (trace.rewound, trace.low)
        };
        inside && unmoved && request.from < self.bound
    }
}

/// The newest segment whose records include the one asked for; for when a table that would tell is damaged.
fn search_all(shared: &Shared, trace: &Trace, request: Request) -> Option<u64> {
    let numbers = trace.segments.split_last()?.1;
    numbers.iter().rev().copied().find(|number| {
        sealed(shared, *number).is_ok_and(|sealed| {
            let runs = sealed.index.runs(request.stream);
            runs.iter()
                .any(|run| (run.first..run.until).contains(&request.from))
        })
    })
}

/// I6: the exact range that is lost: up to the next record that the index knows, or to where the segment ends.
fn hole(
    shared: &Shared,
    number: u64,
    index: &Index,
    request: Request,
    (first, again): (Walk, Walk),
    end: Seq,
) -> Failure {
    if let Walk::Io(error) = again {
        return io(shared, number, error);
    }
    let from = request.from;
    let runs = index.runs(request.stream);
    let before = runs
        .iter()
        .rfind(|run| run.until <= from)
        .map_or(0, |run| run.end);
    let region = index.damage.iter().find(|(_, end)| *end > before);
    let offset = match (again, first) {
        (Walk::Broken(at), _) | (_, Walk::Broken(at)) => at,
        _ => region.map_or(before, |(at, _)| *at),
    };
    let inside = runs
        .iter()
        .any(|run| (run.first..run.until).contains(&from));
    let to = if inside {
        // Indexed a moment ago, and not readable now.
        from.next()
    } else {
        runs.iter()
            .find(|run| run.first > from)
            .map_or(end, |run| run.first.min(end))
    };
    lost(
        shared,
        request,
        &Hole {
            segment: number,
            offset,
            region: region.map(|(at, _)| *at),
            to,
        },
    )
}

fn lost(shared: &Shared, request: Request, hole: &Hole) -> Failure {
    let (stream, from) = (request.stream, request.from);
    let to = hole.to.max(from.next());
    let (segment, offset) = (hole.segment, u64::from(hole.offset));
    // I6: counted once, however many read it; whoever reads is told which records, and says it.
    shared.damaged(segment, u64::from(hole.region.unwrap_or(hole.offset)));
    Failure::Final(ReadError::Damaged {
        stream,
        from,
        to,
        segment,
        offset,
    })
}

fn io(shared: &Shared, number: u64, source: std::io::Error) -> Failure {
    let path = Name::Live(number).path(&shared.dir);
    Failure::Final(ReadError::Io { path, source })
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Gone => Self::Again,
            error => Self::Final(error.into()),
        }
    }
}
