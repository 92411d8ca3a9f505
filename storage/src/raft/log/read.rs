//! Reading entries: the last ones from memory, older ones from the segments.

use std::{fmt::Debug, ops::Bound, ops::RangeBounds, sync::Arc};

use hermod_wal::{ReadError, ReadLimit, Seq, Visibility};
use openraft::{OptionalSend, RaftLogReader};

use super::{Inner, LogStore, Shared};
use crate::raft::{
    codec,
    group::{Entry, Group, StorageError, StorageIoError},
};

/// Bytes of entries that go to a follower at once, unless one alone is larger.
const REPLICATION_BYTES: usize = 1 << 20;

impl RaftLogReader<Group> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => u64::MAX,
        };
        self.entries(start, end, usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        self.entries(start, end, REPLICATION_BYTES).await
    }
}

impl LogStore {
    /// Reads the entries of a range that there are: at least the first, and more while they fit.
    pub(super) async fn entries(
        &self,
        start: u64,
        end: u64,
        bytes: usize,
    ) -> Result<Vec<Entry>, StorageError> {
        loop {
            let (start, end) = {
                let inner = self.shared.inner();
                let (first, next) = inner.range();
                // An empty log may have been begun further on.
                let first = first.max(self.shared.first());
                let (start, end) = (start.max(first), end.min(next));
                if start >= end {
                    return Ok(Vec::new());
                }
                if let Some(entries) = from_tail(&inner, start, end, bytes) {
                    return Ok(entries);
                }
                (start, end)
            };
            let shared = Arc::clone(&self.shared);
            let read =
                tokio::task::spawn_blocking(move || from_segments(&shared, start, end, bytes));
            let read = read.await;
            match read.map_err(|error| StorageIoError::read_logs(&error))? {
                // Purged meanwhile: the range begins later now.
                Err(Unread::Read(ReadError::Trimmed { first })) if first.0 > start => {}
                Err(error) => return Err(StorageIoError::read_logs(&error).into()),
                Ok(entries) => return Ok(entries),
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    #[error("entry `{index}` is missing")]
    Missing { index: u64 },
}

fn from_tail(inner: &Inner, start: u64, end: u64, bytes: usize) -> Option<Vec<Entry>> {
    let first = inner.tail.front()?.0.log_id.index;
    let skip = start.checked_sub(first)? as usize;
    let mut left = bytes;
    let mut entries = Vec::new();
    for (entry, bytes) in inner.tail.iter().skip(skip).take((end - start) as usize) {
        if *bytes > left && !entries.is_empty() {
            break;
        }
        left = left.saturating_sub(*bytes);
        entries.push(entry.clone());
    }
    Some(entries)
}

fn from_segments(
    shared: &Shared,
    start: u64,
    end: u64,
    bytes: usize,
) -> Result<Vec<Entry>, Unread> {
    let (mut at, mut left) = (start, bytes);
    let mut entries = Vec::new();
    while at < end && (left > 0 || entries.is_empty()) {
        let limit = ReadLimit {
            records: (end - at) as usize,
            bytes: left.min(4 << 20),
        };
        let records = shared
            .wal
            .read(shared.stream, Seq(at), limit, Visibility::Appended)?;
        if records.is_empty() {
            return Err(Unread::Missing { index: at });
        }
        for record in records {
            left = left.saturating_sub(record.payload.len());
            entries.push(codec::decode(&record.payload)?);
            at += 1;
        }
    }
    Ok(entries)
}
