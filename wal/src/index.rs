//! Where in a segment the records of each stream lie.

use std::collections::HashMap;
use std::io;

use crate::disk::File;
use crate::format::Header;
use crate::frame::{FRAME_BYTES, Kind, ops};
use crate::scan::{Event, Salvaged, Scan, salvage};
use crate::seq::Extent;
use crate::{Seq, StreamId};

/// Foreign bytes between two records of a stream that a run spans rather than ends at.
const GAP_BYTES: u32 = 4096;
/// A run is not made longer than this, so that a place in it is found by reading little.
const RUN_BYTES: u32 = 64 << 10;

/// Consecutive records of one stream that lie close together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) first: Seq,
    /// Number behind the last record.
    pub(crate) until: Seq,
    /// Where the first record's operation begins and the last one's ends.
    pub(crate) at: u32,
    pub(crate) end: u32,
}

/// The runs of each stream in a segment, in the order in which they were written.
#[derive(Debug, Default)]
pub(crate) struct Index {
    streams: HashMap<StreamId, Vec<Run>>,
    runs: usize,
    /// Regions that are not valid: where each begins and ends.
    pub(crate) damage: Vec<(u32, u32)>,
    /// Runs that began before this place are not continued.
    barrier: u32,
}

impl Index {
    /// Adds records that lie from `at` to `end` with nothing of another stream between them.
    pub(crate) fn add(&mut self, stream: StreamId, records: Extent, (at, end): (u32, u32)) {
        let runs = self.streams.entry(stream).or_default();
        if let Some(last) = runs.last_mut()
            && last.until == records.first
            && last.end >= self.barrier
            && at - last.end <= GAP_BYTES
            && end - last.at <= RUN_BYTES
        {
            last.until = records.next;
            last.end = end;
            return;
        }
        runs.push(Run {
            first: records.first,
            until: records.next,
            at,
            end,
        });
        self.runs += 1;
    }

    /// Forgets the records of a stream from `to` on.
    pub(crate) fn rewind(&mut self, stream: StreamId, to: Seq) {
        let Some(runs) = self.streams.get_mut(&stream) else {
            return;
        };
        let before = runs.len();
        runs.truncate(runs.partition_point(|run| run.first < to));
        self.runs -= before - runs.len();
        if let Some(last) = runs.last_mut()
            && to < last.until
        {
            last.until = to;
            // Not continued: the records that were cut still lie in it, under numbers that are given again.
            self.barrier = self.barrier.max(last.end + 1);
        }
    }

    /// Ends all runs: what follows lies behind damage.
    fn bar(&mut self, at: u32, end: u32) {
        self.damage.push((at, end));
        self.barrier = end;
    }

    /// The runs of a stream.
    pub(crate) fn runs(&self, stream: StreamId) -> &[Run] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// The streams that have records here.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (StreamId, &[Run])> {
        self.streams
            .iter()
            .map(|(stream, runs)| (*stream, runs.as_slice()))
    }

    /// Memory taken, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.runs * size_of::<Run>() + self.streams.len() * 64 + 128
    }

    /// Adds what the operations in `buffer`, which begins at `offset` of the file, do to the index.
    pub(crate) fn add_frame(&mut self, buffer: &[u8], offset: u32) {
        let mut open: Option<(StreamId, Extent, u32, u32)> = None;
        for op in ops(buffer, FRAME_BYTES, buffer.len()) {
            let (at, end) = (offset + op.at as u32, offset + op.end() as u32);
            if op.kind == Kind::Append {
                match &mut open {
                    Some((stream, records, start, last_end))
                        if *stream == op.stream
                            && records.next == op.seq
                            && end - *start <= RUN_BYTES =>
                    {
                        records.next = op.seq.next();
                        *last_end = end;
                        continue;
                    }
                    _ => self.flush(&mut open),
                }
                open = Some((
                    op.stream,
                    Extent {
                        first: op.seq,
                        next: op.seq.next(),
                    },
                    at,
                    end,
                ));
            } else {
                self.flush(&mut open);
                if matches!(op.kind, Kind::Rewind | Kind::Start) {
                    self.rewind(op.stream, op.seq);
                }
            }
        }
        self.flush(&mut open);
    }

    fn flush(&mut self, open: &mut Option<(StreamId, Extent, u32, u32)>) {
        if let Some((stream, records, at, end)) = open.take() {
            self.add(stream, records, (at, end));
        }
    }

    /// Reads a segment up to `end` and indexes it. Every byte is checked on the way.
    pub(crate) fn build(file: &dyn File, header: &Header, end: Option<u32>) -> io::Result<Self> {
        let mut index = Self::default();
        let from = header.frames_offset();
        let limits = (header.capacity, end);
        let mut scan = Scan::new(file, header.seed(), from, header.first_frame, limits);
        loop {
            match scan.next()? {
                Event::Whole { at, frame } => {
                    let bytes = scan.bytes(at, at + frame.bytes)?;
                    index.add_frame(bytes, at);
                }
                Event::Invalid { at, end } => {
                    let region = scan.bytes(at, end)?;
                    index.add_salvaged(header, region, at);
                    index.bar(at, end);
                }
                Event::End { .. } => return Ok(index),
            }
        }
    }

    /// Indexes the records of a damaged region that are valid on their own.
    fn add_salvaged(&mut self, header: &Header, region: &[u8], offset: u32) {
        for Salvaged { op, valid } in salvage(header.seed(), region) {
            if !valid {
                continue;
            }
            let (at, end) = (offset + op.at as u32, offset + op.end() as u32);
            match op.kind {
                Kind::Append => {
                    // One run each: what lies between them cannot be walked.
                    self.barrier = end;
                    self.add(
                        op.stream,
                        Extent {
                            first: op.seq,
                            next: op.seq.next(),
                        },
                        (at, end),
                    );
                }
                Kind::Rewind | Kind::Start => self.rewind(op.stream, op.seq),
                _ => {}
            }
        }
    }
}
