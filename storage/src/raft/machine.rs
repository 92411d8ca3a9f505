//! The state machine: the state in memory, and what makes it survive: snapshots, and the log above them.

mod answers;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, storage::RaftStateMachine,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    RaftError,
    group::{
        Entry, Group, LogId, Membership, Outcome, Outcomes, Proposal, SnapshotMeta, StorageError,
        StorageIoError, next_index,
    },
    log::LogStore,
};
use crate::{Event, Feed, Operation, State};
use answers::Answers;
pub(crate) use answers::WINDOW;
pub(crate) use snapshot::sync_dir;
use snapshot::{SnapshotError, Snapshots};

/// Between two tries while the disk is full.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// Called with every operation before it is applied: how a test makes a node fail.
pub(crate) type Probe = Arc<dyn Fn(&Operation) + Send + Sync>;

/// The state machine. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Machine {
    shared: Arc<Shared>,
}

struct Shared {
    held: RwLock<Held>,
    feed: Feed,
    /// The index behind the last applied entry.
    applied: watch::Sender<u64>,
    snapshots: Snapshots,
    log: LogStore,
    /// Bytes applied since the last snapshot, about.
    weight: AtomicU64,
    /// An apply has panicked half-way: nothing in memory is to be trusted any more.
    broken: AtomicBool,
    /// Nobody waits for room on the disk any more.
    closed: AtomicBool,
    probe: Option<Probe>,
}

/// Everything that a snapshot holds. A clone takes no time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: Membership,
    pub(crate) state: State,
    answers: Answers,
}

impl Machine {
    /// Opens it with its newest snapshot.
    ///
    /// # Errors
    /// Where the log was purged beyond that snapshot: what is missing is nowhere.
    pub(crate) fn open(dir: &Path, log: LogStore, probe: Option<Probe>) -> Result<Self, RaftError> {
        let (snapshots, held) = Snapshots::open(dir)?;
        let held = held.unwrap_or_default();
        let snapshot = next_index(held.applied.as_ref());
        let purged = next_index(log.purged().as_ref());
        if purged > snapshot {
            return Err(RaftError::SnapshotMissing { purged, snapshot });
        }
        log.snapshot_is_durable(snapshot);
        let shared = Arc::new(Shared {
            applied: watch::Sender::new(snapshot),
            held: RwLock::new(held),
            feed: Feed::new(),
            snapshots,
            log,
            weight: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            probe,
        });
        Ok(Self { shared })
    }

    /// Looks at what is applied.
    pub(crate) fn held(&self) -> RwLockReadGuard<'_, Held> {
        let held = &self.shared.held;
        held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a copy of the state; it takes no time.
    pub(crate) fn state(&self) -> State {
        self.held().state.clone()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Acquire)
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// Returns what tells the index behind the last applied entry.
    pub(crate) fn applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Returns about how many bytes were applied since the last snapshot.
    pub(crate) fn weight(&self) -> u64 {
        self.shared.weight.load(Ordering::Relaxed)
    }

    /// Ends what waits for room on the disk.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
    }

    /// Does something with the snapshots' files, and again while the disk is full: that is a state, not the end (I8).
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl Fn(&Snapshots) -> Result<T, SnapshotError> + Send + Sync + 'static,
    ) -> Result<T, AnyError> {
        let work = Arc::new(work);
        loop {
            let (shared, doing) = (Arc::clone(&self.shared), Arc::clone(&work));
            let done = tokio::task::spawn_blocking(move || doing(&shared.snapshots)).await;
            match done.map_err(|error| AnyError::new(&error))? {
                Ok(done) => return Ok(done),
                Err(error) if error.is_full() && !self.shared.closed.load(Ordering::Acquire) => {
                    tracing::warn!(%error, "the disk has no room for a snapshot");
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                Err(error) => return Err(AnyError::new(&error)),
            }
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        let held = &self.shared.held;
        held.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply_entry(&self, entry: &Entry) -> Result<Outcomes, StorageError> {
        let mut events = Vec::new();
        let applied = {
            let mut held = self.write();
            catch_unwind(AssertUnwindSafe(|| {
                held.apply(entry, &mut events, self.shared.probe.as_ref())
            }))
        };
        let Ok((outcomes, weight)) = applied else {
            // Left alone, the core would lead on and answer nothing.
            self.shared.broken.store(true, Ordering::Release);
            let error = AnyError::error("the state machine has panicked");
            return Err(StorageIoError::apply(entry.log_id, error).into());
        };
        self.shared.weight.fetch_add(weight, Ordering::Relaxed);
        self.shared.feed.publish(events);
        self.shared.applied.send_replace(entry.log_id.index + 1);
        Ok(outcomes)
    }
}

impl Held {
    fn apply(
        &mut self,
        entry: &Entry,
        events: &mut Vec<Event>,
        probe: Option<&Probe>,
    ) -> (Outcomes, u64) {
        let mut weight = 64;
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Membership(membership) => {
                self.membership = Membership::new(Some(entry.log_id), membership.clone());
                Vec::new()
            }
            EntryPayload::Normal(proposal) => {
                let commands = proposal.commands.iter();
                weight += commands.map(|command| command.weight() as u64).sum::<u64>();
                self.propose(entry.log_id.index, proposal, events, probe)
            }
        };
        self.applied = Some(entry.log_id);
        (outcomes, weight)
    }

    fn propose(
        &mut self,
        index: u64,
        proposal: &Proposal,
        events: &mut Vec<Event>,
        probe: Option<&Probe>,
    ) -> Outcomes {
        let now_ms = proposal.now_ms;
        let mut outcomes = Vec::with_capacity(proposal.commands.len());
        for command in proposal.commands.iter() {
            let store_ms = self.state.now_ms().max(now_ms);
            let mut window = self.answers.window(command.proposer, index, store_ms);
            let mut answers = Vec::with_capacity(command.operations.len());
            for (serial, operation) in (command.serial..).zip(&command.operations) {
                // A retry is answered, not done again.
                let answer = match window.known(serial) {
                    answers::Known::Answer(answer) => answer,
                    answers::Known::Expired => break,
                    answers::Known::New => {
                        if let Some(probe) = probe {
                            probe(operation);
                        }
                        let (answer, news) = self.state.apply(now_ms, operation);
                        events.extend(news);
                        window.keep(serial, answer.clone());
                        answer
                    }
                };
                answers.push(answer);
            }
            self.answers.put_back(command.proposer, window);
            outcomes.push(if answers.len() == command.operations.len() {
                Outcome::Answers(answers)
            } else {
                Outcome::Expired
            });
        }
        outcomes
    }
}

impl RaftStateMachine<Group> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        let held = self.held();
        Ok((held.applied, held.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcomes>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut outcomes = Vec::new();
        for entry in entries {
            outcomes.push(self.apply_entry(&entry)?);
        }
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.shared.weight.store(0, Ordering::Relaxed);
        Builder {
            held: self.held().clone(),
            machine: self.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let failed = |error: &dyn std::fmt::Display| {
            StorageIoError::write_snapshot(Some(meta.signature()), AnyError::error(error))
        };
        let applied = self.held().applied;
        if meta.last_log_id <= applied {
            // What is applied stays applied: this one is older, or of another history.
            return Err(failed(&"it is not newer than what is applied").into());
        }
        let (wanted, bytes) = (meta.clone(), snapshot.into_inner());
        let installed = self.on_disk(move |snapshots| snapshots.install(&wanted, &bytes));
        let held = installed.await.map_err(|error| failed(&error))?;
        let next = next_index(held.applied.as_ref());
        *self.write() = held;
        self.shared.weight.store(0, Ordering::Relaxed);
        self.shared.log.snapshot_is_durable(next);
        self.shared.applied.send_replace(next);
        self.shared.feed.reset();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Group>>, StorageError> {
        let current = self.on_disk(Snapshots::current).await;
        let current = current.map_err(|error| StorageIoError::read_snapshot(None, error))?;
        Ok(current.map(|(meta, bytes)| Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(bytes)),
        }))
    }
}

/// Writes a snapshot of what was applied when it was made.
pub(crate) struct Builder {
    held: Held,
    machine: Machine,
}

impl RaftSnapshotBuilder<Group> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Group>, StorageError> {
        let held = self.held.clone();
        let next = next_index(held.applied.as_ref());
        let built = self
            .machine
            .on_disk(move |snapshots| snapshots.build(&held));
        let built = built.await;
        let (meta, bytes) = built.map_err(|error| StorageIoError::write_snapshot(None, error))?;
        self.machine.shared.log.snapshot_is_durable(next);
        Ok(Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(bytes)),
        })
    }
}
