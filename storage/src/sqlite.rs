//! A store in a SQLite file, which several processes of one machine may share.
//!
//! What an operation means is not written here: each is applied by [`State`](crate::State)'s own rules to the few rows
//! that it touches, inside one write transaction. The tables can be read with any SQLite tool (`sqlite/schema.sql`).
//!
//! - One task writes. It takes everything that waits into one transaction, so that writers share a sync.
//! - Every change also stands in the table `changes`, a short one; from it a process learns what others have done.
//! - Limits: a busy database is tried again until [`SqliteOptions::busy_timeout`];
//!   1,024 calls and 16 MiB of operations wait at most.

mod fault;
mod follow;
mod open;
mod read;
mod rows;
mod shared;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, sync::DropGuard, task::TaskTracker};

pub use self::open::SqliteError;
use self::{follow::Follower, shared::Shared, writer::Job, writer::Writer};
use crate::{
    Answer, Entry, EntryQuery, Health, Key, Lease, Object, Operation, Range, Read, Store,
    StoreError, StoreErrorKind, Watch, memory::check_submission,
};

/// Bytes of operations that wait to be written at most.
const QUEUED_BYTES_MAX: usize = 16 << 20;

/// Calls that wait to be written at most.
const QUEUED_JOBS_MAX: usize = 1_024;

/// Bytes that an operation takes in the queue beyond its own.
const JOB_BYTES: usize = 256;

/// Connections that read.
const READERS: u32 = 4;

/// When to try again after a busy database.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where a store is, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The file.
    pub path: PathBuf,
    /// How long a write waits for other processes before it is given up; 15 s unless said otherwise.
    pub busy_timeout: Duration,
    /// Whether a store is made where there is none.
    pub create: bool,
}

impl SqliteOptions {
    /// The environment variable that operators set [`busy_timeout`](Self::busy_timeout) with, in milliseconds.
    pub const BUSY_TIMEOUT_VARIABLE: &str = "HERMOD_SQLITE_BUSY_TIMEOUT_MS";

    /// Makes options for a file, which is made if it is missing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            busy_timeout: Duration::from_secs(15),
            create: true,
        }
    }

    /// Reads what stands in `--db-conn`: a path, or `sqlite:` and a path.
    pub fn parse(text: &str) -> Result<Self, SqliteError> {
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = match path.strip_prefix("//") {
            Some(rest) if path != text => rest,
            _ => path,
        };
        if path.is_empty() || path.contains(':') || path.contains('?') {
            return Err(SqliteError::Address {
                text: text.to_owned(),
            });
        }
        Ok(Self::new(path))
    }

    /// Takes the busy timeout from a text in milliseconds, as it stands in the environment.
    pub fn with_busy_timeout_ms(mut self, text: &str) -> Result<Self, SqliteError> {
        let Ok(ms @ 1..=600_000) = text.trim().parse() else {
            let text = text.to_owned();
            return Err(SqliteError::BusyTimeout { text });
        };
        self.busy_timeout = Duration::from_millis(ms);
        Ok(self)
    }
}

/// A store in a SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    id: String,
    made: bool,
    shared: Arc<Shared>,
    readers: SqlitePool,
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    busy_timeout: Duration,
    tasks: TaskTracker,
    closing: CancellationToken,
    /// Ends the tasks of a store that is dropped without being closed.
    _end: DropGuard,
}

impl Sqlite {
    /// Opens a store, and makes it where that is wanted and there is none.
    ///
    /// # Errors
    /// A file that is not a store, or that a newer version has written, is left as it is.
    pub async fn open(options: SqliteOptions) -> Result<Self, SqliteError> {
        let opened = open::open(&options).await?;
        let shared = Arc::new(Shared::new(&options.path, opened.file, opened.head));
        let (queue, jobs) = mpsc::channel(QUEUED_JOBS_MAX);
        let tasks = TaskTracker::new();
        let closing = CancellationToken::new();
        let writer = Writer::new(
            opened.connection,
            jobs,
            shared.clone(),
            options.busy_timeout,
            closing.clone(),
        );
        tasks.spawn(writer.run());
        let follower = Follower::new(opened.follower, shared.clone(), closing.clone());
        tasks.spawn(follower.run());
        Ok(Self {
            id: opened.id,
            made: opened.made,
            shared,
            readers: opened.readers,
            queue,
            room: Arc::new(Semaphore::new(QUEUED_BYTES_MAX)),
            busy_timeout: options.busy_timeout,
            tasks,
            _end: closing.clone().drop_guard(),
            closing,
        })
    }

    /// Returns the store's own id, random and made with it: another file is another store.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether it was made by this [`open`](Self::open).
    pub fn is_new(&self) -> bool {
        self.made
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Waits until the store is not to be trusted any more, and returns why. Closed, it waits forever.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn failed(&self) -> StoreError {
        self.shared.failed().await
    }

    fn is_open(&self) -> Result<(), StoreError> {
        if self.closing.is_cancelled() {
            let message = "the store is closed";
            return Err(StoreError::new(StoreErrorKind::Stopped, message));
        }
        self.shared.is_sound()
    }

    fn read<T>(&self, result: sqlx::Result<T>) -> Result<T, StoreError> {
        match result {
            Ok(value) => {
                self.shared.heard();
                Ok(value)
            }
            Err(error) => {
                let error = fault::explain(error, "read");
                if error.kind() == StoreErrorKind::Stopped && !self.closing.is_cancelled() {
                    self.shared.stop(&error);
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError> {
        check_submission(&operations)?;
        self.is_open()?;
        let bytes: usize = operations.iter().map(|o| o.weight() + JOB_BYTES).sum();
        let since = Instant::now();
        // I9: what waits is bounded in calls and in bytes; who finds no room in time is told so.
        let full = || StoreError::unavailable("too many writes wait for the database", RETRY_AFTER);
        let room = self
            .room
            .clone()
            .acquire_many_owned(bytes.min(QUEUED_BYTES_MAX) as u32);
        let Ok(Ok(room)) = tokio::time::timeout(self.busy_timeout, room).await else {
            return Err(full());
        };
        let (reply, answer) = oneshot::channel();
        let job = Job {
            operations,
            reply,
            since,
            room,
        };
        match self.queue.send_timeout(job, self.busy_timeout).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => return Err(full()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                self.is_open()?;
                let message = "the store's writer has ended";
                return Err(StoreError::new(StoreErrorKind::Stopped, message));
            }
        }
        answer.await.unwrap_or_else(|_| {
            let message = "the store's writer has ended before it answered";
            Err(StoreError::new(StoreErrorKind::Unknown, message))
        })
    }

    // Every read sees what was committed before it, by whichever process: both kinds of reads are the same.

    async fn get(&self, key: &Key, _: Read) -> Result<Option<Object>, StoreError> {
        self.is_open()?;
        self.read(read::object(&self.readers, key).await)
    }

    async fn list(&self, range: &Range, _: Read) -> Result<Vec<Object>, StoreError> {
        self.is_open()?;
        self.read(read::objects(&self.readers, range).await)
    }

    async fn lease(&self, name: &str, _: Read) -> Result<Option<Lease>, StoreError> {
        self.is_open()?;
        self.read(read::lease(&self.readers, name).await)
    }

    async fn leases(&self, _: Read) -> Result<Vec<Lease>, StoreError> {
        self.is_open()?;
        self.read(read::leases(&self.readers).await)
    }

    async fn entries(&self, query: &EntryQuery, _: Read) -> Result<Vec<Entry>, StoreError> {
        self.is_open()?;
        self.read(read::entries(&self.readers, query).await)
    }

    fn watch(&self) -> Watch {
        self.shared.feed().watch()
    }

    fn now_ms(&self) -> u64 {
        self.shared.now_ms()
    }

    fn health(&self) -> Health {
        self.shared.health(self.closing.is_cancelled())
    }

    async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.readers.close().await;
    }
}

/// Returns what every connection to a store has in common.
fn connect_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        // I1: a commit is on disk before it is answered. In WAL mode anything less may lose the last ones.
        .pragma("synchronous", "FULL")
        .pragma("trusted_schema", "OFF")
        .foreign_keys(true)
        .busy_timeout(busy_timeout)
}

#[cfg(test)]
mod tests;
