//! The end of the log in memory: what is not yet durable, and durable batches for readers right behind the writer.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::Seq;
use crate::batch::Step;
use crate::frame::{Kind, ops};

/// Memory that a batch takes beside its bytes, roughly.
const PARCEL_BYTES: usize = 160;

/// A batch that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) bytes: Bytes,
    pub(crate) steps: Vec<Step>,
    pub(crate) reserved: bool,
    /// The batch failed: it is not written, and nothing reads it.
    pub(crate) void: bool,
}

/// Records of one stream within one parcel.
#[derive(Clone, Copy, Debug)]
pub(super) struct TailRun {
    pub(super) first: Seq,
    pub(super) until: Seq,
    pub(super) lsn: u64,
    at: u32,
    end: u32,
}

/// The parts of a stream that are in memory, in order; there may be holes.
pub(super) type Runs = VecDeque<TailRun>;

/// Records to be taken out of a parcel, outside of the lock.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    bytes: Bytes,
    at: u32,
    end: u32,
    first: Seq,
    pub(crate) from: Seq,
    pub(crate) until: Seq,
}

impl Slice {
    /// The payloads from `from` to `until`, with their numbers; slices of the parcel's memory.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Seq, Bytes)> {
        let appends = ops(&self.bytes, self.at as usize, self.end as usize);
        let numbered = appends.zip(self.first.0..self.until.0);
        numbered
            .skip((self.from.0 - self.first.0) as usize)
            .map(|(op, seq)| {
                let at = op.payload_at();
                (Seq(seq), self.bytes.slice(at..at + op.payload_bytes))
            })
    }
}

/// The end of the log in memory.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    parcels: VecDeque<Parcel>,
    /// Number of the first parcel that is kept.
    base: u64,
    /// All batches below are decided: durable or failed.
    pub(crate) decided: u64,
    /// All batches below were taken by the writer.
    pub(crate) taken: u64,
    pub(crate) pending_bytes: usize,
    kept_bytes: usize,
}

impl Tail {
    /// Number of the next batch.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.base + self.parcels.len() as u64
    }

    pub(crate) fn push(&mut self, parcel: Parcel) -> u64 {
        let lsn = self.next_lsn();
        self.pending_bytes += parcel.bytes.len();
        self.parcels.push_back(parcel);
        lsn
    }

    pub(crate) fn parcel(&self, lsn: u64) -> Option<&Parcel> {
        self.parcels
            .get(usize::try_from(lsn.checked_sub(self.base)?).ok()?)
    }

    /// Drops a batch that failed; its number stays.
    pub(super) fn make_void(&mut self, lsn: u64) {
        let at = (lsn - self.base) as usize;
        let parcel = &mut self.parcels[at];
        self.pending_bytes -= parcel.bytes.len();
        *parcel = Parcel {
            bytes: Bytes::new(),
            steps: Vec::new(),
            reserved: false,
            void: true,
        };
    }

    /// Counts a batch as durable.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.pending_bytes -= bytes;
        self.kept_bytes += bytes + PARCEL_BYTES;
    }

    /// Passes over failed batches: they are decided.
    pub(super) fn skip_void(&mut self) {
        while self.parcel(self.decided).is_some_and(|parcel| parcel.void) {
            self.kept_bytes += PARCEL_BYTES;
            self.decided += 1;
        }
        self.taken = self.taken.max(self.decided);
    }

    /// Drops the oldest durable batch if the tail takes more than `bytes_max`.
    pub(super) fn evict(&mut self, bytes_max: usize) -> Option<(u64, Parcel)> {
        if self.kept_bytes <= bytes_max || self.base >= self.decided {
            return None;
        }
        let parcel = self.parcels.pop_front()?;
        self.kept_bytes -= parcel.bytes.len() + PARCEL_BYTES;
        self.base += 1;
        if self.parcels.is_empty() {
            self.parcels.shrink_to(64);
        }
        Some((self.base - 1, parcel))
    }

    /// The parts of a stream, given its runs, from `from` on, which are in memory without a hole. `below`: batches
    /// from there on are not seen.
    pub(super) fn slices(
        &self,
        runs: &Runs,
        from: Seq,
        (records, bytes): (usize, usize),
        below: u64,
    ) -> Vec<Slice> {
        let mut slices = Vec::new();
        let mut next = from;
        let (mut records, mut room) = (records as u64, bytes as u64);
        for run in runs.range(runs.partition_point(|run| run.until <= from)..) {
            if run.first > next || run.lsn >= below || records == 0 || room == 0 {
                break;
            }
            let Some(parcel) = self.parcel(run.lsn) else {
                break;
            };
            let until = run.until.min(next.plus(records));
            records -= until.0 - next.0;
            room = room.saturating_sub(u64::from(run.end - run.at));
            slices.push(Slice {
                bytes: parcel.bytes.clone(),
                at: run.at,
                end: run.end,
                first: run.first,
                from: next,
                until,
            });
            next = until;
        }
        slices
    }
}

/// Adds the records of a step.
pub(super) fn add_run(runs: &mut Runs, step: &Step, lsn: u64) {
    debug_assert!(step.kind == Kind::Append);
    runs.push_back(TailRun {
        first: step.seq,
        until: step.next(),
        lsn,
        at: step.at,
        end: step.end,
    });
}

/// Forgets the records from `to` on.
pub(super) fn rewind_runs(runs: &mut Runs, to: Seq) {
    runs.truncate(runs.partition_point(|run| run.first < to));
    if let Some(last) = runs.back_mut() {
        last.until = last.until.min(to);
    }
}

/// Forgets the records of batches from `lsn` on.
pub(super) fn forget_runs_from(runs: &mut Runs, lsn: u64) {
    while runs.back().is_some_and(|run| run.lsn >= lsn) {
        runs.pop_back();
    }
}
