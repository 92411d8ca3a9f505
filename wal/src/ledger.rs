//! What a log knows in memory: streams, registers, the tail, and what is appended but not yet durable.

mod append;
mod outcome;
mod tail;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::index::Index;
use crate::segment::{Active, Pin};
use crate::seq::Extent;
use crate::signal::Signal;
use crate::table::{Entry, Table};
use crate::{Seq, StreamId};

pub(crate) use tail::{Parcel, Slice, Tail};

/// Whether the log takes batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    Full,
    Poisoned,
    Closing,
    Closed,
}

/// Sizes that bound the ledger, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) batch: usize,
    pub(crate) pending: usize,
    pub(crate) tail: usize,
    pub(crate) table: usize,
}

/// Counters since the log was opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) groups: u64,
    pub(crate) syncs: u64,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) failed_batches: u64,
    pub(crate) damage: u64,
    pub(crate) poisoned_files: u64,
}

/// A stream in memory.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: Arc<str>,
    /// With everything appended.
    pub(crate) appended: Extent,
    /// With everything durable.
    pub(crate) durable: Extent,
    /// Lowest durable `next` in the segment that is written.
    pub(crate) low: Seq,
    /// Last segment in which the durable `next` moved back.
    pub(crate) rewound: u64,
    /// Whether the stream exists in what is appended, and in what is durable.
    pub(crate) exists: bool,
    pub(crate) declared: bool,
    pub(crate) arrivals: Vec<ArrivalWaiter>,
    runs: tail::Runs,
}

/// Somebody waits for a durable record beyond a number.
#[derive(Debug)]
pub(crate) struct ArrivalWaiter {
    pub(crate) id: u64,
    pub(crate) beyond: Seq,
    pub(crate) signal: Signal,
}

#[derive(Debug, Default)]
struct Register {
    appended: Option<Bytes>,
    durable: Option<Bytes>,
}

/// What a log knows in memory. One mutex guards it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) phase: Phase,
    pub(crate) limits: Limits,
    pub(crate) streams: HashMap<StreamId, Stream>,
    names: HashMap<Arc<str>, StreamId>,
    registers: BTreeMap<Arc<str>, Register>,
    next_id: u32,
    table_bytes: usize,
    tail: Tail,
    scratch: Vec<append::Draft>,
    /// Segments that exist, the one being written included.
    pub(crate) live: BTreeMap<u64, Arc<Pin>>,
    /// The segment being written; its `end` is where the durable part ends.
    pub(crate) active: Option<Active>,
    /// Where the durable records of that segment lie.
    pub(crate) index: Index,
    /// Room that is known to be left, when no more can be made: set while the disk is full.
    pub(crate) known_room: Option<u64>,
    pub(crate) rooms: Vec<(u64, Signal)>,
    pub(crate) next_waiter: u64,
    pub(crate) counts: Counts,
    /// The writer sleeps and wants to be woken for new batches.
    pub(crate) writer_sleeps: bool,
    /// A durable trim or removal happened since the room keeper looked.
    pub(crate) trimmed: bool,
}

impl Stream {
    fn new(entry: &Entry, declared: bool) -> Self {
        Self {
            name: Arc::clone(&entry.name),
            appended: entry.extent,
            durable: entry.extent,
            low: entry.low,
            rewound: entry.rewound,
            exists: true,
            declared,
            arrivals: Vec::new(),
            runs: tail::Runs::new(),
        }
    }
}

impl Ledger {
    pub(crate) fn new(table: &Table, limits: Limits) -> Self {
        let mut streams = HashMap::new();
        let mut names = HashMap::new();
        for (id, entry) in &table.streams {
            streams.insert(*id, Stream::new(entry, true));
            names.insert(Arc::clone(&entry.name), *id);
        }
        let registers = table.registers.iter().map(|(name, value)| {
            let register = Register {
                appended: Some(value.clone()),
                durable: Some(value.clone()),
            };
            (Arc::clone(name), register)
        });
        Self {
            phase: Phase::Open,
            limits,
            streams,
            names,
            registers: registers.collect(),
            next_id: table.next_id.max(1),
            table_bytes: table.bytes(),
            tail: Tail::default(),
            scratch: Vec::new(),
            live: BTreeMap::new(),
            active: None,
            index: Index::default(),
            known_room: None,
            rooms: Vec::new(),
            next_waiter: 0,
            counts: Counts::default(),
            writer_sleeps: false,
            trimmed: true,
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<StreamId> {
        self.names.get(name).copied()
    }

    /// The stream, if it exists in what is appended.
    pub(crate) fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id).filter(|stream| stream.exists)
    }

    pub(crate) fn register(&self, name: &str) -> Option<Bytes> {
        self.registers.get(name)?.appended.clone()
    }

    pub(crate) fn registers(&self, prefix: &str) -> Vec<(String, Bytes)> {
        self.registers
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter_map(|(name, value)| Some((name.to_string(), value.appended.clone()?)))
            .collect()
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.tail.pending_bytes
    }

    pub(crate) fn tail(&mut self) -> &mut Tail {
        &mut self.tail
    }

    pub(crate) fn waiter_id(&mut self) -> u64 {
        self.next_waiter += 1;
        self.next_waiter
    }

    /// The table as it stands durably, for a segment that begins now.
    pub(crate) fn durable_table(&self) -> Table {
        let streams = self.streams.iter().filter(|(_, stream)| stream.declared);
        let streams = streams.map(|(id, stream)| {
            let entry = Entry {
                name: Arc::clone(&stream.name),
                extent: stream.durable,
                low: stream.low,
                rewound: stream.rewound,
            };
            (*id, entry)
        });
        let registers = self
            .registers
            .iter()
            .filter_map(|(name, register)| Some((Arc::clone(name), register.durable.clone()?)));
        Table {
            next_id: self.next_id,
            streams: streams.collect(),
            registers: registers.collect(),
        }
    }

    /// Makes a segment the one being written; returns the index of the one before.
    pub(crate) fn begin_segment(&mut self, active: Active) -> Index {
        for stream in self.streams.values_mut() {
            stream.low = stream.durable.next;
        }
        self.live
            .insert(active.header.number, Arc::clone(&active.pin));
        self.active = Some(active);
        std::mem::take(&mut self.index)
    }

    /// Whether back-pressure has ended: the waiters of `room` are to be woken.
    pub(crate) fn has_room(&self) -> bool {
        self.phase != Phase::Full && self.tail.pending_bytes <= self.limits.pending / 2
    }

    pub(crate) fn take_rooms(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.rooms)
            .into_iter()
            .map(|(_, signal)| signal)
            .collect()
    }

    /// Everybody who waits for records or room.
    pub(crate) fn take_waiters(&mut self) -> Vec<Signal> {
        let mut signals = self.take_rooms();
        for stream in self.streams.values_mut() {
            signals.extend(stream.arrivals.drain(..).map(|waiter| waiter.signal));
        }
        signals
    }
}
