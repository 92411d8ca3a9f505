//! Cutting records out of a segment's file.

use bytes::Bytes;

use super::{Record, Request};
use crate::Seq;
use crate::disk::File;
use crate::format::Seed;
use crate::frame::{FRAME_BYTES, Kind, OP_BYTES, Op, is_frame};
use crate::index::Run;

/// Read from a file at a time, at least; records are cut out of it without a copy.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// A segment's file while records are read from it.
#[derive(Clone, Copy)]
pub(super) struct FileView<'a> {
    pub(super) number: u64,
    pub(super) seed: Seed,
    pub(super) file: &'a dyn File,
}

/// Bytes of a file that were read ahead.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    segment: u64,
    at: u32,
    bytes: Bytes,
}

/// Why records were not found where they should be.
pub(super) enum Walk {
    /// The index has no such record.
    Missing,
    /// The bytes at this place are not those that were written.
    Broken(u32),
    Io(std::io::Error),
}

impl FileView<'_> {
    /// Reads records that `runs` say are there.
    pub(super) fn read(
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
