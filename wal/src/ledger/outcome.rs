//! What becomes of batches: durable, or failed with all that follows on them.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Ledger;
use super::tail::{Parcel, Slice, forget_runs_from};
use crate::batch::Step;
use crate::frame::{Kind, Op};
use crate::signal::Signal;
use crate::{Seq, StreamId};

/// Where the frames of a group were placed: for each batch, the offset of its frame.
pub(crate) type Places = Vec<(u64, u32)>;

/// Who is to be woken for a group.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) signals: Vec<Signal>,
    /// All batches below are decided.
    pub(crate) decided: u64,
}

impl Ledger {
    /// Takes the next batches for a group that holds `already` bytes and is to hold at most `bytes_max` (one batch alone may
    /// be larger), as long as they fit in `room`.
    pub(crate) fn take_group(
        &mut self,
        already: usize,
        bytes_max: usize,
        room: usize,
        group: &mut Vec<(u64, Parcel)>,
    ) {
        self.tail.skip_void();
        let mut bytes = already;
        let mut lsn = self.tail.taken;
        while let Some(parcel) = self.tail.parcel(lsn) {
            if !parcel.void {
                let with = bytes + parcel.bytes.len();
                if with > room || (bytes > 0 && with > bytes_max) {
                    break;
                }
                bytes = with;
                group.push((lsn, parcel.clone()));
            }
            lsn += 1;
        }
        self.tail.taken = lsn;
    }

    /// The next batch that waits to be written.
    pub(crate) fn next_pending(&self) -> Option<&Parcel> {
        let mut lsn = self.tail.taken;
        loop {
            let parcel = self.tail.parcel(lsn)?;
            if !parcel.void {
                return Some(parcel);
            }
            lsn += 1;
        }
    }

    /// A group became durable: its frames lie at `places` of the segment being written, which ends at `end`.
    pub(crate) fn publish(
        &mut self,
        group: &[(u64, Parcel)],
        places: &Places,
        end: u32,
    ) -> Published {
        let mut published = Published::default();
        for ((_, parcel), (_, at)) in group.iter().zip(places) {
            for step in &parcel.steps {
                self.publish_step(step, &parcel.bytes, *at, &mut published.signals);
            }
            self.tail.keep(parcel.bytes.len());
            self.counts.batches += 1;
            self.counts.bytes += parcel.bytes.len() as u64;
        }
        if let Some((last, _)) = group.last() {
            self.tail.decided = self.tail.decided.max(*last + 1);
            self.counts.groups += 1;
        }
        self.tail.skip_void();
        if let Some(active) = &mut self.active {
            active.end = end;
        }
        self.evict();
        if !self.rooms.is_empty() && self.has_room() {
            published.signals.extend(self.take_rooms());
        }
        published.decided = self.tail.decided;
        published
    }

    fn publish_step(&mut self, step: &Step, bytes: &Bytes, at: u32, signals: &mut Vec<Signal>) {
        if matches!(step.kind, Kind::Set | Kind::Unset) {
            self.publish_register(step, bytes);
            return;
        }
        let segment = self
            .active
            .as_ref()
            .map_or(0, |active| active.header.number);
        let Some(stream) = self.streams.get_mut(&step.stream) else {
            return;
        };
        let before = stream.durable.next;
        match step.kind {
            Kind::Append => {
                stream.durable.next = step.next();
                self.counts.records += u64::from(step.count);
                let next = step.next();
                let arrived = stream
                    .arrivals
                    .extract_if(.., |waiter| waiter.beyond < next);
                signals.extend(arrived.map(|waiter| waiter.signal));
                let records = crate::seq::Extent {
                    first: step.seq,
                    next,
                };
                index_step(&mut self.index, step, records, bytes, at);
                return;
            }
            Kind::Declare => {
                stream.declared = true;
                stream.low = Seq::ZERO;
            }
            Kind::Remove => {
                signals.extend(stream.arrivals.drain(..).map(|waiter| waiter.signal));
                self.streams.remove(&step.stream);
                self.index.rewind(step.stream, Seq::ZERO);
                self.trimmed = true;
                return;
            }
            Kind::Trim => {
                stream.durable.trim(step.seq);
                self.trimmed = true;
            }
            Kind::Rewind | Kind::Start => {
                if step.kind == Kind::Rewind {
                    stream.durable.rewind(step.seq);
                } else {
                    stream.durable.start(step.seq);
                }
                self.index.rewind(step.stream, step.seq);
                self.trimmed = true;
            }
            _ => return,
        }
        let after = stream.durable.next;
        if after < before {
            stream.low = stream.low.min(after);
            stream.rewound = segment;
        }
        // A trim beyond the end moves `next` forward too.
        let arrived = stream
            .arrivals
            .extract_if(.., |waiter| waiter.beyond < after);
        signals.extend(arrived.map(|waiter| waiter.signal));
    }

    fn evict(&mut self) {
        while let Some((lsn, parcel)) = self.tail.evict(self.limits.tail) {
            for step in parcel.steps.iter().filter(|step| step.kind == Kind::Append) {
                let Some(stream) = self.streams.get_mut(&step.stream) else {
                    continue;
                };
                while stream.runs.front().is_some_and(|run| run.lsn <= lsn) {
                    stream.runs.pop_front();
                }
            }
        }
    }

    /// Fails pending batches for which `doomed` holds, and all behind them that follow on them: that touch a stream or
    /// register which a failed one touched. What is left forms a dense log. Returns the numbers of the failed.
    pub(crate) fn fail(&mut self, doomed: impl Fn(u64, &Parcel) -> bool) -> Vec<u64> {
        let mut failed = Vec::new();
        let mut streams: HashSet<StreamId> = HashSet::new();
        let mut registers: HashSet<Arc<str>> = HashSet::new();
        let mut names: HashSet<Arc<str>> = HashSet::new();
        for lsn in self.tail.decided..self.tail.next_lsn() {
            let Some(parcel) = self.tail.parcel(lsn).filter(|parcel| !parcel.void) else {
                continue;
            };
            let touched = parcel
                .steps
                .iter()
                .map(|step| Touched::of(step, &parcel.bytes));
            let follows = |touched: Touched| match touched {
                Touched::Stream(id) => {
                    streams.contains(&id)
                        || self
                            .streams
                            .get(&id)
                            .is_some_and(|s| names.contains(&s.name))
                }
                Touched::Register(name) => registers.contains(name),
                Touched::Nothing => false,
            };
            if !doomed(lsn, parcel) && !touched.clone().any(follows) {
                continue;
            }
            for touched in touched {
                match touched {
                    Touched::Stream(id) => {
                        streams.insert(id);
                        names.extend(self.streams.get(&id).map(|s| Arc::clone(&s.name)));
                    }
                    Touched::Register(name) => {
                        registers.insert(name.into());
                    }
                    Touched::Nothing => {}
                }
            }
            failed.push(lsn);
        }
        for lsn in &failed {
            self.tail.make_void(*lsn);
        }
        self.counts.failed_batches += failed.len() as u64;
        for name in registers {
            self.revert_register(&name);
        }
        self.revert_streams(&streams);
        self.tail.skip_void();
        failed
    }

    fn revert_streams(&mut self, ids: &HashSet<StreamId>) {
        let decided = self.tail.decided;
        for id in ids {
            let Some(stream) = self.streams.get_mut(id) else {
                continue;
            };
            stream.appended = stream.durable;
            forget_runs_from(&mut stream.runs, decided);
            self.restore_name(*id);
        }
        for id in ids {
            // Their declarations failed, but whoever made them holds their numbers.
            if self
                .streams
                .get(id)
                .is_some_and(|stream| !stream.declared && stream.exists)
            {
                self.declare(*id);
            }
        }
    }

    /// Up to where the durable records of a stream are also those of the appended state, and not about to be replaced.
    pub(crate) fn agreed_until(&self, stream: &super::Stream) -> Seq {
        let decided = self.tail.decided;
        let first_new = stream
            .runs
            .iter()
            .find(|run| run.lsn >= decided)
            .map(|run| run.first);
        let until = stream.durable.next.min(stream.appended.next);
        first_new.map_or(until, |first| until.min(first))
    }

    /// The part of a stream that is in memory from `from` on.
    pub(crate) fn slices(
        &self,
        id: StreamId,
        from: Seq,
        limit: (usize, usize),
        durable_only: bool,
    ) -> Vec<Slice> {
        let below = if durable_only {
            self.tail.decided
        } else {
            u64::MAX
        };
        self.streams
            .get(&id)
            .map(|stream| self.tail.slices(&stream.runs, from, limit, below))
            .unwrap_or_default()
    }
}

/// What a step touches, in the sense that a later one follows on it.
enum Touched<'a> {
    Stream(StreamId),
    Register(&'a str),
    Nothing,
}

impl<'a> Touched<'a> {
    fn of(step: &Step, bytes: &'a Bytes) -> Self {
        let payload =
            || Op::decode(bytes, step.at as usize).map_or(&[][..], |op| op.payload(bytes));
        match step.kind {
            Kind::Set => match Op::register(payload()) {
                Some((name, _)) => Self::Register(name),
                None => Self::Nothing,
            },
            Kind::Unset => Self::Register(std::str::from_utf8(payload()).unwrap_or_default()),
            Kind::Close => Self::Nothing,
            _ => Self::Stream(step.stream),
        }
    }
}

/// Adds a step's records to the index of the segment; those of a large step one by one, so that its runs stay short.
fn index_step(
    index: &mut crate::index::Index,
    step: &Step,
    records: crate::seq::Extent,
    bytes: &Bytes,
    at: u32,
) {
    if step.end - step.at <= 64 << 10 {
        index.add(step.stream, records, (at + step.at, at + step.end));
        return;
    }
    let mut seq = records.first;
    for op in crate::frame::ops(bytes, step.at as usize, step.end as usize) {
        let one = crate::seq::Extent {
            first: seq,
            next: seq.next(),
        };
        index.add(step.stream, one, (at + op.at as u32, at + op.end() as u32));
        seq = seq.next();
    }
}
