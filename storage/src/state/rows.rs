//! What an operation needs of a store's rows, so that its meaning is written once for every place that keeps them.

use bytestring::ByteString;

use crate::{Entry, Key, Lease, Object, Revision};

/// What a store counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Store time in milliseconds since 1970.
    pub(crate) now_ms: u64,
    pub(crate) revision: Revision,
    /// The number of the next journal entry.
    pub(crate) next_entry: u64,
    /// Bytes of objects and entries.
    pub(crate) bytes: u64,
}

/// What an operation asks of an object that is there; it never asks for the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) version: Revision,
    pub(crate) created_ms: u64,
    /// Bytes that it counts for.
    pub(crate) bytes: u64,
}

impl Standing {
    pub(crate) fn of(object: &Object) -> Self {
        Self {
            version: object.version,
            created_ms: object.created_ms,
            bytes: object_weight(object.key.id.len(), object.document.len()),
        }
    }
}

/// The rows of a store.
pub(crate) trait Rows {
    fn counters(&self) -> Counters;
    fn set_counters(&mut self, counters: Counters);

    fn object(&self, key: &Key) -> Option<Standing>;
    fn put_object(&mut self, object: Object);
    fn remove_object(&mut self, key: &Key);

    fn lease(&self, name: &ByteString) -> Option<&Lease>;
    fn lease_count(&self) -> usize;
    fn put_lease(&mut self, lease: Lease);

    fn entry_count(&self) -> u64;
    fn push_entry(&mut self, entry: Entry);
    /// Removes entries with a lower number than this, and returns the bytes that they counted for.
    fn trim_entries(&mut self, first: u64) -> u64;
}

/// Returns the bytes that an object counts for.
pub(crate) fn object_weight(id: usize, document: usize) -> u64 {
    128 + id as u64 + document as u64
}
