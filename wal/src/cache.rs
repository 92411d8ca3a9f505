//! What reading old segments needs again and again: a bounded number of opened segments and tables.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::segment::Sealed;
use crate::shared::lock;
use crate::{Seq, StreamId};

/// Opened segments, kept while their indexes are small enough together.
const SEALED_BYTES_MAX: usize = 16 << 20;
/// Opened segments, each of which holds a file open.
const SEALED_MAX: usize = 32;
const FLOORS_BYTES_MAX: usize = 8 << 20;
const FLOORS_MAX: usize = 1024;

/// The lowest `next` of each stream in a segment, as the table of the segment after it tells; by number.
pub(crate) type Floors = Vec<(StreamId, Seq)>;

/// Values by segment number; the one not used for longest goes first.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    values: HashMap<u64, (Arc<T>, usize, u64)>,
    clock: u64,
    bytes: usize,
    bytes_max: usize,
    count_max: usize,
}

impl<T> Cache<T> {
    fn new(bytes_max: usize, count_max: usize) -> Self {
        Self {
            values: HashMap::new(),
            clock: 0,
            bytes: 0,
            bytes_max,
            count_max,
        }
    }

    pub(crate) fn get(&mut self, number: u64) -> Option<Arc<T>> {
        self.clock += 1;
        let (value, _, used) = self.values.get_mut(&number)?;
        *used = self.clock;
        Some(Arc::clone(value))
    }

    pub(crate) fn insert(&mut self, number: u64, value: Arc<T>, bytes: usize) {
        self.remove(number);
        self.clock += 1;
        self.bytes += bytes;
        self.values.insert(number, (value, bytes, self.clock));
        while self.values.len() > 1
            && (self.bytes > self.bytes_max || self.values.len() > self.count_max)
        {
            let oldest = self.values.iter().min_by_key(|(_, (_, _, used))| *used);
            let Some((oldest, _)) = oldest else { return };
            let oldest = *oldest;
            self.remove(oldest);
        }
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if let Some((_, bytes, _)) = self.values.remove(&number) {
            self.bytes -= bytes;
        }
    }
}

/// The caches of a log.
#[derive(Debug)]
pub(crate) struct Caches {
    sealed: Mutex<Cache<Sealed>>,
    floors: Mutex<Cache<Floors>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            sealed: Mutex::new(Cache::new(SEALED_BYTES_MAX, SEALED_MAX)),
            floors: Mutex::new(Cache::new(FLOORS_BYTES_MAX, FLOORS_MAX)),
        }
    }
}

impl Caches {
    pub(crate) fn sealed(&self, number: u64) -> Option<Arc<Sealed>> {
        lock(&self.sealed).get(number)
    }

    pub(crate) fn keep_sealed(&self, sealed: &Arc<Sealed>) {
        let weight = sealed.index.weight();
        lock(&self.sealed).insert(sealed.header.number, Arc::clone(sealed), weight);
    }

    pub(crate) fn floors(&self, number: u64) -> Option<Arc<Floors>> {
        lock(&self.floors).get(number)
    }

    pub(crate) fn keep_floors(&self, number: u64, floors: &Arc<Floors>) {
        let weight = floors.len() * size_of::<(StreamId, Seq)>() + 64;
        lock(&self.floors).insert(number, Arc::clone(floors), weight);
    }

    /// Forgets a segment.
    pub(crate) fn forget(&self, number: u64) {
        lock(&self.sealed).remove(number);
        lock(&self.floors).remove(number);
    }
}
