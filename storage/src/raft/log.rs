//! The log of the Raft group: a stream of entries and three registers in a log of its own.

#[cfg(test)]
mod kill;
mod read;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hermod_wal::{
    AppendError, Batch, Log, Options, ReadLimit, Seq, State, StreamId, Ticket, Visibility,
};
use openraft::{
    LogState, OptionalSend, StorageError as Failure,
    storage::{LogFlushed, RaftLogStorage},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::{
    RaftError, codec,
    group::{Entry, Group, LogId, StorageIoError, Vote, next_index},
};

const STREAM: &str = "raft";
const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";

/// An entry has at most 2 MiB: two fit, with the table.
const SEGMENT_BYTES: u32 = 4 << 20;
/// Entries kept in memory: what followers and the state machine read next.
const TAIL_BYTES: usize = 16 << 20;
/// How often a place is remembered for [`LogStore::purge_place`].
const MARK_BYTES: u64 = 1 << 20;

/// The log. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    wal: Log,
    stream: StreamId,
    inner: Mutex<Inner>,
    /// The index behind the newest snapshot that is durable.
    snapshot: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    vote: Option<Vote>,
    /// The core is told of no office from before the start.
    follows: bool,
    committed: Option<LogId>,
    /// `committed` is not in the log yet; it goes with the next entries.
    committed_pending: bool,
    purged: Option<LogId>,
    /// The trim up to here waits until a snapshot at or above it is durable.
    trim: Option<LogId>,
    last: Option<LogId>,
    /// The last entries, without gaps, with their sizes.
    tail: VecDeque<(Entry, usize)>,
    tail_bytes: usize,
    /// Bytes appended since the log was opened.
    bytes: u64,
    /// The first index after so many bytes.
    marks: VecDeque<(u64, u64)>,
}

impl LogStore {
    /// Lets the core begin as a follower, though the node may have led when it ended.
    ///
    /// The core would resume the office at once. In a group whose others have begun to elect, that holds the election up
    /// by another round, while the node cannot serve yet.
    pub(crate) fn begin_as_follower(&self) {
        self.shared.inner().follows = true;
    }

    /// Opens the log, or makes one.
    pub(crate) fn open(dir: &Path) -> Result<Self, RaftError> {
        let wal = Log::open(Options {
            segment_bytes: SEGMENT_BYTES,
            // One append is under way at most, with a vote and a trim beside it.
            pending_bytes_max: 64 << 20,
            tail_bytes_max: 1 << 20,
            spare_segments: 2,
            ..Options::new(dir)
        })?;
        if let Some(damage) = wal.recovery().damage.first() {
            // I6: a member with a hole in its log could vote for what it does not know.
            return Err(RaftError::Damaged {
                segment: damage.segment,
                offset: damage.offset,
            });
        }
        let stream = wal.stream(STREAM).map_err(RaftError::Append)?;
        let mut inner = Inner {
            vote: register(&wal, VOTE)?,
            committed: register(&wal, COMMITTED)?,
            purged: register(&wal, PURGED)?,
            ..Inner::default()
        };
        inner.last = last_entry(&wal, stream)?.or(inner.purged);
        let shared = Arc::new(Shared {
            wal,
            stream,
            inner: Mutex::new(inner),
            snapshot: watch::Sender::new(0),
        });
        Ok(Self { shared })
    }

    /// Returns what was let go of.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.shared.inner().purged
    }

    /// Returns whether nothing was ever written or promised.
    pub(crate) fn is_pristine(&self) -> bool {
        let inner = self.shared.inner();
        inner.vote.is_none() && inner.last.is_none()
    }

    /// Returns whether the disk has room for more than what must go through.
    pub(crate) fn has_room(&self) -> bool {
        !matches!(self.shared.wal.state(), State::Full { .. })
    }

    /// Takes note of a snapshot that is durable, and lets go of what waited for it.
    pub(crate) fn snapshot_is_durable(&self, next: u64) {
        self.shared.snapshot.send_if_modified(|known| {
            let news = *known < next;
            *known = next.max(*known);
            news
        });
        self.shared.trim();
    }

    /// Returns up to where entries may be let go of so that about `keep_bytes` stay for followers that lag.
    pub(crate) fn purge_place(&self, keep_bytes: u64) -> Option<u64> {
        let mut inner = self.shared.inner();
        let limit = inner.bytes.checked_sub(keep_bytes)?;
        let mut place = None;
        while let Some(&(bytes, index)) = inner.marks.front()
            && bytes <= limit
        {
            place = Some(index);
            inner.marks.pop_front();
        }
        place.and_then(|index| index.checked_sub(1))
    }

    /// Closes it. What was appended is durable then.
    pub(crate) fn close(&self) {
        let committed = self.shared.inner().committed;
        let written = encode(&committed)
            .map_err(io::Error::other)
            .and_then(|value| {
                let mut batch = Batch::new();
                batch.set(COMMITTED, &value);
                self.shared.wal.append(batch).map_err(io::Error::other)
            });
        if let Err(error) = written {
            // It may lag: a start replays more, no more than that.
            tracing::debug!(%error, "the committed index was not written");
        }
        if let Err(error) = self.shared.wal.close() {
            tracing::error!(%error, "the log of the metadata store was not closed cleanly");
        }
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the first record.
    fn first(&self) -> u64 {
        let bounds = self.wal.bounds(self.stream);
        bounds.map_or(0, |bounds| bounds.first.0)
    }

    /// The number that the next record gets.
    fn next(&self) -> u64 {
        let bounds = self.wal.bounds(self.stream);
        bounds.map_or(0, |bounds| bounds.next.0)
    }

    /// Writes the trim that waits, once a snapshot at or above it is durable: until then a crash could leave neither the
    /// entries nor the snapshot.
    fn trim(&self) {
        let mut inner = self.inner();
        let Some(id) = inner.trim.filter(|id| id.index < *self.snapshot.borrow()) else {
            return;
        };
        let mut batch = Batch::new();
        batch.reserved();
        let written = encode(&Some(id)).map_err(|error| error.to_string());
        let written = written.and_then(|value| {
            batch.trim(self.stream, Seq(id.index + 1));
            batch.set(PURGED, &value);
            self.wal.append(batch).map_err(|error| error.to_string())
        });
        match written {
            // Nobody waits: until it is durable a start finds a few entries more.
            Ok(_ticket) => inner.trim = None,
            Err(error) => tracing::warn!(%error, "the metadata log was not trimmed"),
        }
    }

    /// Waits for a trim without which the next entry would leave a hole.
    async fn settle(&self) {
        let mut snapshot = self.snapshot.subscribe();
        loop {
            let wanted = {
                let inner = self.inner();
                inner.trim.filter(|id| self.next() <= id.index)
            };
            let Some(id) = wanted else { return };
            if snapshot.wait_for(|next| *next > id.index).await.is_err() {
                return;
            }
            self.trim();
        }
    }

    /// Appends a batch, and waits for room where there is none: what stands in this log must go through.
    async fn write(&self, fill: impl Fn(&mut Batch)) -> Result<Ticket, AppendError> {
        loop {
            let mut batch = Batch::new();
            batch.reserved();
            fill(&mut batch);
            match self.wal.append(batch) {
                Err(AppendError::Full | AppendError::Busy) => self.wal.room().await,
                other => return other,
            }
        }
    }
}

impl RaftLogStorage<Group> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Group>, Failure<u64>> {
        let inner = self.shared.inner();
        Ok(LogState {
            last_purged_log_id: inner.purged,
            last_log_id: inner.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), Failure<u64>> {
        let value = encode(&Some(*vote)).map_err(StorageIoError::write_vote)?;
        let write = self.shared.write(|batch| batch.set(VOTE, &value)).await;
        let ticket = write.map_err(|error| StorageIoError::write_vote(&error))?;
        // A vote that a crash takes back could be given twice in a term.
        let durable = ticket.await;
        durable.map_err(|error| StorageIoError::write_vote(&error))?;
        self.shared.inner().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, Failure<u64>> {
        let inner = self.shared.inner();
        let mut vote = inner.vote;
        if inner.follows
            && let Some(vote) = &mut vote
        {
            // Term and candidate stay as they are on disk: the node still votes for nobody else in this term.
            vote.committed = false;
        }
        Ok(vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), Failure<u64>> {
        let mut inner = self.shared.inner();
        inner.committed = committed;
        inner.committed_pending = true;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, Failure<u64>> {
        let inner = self.shared.inner();
        Ok(inner.committed.min(inner.last))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Group>,
    ) -> Result<(), Failure<u64>>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut coded = Vec::new();
        for entry in entries {
            let bytes =
                codec::encode(&entry).map_err(|error| StorageIoError::write_logs(&error))?;
            coded.push((entry, bytes));
        }
        let Some((first, _)) = coded.first() else {
            callback.log_io_completed(Ok(()));
            return Ok(());
        };
        let first = first.log_id.index;
        self.shared.settle().await;
        let committed = self.shared.inner().pending_committed()?;
        let (stream, next) = (self.shared.stream, self.shared.next());
        let written = self.shared.write(|batch| {
            if first != next {
                // Only an empty stream may begin elsewhere: the log refuses a hole.
                batch.start_at(stream, Seq(first));
            }
            for (_, bytes) in &coded {
                batch.append(stream, bytes);
            }
            if let Some(committed) = &committed {
                batch.set(COMMITTED, committed);
            }
        });
        let ticket = written.await;
        let ticket = ticket.map_err(|error| StorageIoError::write_logs(&error))?;
        self.shared.inner().push(coded);
        // I1: on the writer's thread, after the fsync of the group.
        ticket.on_durable(|outcome| {
            callback.log_io_completed(outcome.map(drop).map_err(io::Error::other));
        });
        Ok(())
    }

    async fn truncate(&mut self, id: LogId) -> Result<(), Failure<u64>> {
        let stream = self.shared.stream;
        let write = self
            .shared
            .write(|batch| batch.rewind(stream, Seq(id.index)));
        let ticket = write.await;
        let ticket = ticket.map_err(|error| StorageIoError::write_logs(&error))?;
        let durable = ticket.await;
        durable.map_err(|error| StorageIoError::write_logs(&error))?;
        let shared = Arc::clone(&self.shared);
        let last = tokio::task::spawn_blocking(move || last_entry(&shared.wal, shared.stream));
        let last = last
            .await
            .map_err(|error| StorageIoError::read_logs(&error))?;
        let last = last.map_err(|error| StorageIoError::read_logs(&error))?;
        let mut inner = self.shared.inner();
        inner.last = last.or(inner.purged);
        inner.cut_from(id.index);
        Ok(())
    }

    async fn purge(&mut self, id: LogId) -> Result<(), Failure<u64>> {
        {
            let mut inner = self.shared.inner();
            inner.purged = inner.purged.max(Some(id));
            inner.trim = inner.trim.max(Some(id));
            inner.last = inner.last.max(Some(id));
            inner.cut_below(id.index + 1);
        }
        self.shared.trim();
        Ok(())
    }
}

impl Inner {
    /// Returns what `committed` is to be set to, once.
    fn pending_committed(&mut self) -> Result<Option<Vec<u8>>, Failure<u64>> {
        if !std::mem::take(&mut self.committed_pending) {
            return Ok(None);
        }
        let value = encode(&self.committed).map_err(StorageIoError::write_logs)?;
        Ok(Some(value))
    }

    fn push(&mut self, coded: Vec<(Entry, Vec<u8>)>) {
        for (entry, bytes) in coded {
            self.last = Some(entry.log_id);
            self.bytes += bytes.len() as u64;
            let marked = self.marks.back().map_or(0, |(bytes, _)| *bytes);
            if self.bytes - marked >= MARK_BYTES {
                self.marks.push_back((self.bytes, entry.log_id.index + 1));
            }
            self.tail_bytes += bytes.len();
            self.tail.push_back((entry, bytes.len()));
        }
        while self.tail_bytes > TAIL_BYTES && self.tail.len() > 1 {
            self.pop_front();
        }
    }

    fn cut_from(&mut self, index: u64) {
        while let Some((entry, bytes)) = self.tail.back()
            && entry.log_id.index >= index
        {
            self.tail_bytes -= bytes;
            self.tail.pop_back();
        }
    }

    fn cut_below(&mut self, index: u64) {
        while let Some((entry, _)) = self.tail.front()
            && entry.log_id.index < index
        {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some((_, bytes)) = self.tail.pop_front() {
            self.tail_bytes -= bytes;
        }
    }

    /// The entries that there are: from the first to before the last number.
    fn range(&self) -> (u64, u64) {
        (
            next_index(self.purged.as_ref()),
            next_index(self.last.as_ref()),
        )
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, openraft::AnyError> {
    codec::encode(value).map_err(|error| openraft::AnyError::new(&error))
}

fn register<T: DeserializeOwned>(wal: &Log, name: &'static str) -> Result<Option<T>, RaftError> {
    match wal.register(name) {
        Some(value) => codec::decode::<Option<T>>(&value).map_err(|error| RaftError::Malformed {
            what: name.into(),
            reason: error.to_string(),
        }),
        None => Ok(None),
    }
}

/// Reads the log id of the last record.
fn last_entry(wal: &Log, stream: StreamId) -> Result<Option<LogId>, RaftError> {
    let Some(bounds) = wal.bounds(stream).filter(|b| b.first < b.next) else {
        return Ok(None);
    };
    let limit = ReadLimit {
        records: 1,
        bytes: 0,
    };
    let from = Seq(bounds.next.0 - 1);
    let records = wal.read(stream, from, limit, Visibility::Appended)?;
    let Some(record) = records.first() else {
        return Ok(None);
    };
    let entry: Entry = codec::decode(&record.payload).map_err(|error| RaftError::Malformed {
        what: format!("entry {from}"),
        reason: error.to_string(),
    })?;
    Ok(Some(entry.log_id))
}
