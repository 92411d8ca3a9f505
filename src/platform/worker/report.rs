//! What a worker tells the store, together and at most once a second: that it lives, where its sources are, how its
//! workflows are, and what waits on its disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hermod_api::platform::{WorkflowState, WorkflowStatus};
use hermod_engine::{Overtaken, Replica};
use hermod_sdk::Position;
use hermod_storage::{
    Answer, Expect, Key, Kind, Operation, Read, Refusal, Revision, Transaction, registry::Worker,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::super::{
    core::{Core, lease_of},
    status,
};

/// Between two commands.
const EVERY: Duration = Duration::from_secs(1);

/// Between two signs of life.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// Between two reports of a workflow in which only figures have changed.
const FIGURES_EVERY: Duration = Duration::from_secs(10);

/// How long the store may take for a command.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Operations in one command; what is more comes with the next.
const OPERATIONS_MAX: usize = 500;

/// A source's position as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Generation of the source's positions, the same for all owners.
    pub(super) generation: u64,
    /// The position in base64, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<String>,
    /// Epoch of the lease under which it was kept.
    pub(super) epoch: u64,
}

impl Checkpoint {
    /// Returns the position, if there is one.
    ///
    /// # Errors
    /// What is wrong with one that cannot be read: to begin anew instead would deliver everything again.
    pub(super) fn position(&self) -> Result<Option<Position>, String> {
        let Some(text) = &self.position else {
            return Ok(None);
        };
        let bytes = BASE64.decode(text).map_err(|error| error.to_string())?;
        let position = Position::from_bytes(&bytes.into()).map_err(|error| error.to_string())?;
        Ok(Some(position))
    }
}

/// Id of the checkpoint of a workflow's source.
pub(super) fn checkpoint_key(workflow: &str, source: &str) -> Key {
    Key::new(Kind::Checkpoint, format!("{workflow}/{source}"))
}

/// A stream that waits on a disk, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct ReportedBacklog {
    pub(in super::super) workflow: String,
    pub(in super::super) stream: String,
    pub(in super::super) epoch: u64,
    pub(in super::super) cursor: u64,
    pub(in super::super) end: u64,
    /// Whether another owner has overtaken it, as far as its node knows.
    pub(in super::super) set_aside: bool,
}

/// What a node last said of its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct ReportedDisk {
    /// The node's name.
    pub(in super::super) name: String,
    pub(in super::super) reported_ms: u64,
    pub(in super::super) streams: Vec<ReportedBacklog>,
}

struct Pending {
    checkpoint: Checkpoint,
    waiters: Vec<oneshot::Sender<Result<(), Overtaken>>>,
}

/// What is shown of a workflow that does not run here although it should, or not any more.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub(super) state: WorkflowState,
    pub(super) reason: Option<String>,
    pub(super) told: Told,
    /// Under which it ran; 0 where it could not be started.
    pub(super) epoch: u64,
}

/// Which form of a workflow a status is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Of the workflow's object.
    pub(super) revision: Revision,
    /// The workflow's version: 1, 2, 3, …
    pub(super) version: u64,
}

/// Gathers and sends.
pub(super) struct Reporter {
    core: Arc<Core>,
    checkpoints: Mutex<HashMap<Key, Pending>>,
    notes: Mutex<BTreeMap<String, Note>>,
    /// The workflows that run here.
    running: Mutex<HashMap<String, Told>>,
    /// The worker takes nothing more: others need not wait until it is missed.
    leaves: AtomicBool,
    urgent: Notify,
}

/// What was last sent.
#[derive(Default)]
struct Sent {
    alive: Option<Instant>,
    left: bool,
    statuses: HashMap<String, (Instant, WorkflowStatus)>,
    streams: Option<Vec<ReportedBacklog>>,
    /// The store has not taken the last one; that was said.
    untaken: bool,
}

impl Sent {
    /// Says once that the store takes no report, and once that it does again.
    fn taken(&mut self, outcome: Result<(), String>) {
        let failed = outcome.is_err();
        match outcome {
            Err(reason) if !self.untaken => {
                tracing::warn!(reason, "the store has not taken a report; trying again");
            }
            Ok(()) if self.untaken => tracing::info!("the store takes reports again"),
            Ok(()) | Err(_) => {}
        }
        self.untaken = failed;
    }
}

impl Reporter {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            checkpoints: Mutex::default(),
            notes: Mutex::default(),
            running: Mutex::default(),
            leaves: AtomicBool::new(false),
            urgent: Notify::new(),
        }
    }

    /// Returns what keeps the positions of a workflow's source.
    pub(super) fn replica(
        self: &Arc<Self>,
        workflow: &str,
        source: &str,
        generation: u64,
        epoch: u64,
    ) -> Arc<dyn Replica> {
        Arc::new(StoreReplica {
            reporter: Arc::clone(self),
            key: checkpoint_key(workflow, source),
            generation,
            epoch,
        })
    }

    /// Says that this worker takes nothing more: what it gives back is at once for others.
    pub(super) fn leave(&self) {
        self.leaves.store(true, Ordering::SeqCst);
        self.urgent.notify_one();
    }

    /// Says which form of a workflow runs here.
    pub(super) fn runs(&self, workflow: &str, told: Told) {
        lock(&self.notes).remove(workflow);
        lock(&self.running).insert(workflow.to_owned(), told);
        self.urgent.notify_one();
    }

    /// Says why a workflow does not run here.
    pub(super) fn note(&self, workflow: &str, note: Note) {
        lock(&self.running).remove(workflow);
        lock(&self.notes).insert(workflow.to_owned(), note);
        self.urgent.notify_one();
    }

    /// Tells the store how a workflow has ended here, while its lease is still held: whoever takes the lease next finds it.
    /// From then on this node says nothing of it.
    pub(super) async fn end(&self, workflow: &str, note: Note) {
        lock(&self.running).remove(workflow);
        let status = self.noted(workflow, &note);
        let operation = status_operation(&status, note.told);
        let submitted = self.core.store().submit(vec![operation]);
        match tokio::time::timeout(TIMEOUT, submitted).await {
            Ok(Ok(answers)) => answers.iter().for_each(|answer| {
                refused(answer, "how a workflow ended");
            }),
            Ok(Err(error)) => {
                tracing::warn!(workflow, %error, "the store was not told how a workflow ended");
            }
            Err(_) => {
                tracing::warn!(
                    workflow,
                    "the store was not told in time how a workflow ended"
                );
            }
        }
        self.forget(workflow);
    }

    /// Says nothing of a workflow from now on: another node does.
    pub(super) fn forget(&self, workflow: &str) {
        lock(&self.running).remove(workflow);
        lock(&self.notes).remove(workflow);
    }

    /// Returns the statuses of this node's workflows, as they are now.
    pub(super) fn statuses(&self) -> Vec<WorkflowStatus> {
        let now_ms = self.core.store().now_ms();
        let running = lock(&self.running).clone();
        let workflows = self.core.engine.workflows().into_iter();
        let shown = workflows.filter_map(|workflow| {
            let shown = workflow.status();
            let told = running.get(&*shown.id)?;
            let mut status = status::of(&shown, &self.core.name, now_ms);
            status.version = Some(told.version);
            Some(status)
        });
        let mut all: Vec<_> = shown.collect();
        let notes = lock(&self.notes).clone();
        all.extend(
            notes
                .iter()
                .map(|(workflow, note)| self.noted(workflow, note)),
        );
        all
    }

    fn noted(&self, workflow: &str, note: &Note) -> WorkflowStatus {
        let mut status = WorkflowStatus::new(workflow, note.state, self.core.store().now_ms());
        status.reason.clone_from(&note.reason);
        status.node = Some(self.core.name.clone());
        status.epoch = Some(note.epoch).filter(|epoch| *epoch > 0);
        status.version = Some(note.told.version);
        status
    }

    /// Reports until `stop`, then once more.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut sent = Sent::default();
        loop {
            let began = Instant::now();
            self.send(&mut sent).await;
            if stop.is_cancelled() {
                return;
            }
            // What is urgent does not wait, but for a moment in which more may come.
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(began + EVERY) => {}
                () = self.urgent.notified() => tokio::time::sleep(EVERY / 10).await,
            }
        }
    }

    async fn send(&self, sent: &mut Sent) {
        let now = Instant::now();
        let mut operations = Vec::new();
        let keys = self.checkpoint_operations(&mut operations);
        let mut alive = None;
        let leaves = self.leaves.load(Ordering::SeqCst);
        if (sent.alive.is_none_or(|last| now - last >= ALIVE_EVERY) || leaves != sent.left)
            && let Some(operation) = self.alive(leaves).await
        {
            alive = Some(operations.len());
            operations.push(operation);
        }
        let first = operations.len();
        let statuses = self.status_operations(sent, now, &mut operations);
        let streams = self.disk_operation(sent, &mut operations);
        if operations.is_empty() {
            return;
        }
        let submitted = self.core.store().submit(operations);
        let answers = match tokio::time::timeout(TIMEOUT, submitted).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => return sent.taken(Err(error.to_string())),
            Err(_) => return sent.taken(Err("no answer in time".to_owned())),
        };
        sent.taken(Ok(()));
        for ((key, checkpoint), answer) in keys.iter().zip(&answers) {
            self.settle(key, checkpoint, answer);
        }
        // One that a person's change came before is said again at once.
        if let Some(answer) = alive.and_then(|at| answers.get(at))
            && !refused(answer, "that the worker lives")
        {
            sent.alive = Some(now);
            sent.left = leaves;
        }
        let mut answers = answers.iter().skip(first);
        for (status, answer) in statuses.into_iter().zip(answers.by_ref()) {
            refused(answer, "a workflow's status");
            sent.statuses.insert(status.workflow.clone(), (now, status));
        }
        if let (Some(streams), Some(answer)) = (streams, answers.next())
            && !refused(answer, "what waits on the disk")
        {
            sent.streams = Some(streams);
        }
    }

    fn checkpoint_operations(&self, operations: &mut Vec<Operation>) -> Vec<(Key, Checkpoint)> {
        let pending = lock(&self.checkpoints);
        let mut keys = Vec::new();
        for (key, pending) in pending.iter().take(OPERATIONS_MAX) {
            let workflow = key.id.split('/').next().unwrap_or_default();
            // I5: a position carries the epoch under which it was reached, and the store refuses an older one.
            let transaction = Transaction::new()
                .guard(lease_of(workflow), pending.checkpoint.epoch)
                .put(
                    key.clone(),
                    Expect::Any,
                    json!(pending.checkpoint).to_string(),
                );
            operations.push(Operation::Commit(transaction));
            keys.push((key.clone(), pending.checkpoint.clone()));
        }
        keys
    }

    fn settle(&self, key: &Key, sent: &Checkpoint, answer: &Answer) {
        let result = match answer {
            Answer::Committed { .. } => Ok(()),
            Answer::Refused(refusal @ Refusal::Stale { .. }) => Err(Overtaken {
                reason: refusal.to_string(),
            }),
            other => {
                tracing::warn!(%key, answer = ?other, "a position was not kept; trying again");
                return;
            }
        };
        let mut checkpoints = lock(&self.checkpoints);
        // A newer one that came meanwhile is sent next; its waiters wait on.
        if let Some(pending) = checkpoints.get(key)
            && pending.checkpoint == *sent
            && let Some(pending) = checkpoints.remove(key)
        {
            for waiter in pending.waiters {
                // Whoever waited may have been stopped.
                drop(waiter.send(result.clone()));
            }
        }
    }

    /// What says that this worker lives, or that it leaves. Members that people set, `draining` above all, stay.
    async fn alive(&self, leaves: bool) -> Option<Operation> {
        let core = &self.core;
        let key = Key::new(Kind::Worker, core.guid.as_str());
        let present = core.store().get(&key, Read::Local).await.ok()?;
        let mut document: Map<String, Value> = present
            .as_ref()
            .and_then(|object| serde_json::from_slice(&object.document).ok())
            .unwrap_or_default();
        document.insert("id".to_owned(), core.guid.as_str().into());
        document.insert("name".to_owned(), core.name.as_str().into());
        document.insert("node".to_owned(), core.node_hex().into());
        document.remove("seen_ms");
        if !leaves {
            document.insert("seen_ms".to_owned(), core.store().now_ms().into());
        }
        document.insert("mode".to_owned(), core.mode.as_str().into());
        document.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
        match &core.metadata.address {
            Some(address) => document.insert("address".to_owned(), address.as_str().into()),
            None => document.remove("address"),
        };
        let expect = present.map_or(Expect::Absent, |object| Expect::Version(object.version));
        let document = Value::Object(document).to_string();
        Some(Operation::Commit(
            Transaction::new().put(key, expect, document),
        ))
    }

    fn status_operations(
        &self,
        sent: &mut Sent,
        now: Instant,
        operations: &mut Vec<Operation>,
    ) -> Vec<WorkflowStatus> {
        let mut told = lock(&self.running).clone();
        for (workflow, note) in lock(&self.notes).iter() {
            told.insert(workflow.clone(), note.told);
        }
        let statuses = self.statuses();
        sent.statuses
            .retain(|workflow, _| told.contains_key(workflow));
        let mut written = Vec::new();
        for status in statuses {
            if operations.len() >= OPERATIONS_MAX {
                break;
            }
            let due = sent
                .statuses
                .get(&status.workflow)
                .is_none_or(|(when, last)| {
                    status::differs(last, &status)
                        || (now - *when >= FIGURES_EVERY && status::figures_differ(last, &status))
                });
            if !due {
                continue;
            }
            let Some(told) = told.get(&status.workflow) else {
                continue;
            };
            operations.push(status_operation(&status, *told));
            written.push(status);
        }
        written
    }

    fn disk_operation(
        &self,
        sent: &Sent,
        operations: &mut Vec<Operation>,
    ) -> Option<Vec<ReportedBacklog>> {
        let streams: Vec<_> = self
            .core
            .engine
            .backlogs()
            .into_iter()
            .filter(|backlog| backlog.messages() > 0 || backlog.is_set_aside())
            .take(STREAMS_MAX)
            .map(|backlog| ReportedBacklog {
                set_aside: backlog.is_set_aside(),
                workflow: backlog.workflow,
                stream: backlog.stream,
                epoch: backlog.epoch,
                cursor: backlog.cursor,
                end: backlog.end,
            })
            .collect();
        let empty_before = sent.streams.as_ref().is_some_and(Vec::is_empty);
        if sent.streams.as_ref() == Some(&streams) || (empty_before && streams.is_empty()) {
            return None;
        }
        let disk = ReportedDisk {
            name: self.core.name.clone(),
            reported_ms: self.core.store().now_ms(),
            streams: streams.clone(),
        };
        let key = Key::new(Kind::Backlog, self.core.node_hex());
        let transaction = Transaction::new().put(key, Expect::Any, json!(disk).to_string());
        operations.push(Operation::Commit(transaction));
        Some(streams)
    }
}

/// What keeps a workflow's status.
fn status_operation(status: &WorkflowStatus, told: Told) -> Operation {
    let mut document = json!(status);
    document["revision"] = told.revision.0.into();
    let mut transaction = Transaction::new().put(
        Key::new(Kind::Status, status.workflow.as_str()),
        Expect::Any,
        document.to_string(),
    );
    if let Some(epoch) = status.epoch {
        // I5: the word of a former owner does not count.
        transaction = transaction.guard(lease_of(&status.workflow), epoch);
    }
    Operation::Commit(transaction)
}

/// Whether the store has refused a report. That somebody was faster is in order; all else is said.
fn refused(answer: &Answer, what: &str) -> bool {
    let Answer::Refused(refusal) = answer else {
        return false;
    };
    if !matches!(refusal, Refusal::Stale { .. } | Refusal::Conflict { .. }) {
        tracing::error!(%refusal, what, "the store refuses a report");
    }
    true
}

/// Streams in one report (I9).
const STREAMS_MAX: usize = 2000;

/// Keeps the positions of one workflow's source in the store.
struct StoreReplica {
    reporter: Arc<Reporter>,
    key: Key,
    generation: u64,
    epoch: u64,
}

#[async_trait]
impl Replica for StoreReplica {
    async fn keep(&self, position: &Position) -> Result<(), Overtaken> {
        let checkpoint = Checkpoint {
            generation: self.generation,
            position: Some(BASE64.encode(position.to_bytes())),
            epoch: self.epoch,
        };
        let (waiter, kept) = oneshot::channel();
        {
            let mut checkpoints = lock(&self.reporter.checkpoints);
            let pending = checkpoints
                .entry(self.key.clone())
                .or_insert_with(|| Pending {
                    checkpoint: checkpoint.clone(),
                    waiters: Vec::new(),
                });
            // I5: nobody is told that a position is kept because another owner's is.
            if pending.checkpoint.epoch > self.epoch {
                return Err(overtaken(&self.key));
            }
            if pending.checkpoint.epoch < self.epoch {
                for waiter in pending.waiters.drain(..) {
                    // Whoever waited may have been stopped.
                    drop(waiter.send(Err(overtaken(&self.key))));
                }
            }
            pending.checkpoint = checkpoint;
            pending.waiters.retain(|waiter| !waiter.is_closed());
            pending.waiters.push(waiter);
        }
        kept.await.unwrap_or_else(|_| {
            let reason = "the worker has stopped".to_owned();
            Err(Overtaken { reason })
        })
    }
}

fn overtaken(key: &Key) -> Overtaken {
    Overtaken {
        reason: format!("a newer owner keeps the position of `{}`", key.id),
    }
}

/// Returns whether a worker is to be given workflows: heard of within the life of a lease, and not draining.
pub(super) fn is_live(worker: &Worker, now_ms: u64, ttl: Duration) -> bool {
    worker.takes_workflows(now_ms, ttl.as_millis() as u64)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
