//! Reading records: from the tail in memory, or from segments.

mod segments;
mod view;

use std::sync::Arc;

use bytes::Bytes;

use crate::error::ReadError;
use crate::index::Run;
use crate::ledger::{Ledger, Phase, Slice};
use crate::locate::{Trace, Unreadable};
use crate::segment::Active;
use crate::shared::Shared;
use crate::{Seq, StreamId};

use segments::{Failure, Place, from_active, from_sealed};

/// Runs copied at a time out of the index of the segment being written.
const RUNS_MAX: usize = 64;

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number in the stream.
    pub seq: Seq,
    /// Its bytes.
    pub payload: Bytes,
}

/// How much to read at most; one record is read whatever its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadLimit {
    /// Number of records.
    pub records: usize,
    /// Bytes of payload.
    pub bytes: usize,
}

/// Which records are seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visibility {
    /// Those that survive a crash. Only these may leave the process: the numbers of others may be given again.
    Durable,
    /// All that were appended.
    Appended,
}

/// Reads a stream in order; durable records only.
///
/// It keeps the segment that it reads from, and holds it against deletion until it moves on or is dropped.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    stream: StreamId,
    position: Seq,
    place: Place,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, stream: StreamId, from: Seq) -> Self {
        Self {
            shared,
            stream,
            position: from,
            place: Place::default(),
        }
    }

    /// Reads on from the position: at least one record if there is one, none if there is none yet.
    pub fn read(&mut self, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let request = Request {
            stream: self.stream,
            from: self.position,
            limit,
            durable_only: true,
        };
        let records = read(&self.shared, request, &mut self.place)?;
        if let Some(last) = records.last() {
            self.position = last.seq.next();
        }
        Ok(records)
    }

    /// Number of the next record to be read.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// Goes to another record.
    pub fn seek(&mut self, seq: Seq) {
        self.position = seq;
    }

    /// The stream.
    pub fn stream(&self) -> StreamId {
        self.stream
    }
}

#[derive(Clone, Copy, Debug)]
struct Request {
    stream: StreamId,
    from: Seq,
    limit: ReadLimit,
    durable_only: bool,
}

/// Reads once, without keeping a place.
pub(crate) fn read_once(
    shared: &Shared,
    stream: StreamId,
    from: Seq,
    limit: ReadLimit,
    visibility: Visibility,
) -> Result<Vec<Record>, ReadError> {
    let durable_only = visibility == Visibility::Durable;
    let request = Request {
        stream,
        from,
        limit,
        durable_only,
    };
    read(shared, request, &mut Place::default())
}

/// Where the records to be read are.
enum Source {
    Nothing,
    Tail(Vec<Slice>),
    /// In the segment being written: a copy of the runs, and where they end.
    Active {
        active: Active,
        runs: Vec<Run>,
        bound: Seq,
    },
    Sealed {
        trace: Trace,
        bound: Seq,
    },
}

fn read(shared: &Shared, request: Request, place: &mut Place) -> Result<Vec<Record>, ReadError> {
    // Begins anew only when a segment was recycled in the meantime; then the records were trimmed.
    for _ in 0..8 {
        let source = find(&shared.ledger(), request)?;
        let read = match source {
            Source::Nothing => Ok(Vec::new()),
            Source::Tail(slices) => {
                // The segment is let go: the reader has caught up.
                *place = Place::default();
                return Ok(cut(&slices, request.limit));
            }
            Source::Active {
                active,
                runs,
                bound,
            } => from_active(shared, request, place, &active, (&runs, bound)),
            Source::Sealed { trace, bound } => from_sealed(shared, request, place, &trace, bound),
        };
        match read {
            Ok(records) => return Ok(records),
            Err(Failure::Again) => *place = Place::default(),
            Err(Failure::Final(error)) => return Err(error),
        }
    }
    Err(Unreadable::Gone.into())
}

fn find(ledger: &Ledger, request: Request) -> Result<Source, ReadError> {
    let Request {
        stream: id,
        from,
        limit,
        durable_only,
    } = request;
    if ledger.phase == Phase::Closed {
        return Err(ReadError::Closed);
    }
    let unknown = ReadError::UnknownStream { stream: id };
    let Some(stream) = ledger.streams.get(&id).filter(|s| s.exists || durable_only) else {
        return Err(unknown);
    };
    let extent = if durable_only {
        stream.durable
    } else {
        stream.appended
    };
    if from < extent.first {
        return Err(ReadError::Trimmed {
            first: extent.first,
        });
    }
    if from >= extent.next || limit.records == 0 {
        return Ok(Source::Nothing);
    }
    let slices = ledger.slices(id, from, (limit.records, limit.bytes.max(1)), durable_only);
    if !slices.is_empty() {
        return Ok(Source::Tail(slices));
    }
    let bound = if durable_only {
        extent.next
    } else {
        ledger.agreed_until(stream).min(extent.next)
    };
    match &ledger.active {
        Some(active) if stream.low <= from => {
            let all = ledger.index.runs(id);
            let at = all.partition_point(|run| run.until <= from);
            let runs = all[at..].iter().take(RUNS_MAX).copied().collect();
            Ok(Source::Active {
                active: active.clone(),
                runs,
                bound,
            })
        }
        _ => match Trace::of(ledger, id) {
            Some(trace) => Ok(Source::Sealed { trace, bound }),
            None => Err(unknown),
        },
    }
}

/// Cuts records out of the tail.
fn cut(slices: &[Slice], limit: ReadLimit) -> Vec<Record> {
    let mut records = Vec::with_capacity(
        slices
            .iter()
            .map(|s| s.until.0 - s.from.0)
            .sum::<u64>()
            .min(limit.records as u64) as usize,
    );
    let mut bytes = 0;
    for (seq, payload) in slices.iter().flat_map(Slice::records) {
        if !records.is_empty() && bytes + payload.len() > limit.bytes {
            break;
        }
        bytes += payload.len();
        records.push(Record { seq, payload });
    }
    records
}
