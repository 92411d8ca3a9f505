//! Reading records: from the tail in memory, or from segments.

use std::sync::Arc;

use bytes::Bytes;

use crate::disk::File;
use crate::error::ReadError;
use crate::format::Seed;
use crate::frame::{FRAME_BYTES, Kind, OP_BYTES, Op, is_frame};
use crate::index::{Index, Run};
use crate::ledger::{Ledger, Phase, Slice};
use crate::locate::{Trace, Unreadable, sealed};
use crate::segment::{Active, Name, Sealed};
use crate::shared::Shared;
use crate::{Seq, StreamId};

/// Read from a file at a time, at least; records are cut out of it without a copy.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
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

/// Where a reader stands in the files.
#[derive(Debug, Default)]
struct Place {
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

/// Bytes of a file that were read ahead.
#[derive(Debug, Default)]
struct Chunk {
    segment: u64,
    at: u32,
    bytes: Bytes,
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
            } => {
                place.sealed = None;
                from_active(shared, request, place, &active, &runs, bound)
            }
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

enum Failure {
    Again,
    Final(ReadError),
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Gone => Self::Again,
            error => Self::Final(error.into()),
        }
    }
}

fn from_active(
    shared: &Shared,
    request: Request,
    place: &mut Place,
    active: &Active,
    runs: &[Run],
    bound: Seq,
) -> Result<Vec<Record>, Failure> {
    let segment = FileView {
        number: active.header.number,
        seed: active.header.seed(),
        file: active.file.as_ref(),
        pathname: shared,
    };
    match segment.read(request, runs, bound, &mut place.chunk) {
        Err(Walk::Broken(_)) => {
            // Not as it was written: look at all of it again, so that only what is damaged is missed.
            let index = Index::build(active.file.as_ref(), &active.header, Some(active.end))
                .map_err(|error| segment.io(error))?;
            let runs = index.runs(request.stream);
            let walked = segment.read(request, runs, bound, &mut place.chunk);
            walked.map_err(|walk| segment.damaged(walk, &index, request, bound))
        }
        walked => walked.map_err(|walk| segment.damaged(walk, &Index::default(), request, bound)),
    }
}

fn from_sealed(
    shared: &Shared,
    request: Request,
    place: &mut Place,
    trace: &Trace,
    next: Seq,
) -> Result<Vec<Record>, Failure> {
    let rewound = (trace.rewound, trace.low);
    let stays = place.sealed.as_ref().is_some_and(|stand| {
        let runs = stand.sealed.index.runs(request.stream);
        let inside = runs.first().is_some_and(|run| run.first <= request.from)
            && runs.last().is_some_and(|run| request.from < run.until);
        // A new low alone, from a new segment, only matters once that rewound.
        inside
            && request.from < stand.bound
            && stand.rewound.0 == rewound.0
            && (trace.rewound == 0 || stand.rewound == rewound)
    });
    if !stays {
        let number = match trace.segment_of(shared, request.from) {
            Ok(Some(number)) => number,
            Ok(None) => return Err(lost(request, next, 0)),
            Err(Unreadable::Damaged) => search_all(shared, trace, request)
                .ok_or_else(|| lost(request, next, trace.segments.first().copied().unwrap_or(0)))?,
            Err(error) => return Err(error.into()),
        };
        if trace.segments.last() == Some(&number) {
            return Err(Failure::Again);
        }
        let bound = trace.bound(shared, number).unwrap_or(Seq(u64::MAX));
        let sealed = match sealed(shared, number) {
            Ok(sealed) => sealed,
            Err(Unreadable::Damaged) => {
                let to = next_readable(shared, trace, number, request.from).unwrap_or(next);
                return Err(lost(request, to.min(next), number));
            }
            Err(error) => return Err(error.into()),
        };
        place.sealed = Some(Stand {
            sealed,
            bound,
            rewound,
        });
    }
    let Some(stand) = &place.sealed else {
        return Err(Failure::Again);
    };
    let bound = stand.bound.min(next);
    let view = FileView {
        number: stand.sealed.header.number,
        seed: stand.sealed.header.seed(),
        file: stand.sealed.file.as_ref(),
        pathname: shared,
    };
    let runs = stand.sealed.index.runs(request.stream);
    let at = runs.partition_point(|run| run.until <= request.from);
    match view.read(request, &runs[at..], bound, &mut place.chunk) {
        Err(Walk::Broken(at)) => {
            // Damaged since it was indexed: index it anew, so that only what is damaged is missed.
            shared.caches.forget(view.number);
            let fresh = sealed(shared, view.number)?;
            let again = view.read(
                request,
                fresh.index.runs(request.stream),
                bound,
                &mut Chunk::default(),
            );
            let again = again.map_err(|walk| {
                let walk = if let Walk::Missing = walk {
                    Walk::Broken(at)
                } else {
                    walk
                };
                view.damaged(
                    walk,
                    &fresh.index,
                    request,
                    bound_within(shared, trace, &view, bound, request),
                )
            });
            place.sealed = None;
            again
        }
        walked => walked.map_err(|walk| {
            let to = bound_within(shared, trace, &view, bound, request);
            view.damaged(walk, &stand.sealed.index, request, to)
        }),
    }
}

/// The damaged records of a segment end where the next segment that holds records of the stream begins.
fn bound_within(
    shared: &Shared,
    trace: &Trace,
    view: &FileView<'_>,
    bound: Seq,
    request: Request,
) -> Seq {
    next_readable(shared, trace, view.number, request.from).map_or(bound, |to| to.min(bound))
}

/// The lowest record above `from` that a segment behind `number` holds.
fn next_readable(shared: &Shared, trace: &Trace, number: u64, from: Seq) -> Option<Seq> {
    let behind = trace.segments.iter().filter(|other| **other > number);
    for other in behind {
        if trace.segments.last() == Some(other) {
            return Some(trace.low.max(from.next()));
        }
        let Ok(sealed) = sealed(shared, *other) else {
            continue;
        };
        let runs = sealed.index.runs(trace.stream);
        if let Some(run) = runs.iter().find(|run| run.until > from.next()) {
            return Some(run.first.max(from.next()));
        }
    }
    None
}

/// The newest segment whose records include the one asked for; for when a table that would tell is damaged.
fn search_all(shared: &Shared, trace: &Trace, request: Request) -> Option<u64> {
    let sealed_numbers = trace.segments.split_last()?.1;
    sealed_numbers.iter().rev().copied().find(|number| {
        sealed(shared, *number).is_ok_and(|sealed| {
            let runs = sealed.index.runs(request.stream);
            runs.iter()
                .any(|run| (run.first..run.until).contains(&request.from))
        })
    })
}

fn lost(request: Request, to: Seq, segment: u64) -> Failure {
    Failure::Final(ReadError::Damaged {
        stream: request.stream,
        from: request.from,
        to: to.max(request.from.next()),
        segment,
        offset: 0,
    })
}

/// A segment's file while records are read from it.
struct FileView<'a> {
    number: u64,
    seed: Seed,
    file: &'a dyn File,
    pathname: &'a Shared,
}

/// Why records were not found where they should be.
enum Walk {
    /// The index has no such record.
    Missing,
    /// The bytes at this place are not those that were written.
    Broken(u32),
    Io(std::io::Error),
}

impl FileView<'_> {
    fn io(&self, source: std::io::Error) -> Failure {
        let path = Name::Live(self.number).path(&self.pathname.dir);
        Failure::Final(ReadError::Io { path, source })
    }

    /// I6: the exact range that is lost: up to the next record that the index knows, or that another segment holds.
    fn damaged(&self, walk: Walk, index: &Index, request: Request, bound: Seq) -> Failure {
        let from = request.from;
        let runs = index.runs(request.stream);
        let next = runs
            .iter()
            .find(|run| run.first > from)
            .map_or(bound, |run| run.first);
        let to = match walk {
            Walk::Io(error) => return self.io(error),
            Walk::Missing => next.min(bound),
            Walk::Broken(_) => {
                let within = runs
                    .iter()
                    .any(|run| (run.first..run.until).contains(&from));
                if within { from.next() } else { next.min(bound) }
            }
        };
        let before = runs
            .iter()
            .rfind(|run| run.until <= from)
            .map_or(0, |run| run.end);
        let offset = match walk {
            Walk::Broken(at) => at,
            _ => {
                let behind = |(_, end): &&(u32, u32)| *end > before;
                index
                    .damage
                    .iter()
                    .find(behind)
                    .map_or(before, |(at, _)| *at)
            }
        };
        let to = to.max(from.next());
        let stream = request.stream;
        tracing::error!(%stream, %from, %to, segment = self.number, offset, "records are damaged");
        self.pathname.ledger().counts.damage += 1;
        Failure::Final(ReadError::Damaged {
            stream,
            from,
            to,
            segment: self.number,
            offset: u64::from(offset),
        })
    }

    /// Reads records that `runs` say are there.
    fn read(
        &self,
        request: Request,
        runs: &[Run],
        bound: Seq,
        chunk: &mut Chunk,
    ) -> Result<Vec<Record>, Walk> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut next = request.from;
        for run in &runs[runs.partition_point(|run| run.until <= request.from)..] {
            if run.first > next || next >= bound {
                break;
            }
            let until = run.until.min(bound);
            let done = self.walk(
                request,
                run,
                until,
                (&mut next, &mut bytes),
                chunk,
                &mut records,
            );
            match done {
                Ok(true) => {}
                Ok(false) => break,
                // What came before is good; the next call says what is wrong.
                Err(_) if !records.is_empty() => break,
                Err(walk) => return Err(walk),
            }
        }
        if records.is_empty() {
            Err(Walk::Missing)
        } else {
            Ok(records)
        }
    }

    /// Walks one run; `false` once the limit is reached.
    fn walk(
        &self,
        request: Request,
        run: &Run,
        until: Seq,
        (next, bytes): (&mut Seq, &mut usize),
        chunk: &mut Chunk,
        records: &mut Vec<Record>,
    ) -> Result<bool, Walk> {
        let (mut at, mut seq) = (run.at, run.first);
        while seq < until {
            if at >= run.end {
                return Err(Walk::Broken(at));
            }
            let want = request.limit.bytes.saturating_sub(*bytes);
            let head = chunk.at(self, at, OP_BYTES, run.end, want)?;
            if is_frame(&head) {
                at += FRAME_BYTES as u32;
                continue;
            }
            let Some(op) = Op::header(&head, 0) else {
                return Err(Walk::Broken(at));
            };
            if op.end() as u64 > u64::from(run.end - at) {
                return Err(Walk::Broken(at));
            }
            let ours = op.kind == Kind::Append && op.stream == request.stream && op.seq == seq;
            if ours && seq >= *next {
                let is_first = records.is_empty();
                let over = records.len() >= request.limit.records
                    || *bytes + op.payload_bytes > request.limit.bytes;
                if over && !is_first {
                    return Ok(false);
                }
                let whole = chunk.at(self, at, op.end(), run.end, want)?;
                // Never served without its check, however often it was read before.
                if !op.is_valid(self.seed, &whole) {
                    return Err(Walk::Broken(at));
                }
                let payload = whole.slice(OP_BYTES..OP_BYTES + op.payload_bytes);
                *bytes += op.payload_bytes;
                records.push(Record { seq, payload });
                *next = seq.next();
            }
            if ours {
                seq = seq.next();
            }
            at += op.end() as u32;
        }
        Ok(true)
    }
}

impl Chunk {
    /// `bytes` bytes of the file at `at`, and whatever was read behind them; `want` tells how far to read ahead.
    fn at(
        &mut self,
        view: &FileView<'_>,
        at: u32,
        bytes: usize,
        end: u32,
        want: usize,
    ) -> Result<Bytes, Walk> {
        let known = self.segment == view.number && at >= self.at;
        let skip = if known { (at - self.at) as usize } else { 0 };
        if !known || self.bytes.len() < skip + bytes {
            let ahead = want.clamp(CHUNK_BYTES, CHUNK_BYTES_MAX).max(bytes);
            let load = ahead.min((end - at) as usize);
            let mut buffer = vec![0; load];
            let read = view
                .file
                .read_at(&mut buffer, u64::from(at))
                .map_err(Walk::Io)?;
            buffer.truncate(read);
            *self = Self {
                segment: view.number,
                at,
                bytes: buffer.into(),
            };
            if read < bytes {
                return Err(Walk::Broken(at));
            }
            return Ok(self.bytes.clone());
        }
        Ok(self.bytes.slice(skip..))
    }
}
