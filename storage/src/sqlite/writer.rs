//! The one task that writes: everything that waits goes into one transaction, and so shares its sync.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::RngExt;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    RETRY_AFTER, fault,
    rows::{self, Head, Touched},
    shared::Shared,
};
use crate::{Answer, Event, Operation, StoreError, StoreErrorKind, memory::wall_ms, state::apply};

/// Operations that one transaction takes, unless a single call brings more.
const BATCH_OPERATIONS: usize = 1_024;

/// Bytes that one transaction takes, unless a single call brings more.
const BATCH_BYTES: usize = 4 << 20;

/// Pauses between two tries while another process writes.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How often a store that takes no writes is tried again.
const PROBE: Duration = Duration::from_secs(1);

/// A call to `submit`.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operations: Vec<Operation>,
    pub(super) reply: oneshot::Sender<Result<Vec<Answer>, StoreError>>,
    /// When it was called.
    pub(super) since: Instant,
    /// Its part of the room for what waits.
    pub(super) room: OwnedSemaphorePermit,
}

impl Job {
    fn answer(self, answer: Result<Vec<Answer>, StoreError>) {
        // Whoever asked may have gone.
        drop(self.reply.send(answer));
        drop(self.room);
    }
}

/// What a transaction has done.
struct Done {
    answers: Vec<Vec<Answer>>,
    head: Head,
    /// Whether it changed anything.
    changed: bool,
    /// What has changed since this process last told, by whomever.
    news: Vec<(u64, Event)>,
}

/// Why a transaction was not done.
enum Undone {
    /// Nothing of it stays.
    Before(sqlx::Error),
    /// The commit failed: what a restart finds is not known.
    AtCommit(sqlx::Error),
}

impl From<sqlx::Error> for Undone {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
}

pub(super) struct Writer {
    connection: SqliteConnection,
    jobs: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    busy_timeout: Duration,
    closing: CancellationToken,
}

impl Writer {
    pub(super) fn new(
        connection: SqliteConnection,
        jobs: mpsc::Receiver<Job>,
        shared: Arc<Shared>,
        busy_timeout: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            connection,
            jobs,
            shared,
            busy_timeout,
            closing,
        }
    }

    /// Writes until the store is closed and everything that was taken is answered.
    pub(super) async fn run(mut self) {
        let _alive = Alive(self.shared.clone());
        while let Some(batch) = self.next().await {
            self.serve(batch).await;
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }

    /// Waits for work, and takes all that is there; an empty batch asks whether writes are taken again.
    async fn next(&mut self) -> Option<Vec<Job>> {
        let blocked = self.shared.is_blocked();
        let first = tokio::select! {
            biased;
            () = self.closing.cancelled(), if !self.jobs.is_closed() => {
                self.jobs.close();
                self.jobs.recv().await
            }
            job = self.jobs.recv() => job,
            () = tokio::time::sleep(PROBE), if blocked => return Some(Vec::new()),
        }?;
        let weigh = |job: &Job| -> usize { job.operations.iter().map(Operation::weight).sum() };
        let mut operations = first.operations.len();
        let mut bytes = weigh(&first);
        let mut batch = vec![first];
        while operations < BATCH_OPERATIONS
            && bytes < BATCH_BYTES
            && let Ok(job) = self.jobs.try_recv()
        {
            operations += job.operations.len();
            bytes += weigh(&job);
            batch.push(job);
        }
        Some(batch)
    }

    async fn serve(&mut self, mut batch: Vec<Job>) {
        if let Err(error) = self.shared.is_sound() {
            refuse(batch, error.kind(), &error.to_string());
            return;
        }
        if let Err(error) = self.begin(&mut batch).await {
            let error = fault::explain(error, "written");
            if error.kind() == StoreErrorKind::Stopped {
                self.shared.stop(&error);
            } else {
                self.shared.set_blocked(Some(error.to_string()));
            }
            refuse(batch, error.kind(), &error.to_string());
            return;
        }
        let undone = match self.transact(&batch).await {
            Ok(done) => return self.finish(batch, done).await,
            Err(undone) => undone,
        };
        // Where SQLite has rolled it back by itself, this fails, and that is well.
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut self.connection).await {
            tracing::debug!(%error, "there was nothing to roll back");
        }
        let (error, at_commit) = match undone {
            Undone::Before(error) => (error, false),
            Undone::AtCommit(error) => (error, true),
        };
        let error = fault::explain(error, "written");
        if error.kind() != StoreErrorKind::Stopped {
            self.shared.set_blocked(Some(error.to_string()));
            refuse(batch, error.kind(), &error.to_string());
            return;
        }
        // I7: after a write or a sync has failed, nobody is answered well, and the file is not written again.
        self.shared.stop(&error);
        let kind = if at_commit {
            StoreErrorKind::Unknown
        } else {
            StoreErrorKind::Stopped
        };
        refuse(batch, kind, &error.to_string());
    }

    /// Takes the database's one right to write. Who has waited too long for it is told so.
    async fn begin(&mut self, batch: &mut Vec<Job>) -> sqlx::Result<()> {
        let mut pause = PAUSE_MIN;
        loop {
            let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection);
            let Err(error) = begun.await else {
                return Ok(());
            };
            if !fault::is_busy(&error) {
                return Err(error);
            }
            let (waiting, late) = std::mem::take(batch)
                .into_iter()
                .partition(|job| job.since.elapsed() < self.busy_timeout);
            *batch = waiting;
            let message = "the database is busy with another process";
            refuse(late, StoreErrorKind::Unavailable, message);
            if batch.is_empty() {
                return Err(error);
            }
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
            tokio::time::sleep(jittered).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn transact(&mut self, batch: &[Job]) -> Result<Done, Undone> {
        let connection = &mut self.connection;
        let head = Head::read(connection).await?;
        let known = self.shared.next_change();
        let mut news = if head.next_change > known {
            rows::changes(connection, known).await?
        } else {
            Vec::new()
        };
        // Store time is the highest that anybody has written, this process has seen, or the clock says.
        let now_ms = wall_ms().max(self.shared.now_ms());
        let mut touched = Touched::new(head);
        let mut answers = Vec::with_capacity(batch.len());
        for job in batch {
            let mut answered = Vec::with_capacity(job.operations.len());
            for operation in &job.operations {
                touched.fetch(connection, operation).await?;
                let at = touched.head().next_change;
                let (answer, events) = apply(&mut touched, now_ms, operation);
                touched.flush(connection, &events).await?;
                news.extend((at..).zip(events));
                answered.push(answer);
            }
            answers.push(answered);
        }
        let changed = touched.finish(connection).await?;
        // I1: with `synchronous` at full, the log is synced when this returns.
        let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
        committed.map_err(Undone::AtCommit)?;
        Ok(Done {
            answers,
            head: touched.head(),
            changed,
            news,
        })
    }

    async fn finish(&mut self, batch: Vec<Job>, done: Done) {
        if done.changed
            && let Err(error) = self.shared.is_in_place().await
        {
            // I1: it is in a file that nobody will find again.
            self.shared.stop(&error);
            refuse(batch, StoreErrorKind::Unknown, &error.to_string());
            return;
        }
        self.shared.set_blocked(None);
        self.shared.announce(done.head, done.news);
        for (job, answers) in batch.into_iter().zip(done.answers) {
            job.answer(Ok(answers));
        }
    }
}

fn refuse(batch: Vec<Job>, kind: StoreErrorKind, message: &str) {
    for job in batch {
        let error = match kind {
            StoreErrorKind::Unavailable => StoreError::unavailable(message, RETRY_AFTER),
            StoreErrorKind::Unknown | StoreErrorKind::Invalid | StoreErrorKind::Stopped => {
                StoreError::new(kind, message)
            }
        };
        job.answer(Err(error));
    }
}

/// Stops the store when the task that holds it panics.
pub(super) struct Alive(pub(super) Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = "a task of the store has panicked";
            self.0
                .stop(&StoreError::new(StoreErrorKind::Stopped, message));
        }
    }
}
