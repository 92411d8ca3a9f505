//! The worker: keeps what runs here in step with what is to run.
//!
//! assigned (pinned, static, or by rendezvous hashing over the live workers) → take the lease, also one that has run out
//! → start the engine → renew → on a lost lease abort, on a change or a stop drain and give the lease back.

mod assignment;
mod report;
mod start;
mod strand;
mod wanted;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use hermod_api::platform::{WorkflowState, WorkflowStatus};
use hermod_engine::{Ended, Tasks, Workflow};
use hermod_storage::{Event, Kind, Revision, Watch};
use prometheus::{HistogramVec, IntCounterVec};
use tokio::{
    sync::mpsc,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    core::{Core, lease_of},
    push::Paths,
};
use crate::node::{View, WorkerMetrics};
pub(super) use report::ReportedDisk;
use report::{Note, Reporter};
pub(super) use strand::barred_key;
pub(super) use wanted::pin_problem;
use wanted::{Wanted, Wants};

/// Between two looks at what is to run, where nothing says that something has changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Longest time for what is in hand when a workflow is changed, stopped or given to another node; the rest stays in the
/// buffer, or with a source that can be read again.
const HAND_OVER: Duration = Duration::from_secs(5);

/// First and longest wait before a workflow that has failed is started again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// Time in which several changes of the store come together.
const GATHER: Duration = Duration::from_millis(20);

/// How workers divide workflows that are pinned to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Division {
    /// By hashing over the workers that live.
    Live,
    /// By number: this one is `id` of `total`.
    Static { id: u64, total: u64 },
}

/// What runs here.
struct Tenant {
    workflow: Workflow,
    wanted: Wanted,
    epoch: u64,
    lost: CancellationToken,
}

/// A workflow that could not be started, or has failed.
struct Failed {
    wanted: Wanted,
    attempts: u32,
    again: Instant,
}

/// That a workflow has ended by itself: its id, the epoch under which it ran, and how.
type End = (String, u64, Ended);

/// What a task of the worker came to.
enum Done {
    Started(String, Box<Tenant>),
    /// Another node holds it.
    Held(String),
    NotStarted(String, Wanted, String),
    Stopped(String),
}

/// What other parts ask of the worker.
#[derive(Clone)]
pub(super) struct Handle {
    reporter: Arc<Reporter>,
}

impl Handle {
    /// Returns the statuses of this node's workflows.
    pub(super) fn statuses(&self) -> Vec<WorkflowStatus> {
        self.reporter.statuses()
    }
}

/// The worker of this process.
pub(super) struct Worker {
    core: Arc<Core>,
    view: Arc<View>,
    reporter: Arc<Reporter>,
    wants: Wants,
    tenants: HashMap<String, Tenant>,
    failed: HashMap<String, Failed>,
    busy: HashSet<String>,
    work: JoinSet<Done>,
    /// Which workflow each task of `work` is about.
    about: HashMap<Id, String>,
    ended: (mpsc::Sender<End>, mpsc::Receiver<End>),
    strand: strand::Strand,
    durations: HistogramVec,
    errors: IntCounterVec,
}

impl Worker {
    pub(super) fn new(
        core: Arc<Core>,
        view: Arc<View>,
        paths: Arc<Paths>,
        division: Division,
        metrics: &WorkerMetrics,
    ) -> Self {
        let reporter = Arc::new(Reporter::new(core.clone()));
        Self {
            wants: Wants::new(core.clone(), paths, division),
            strand: strand::Strand::new(core.clone()),
            view,
            reporter,
            tenants: HashMap::new(),
            failed: HashMap::new(),
            busy: HashSet::new(),
            work: JoinSet::new(),
            about: HashMap::new(),
            // Each workflow ends once a tenancy; the room is for all to end at once.
            ended: mpsc::channel(1024),
            durations: metrics.durations(),
            errors: metrics.errors(),
            core,
        }
    }

    pub(super) fn handle(&self) -> Handle {
        Handle {
            reporter: self.reporter.clone(),
        }
    }

    /// Works until `stop`; then drains and gives everything back.
    pub(super) async fn run(mut self, stop: CancellationToken, tasks: Tasks) {
        let end = CancellationToken::new();
        let leases = self.core.leases.clone();
        tasks.spawn("leases", leases.clone().renew(end.clone()));
        tasks.spawn("lease watch", leases.watch(end.clone()));
        let reporting = CancellationToken::new();
        tasks.spawn("reports", self.reporter.clone().run(reporting.clone()));
        let mut watch = self.core.store().watch();
        while !stop.is_cancelled() {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = changed(&mut watch) => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Some(done) = self.work.join_next_with_id() => self.settle(done),
                Some((id, epoch, ended)) = self.ended.1.recv() => self.on_end(id, epoch, ended),
                () = any_lost(&self.tenants) => {}
            }
            self.drain_queues();
        }
        self.stop().await;
        reporting.cancel();
        end.cancel();
    }

    /// Takes everything that has come meanwhile.
    fn drain_queues(&mut self) {
        while let Some(done) = self.work.try_join_next_with_id() {
            self.settle(done);
        }
        while let Ok((id, epoch, ended)) = self.ended.1.try_recv() {
            self.on_end(id, epoch, ended);
        }
    }

    /// Compares what runs with what is to run, and begins what is needed.
    async fn look(&mut self) {
        let timer = self
            .durations
            .with_label_values(&[&*self.core.guid])
            .start_timer();
        self.abort_lost();
        match self.wants.look().await {
            Ok(wanted) => {
                self.stop_unwanted(&wanted);
                self.start_wanted(wanted);
                self.strand.look(&self.tenants_now()).await;
            }
            Err(error) => {
                tracing::warn!(%error, "what is to run cannot be read");
                self.errors.with_label_values(&[&*self.core.guid]).inc();
            }
        }
        self.view.set_failures(self.failed.len());
        timer.observe_duration();
    }

    fn tenants_now(&self) -> HashSet<String> {
        self.tenants.keys().chain(&self.busy).cloned().collect()
    }

    /// I5: what lost its lease is ended at once; another node may have it.
    fn abort_lost(&mut self) {
        let lost: Vec<_> = self
            .tenants
            .iter()
            .filter(|(_, tenant)| tenant.lost.is_cancelled())
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            let Some(tenant) = self.tenants.remove(&id) else {
                continue;
            };
            tracing::error!(
                workflow = id,
                epoch = tenant.epoch,
                "lease lost; workflow is ended here"
            );
            tenant.workflow.abort();
            self.view.remove(&tenant.workflow);
            self.reporter.forget(&id);
            let engine = self.core.engine.clone();
            self.begin(id.clone(), async move {
                tenant.workflow.ended().await;
                engine.forget(&id);
                Done::Stopped(id)
            });
        }
    }

    /// Starts a task about a workflow, which is let alone until the task is done.
    fn begin(&mut self, id: String, task: impl Future<Output = Done> + Send + 'static) {
        self.busy.insert(id.clone());
        let task = self.work.spawn(task);
        self.about.insert(task.id(), id);
    }

    fn stop_unwanted(&mut self, wanted: &HashMap<String, Wanted>) {
        let unwanted: Vec<_> = self
            .tenants
            .iter()
            .filter(|(id, tenant)| {
                !self.busy.contains(*id)
                    && wanted
                        .get(*id)
                        .is_none_or(|wanted| !tenant.wanted.is_same(wanted))
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in unwanted {
            if let Some(tenant) = self.tenants.remove(&id) {
                let why = match wanted.get(&id) {
                    Some(_) => "it was changed",
                    None if self.wants.exists(&id) => "another worker is to run it, or none",
                    None => "it was removed",
                };
                tracing::info!(workflow = id, why, "workflow is stopped here");
                let timeout = HAND_OVER.min(self.core.drain_timeout);
                self.begin_stop(id, tenant, timeout);
            }
        }
        // What was saved anew without a change goes on, under its new name.
        for (id, tenant) in &mut self.tenants {
            if let Some(wanted) = wanted.get(id)
                && wanted.told != tenant.wanted.told
            {
                tenant.wanted = wanted.clone();
                self.reporter.runs(id, wanted.told);
            }
        }
        // What was changed is tried at once; of what is another's nothing more is said.
        let reporter = &self.reporter;
        self.failed.retain(|id, failed| {
            let is_same = |wanted: &Wanted| failed.wanted.is_same(wanted);
            let stays = wanted.get(id).is_some_and(is_same);
            if !stays {
                reporter.forget(id);
            }
            stays
        });
    }

    fn begin_stop(&mut self, id: String, tenant: Tenant, timeout: Duration) {
        let (core, view, reporter) = (self.core.clone(), self.view.clone(), self.reporter.clone());
        self.begin(id.clone(), async move {
            let drained = tenant.workflow.drain(timeout).await;
            if drained.undelivered > 0 {
                let undelivered = drained.undelivered;
                tracing::warn!(
                    workflow = id,
                    undelivered,
                    "not everything was delivered in time; it is kept"
                );
            }
            view.remove(&tenant.workflow);
            let note = Note {
                state: WorkflowState::Stopped,
                reason: None,
                told: tenant.wanted.told,
                epoch: tenant.epoch,
            };
            reporter.end(&id, note).await;
            core.leases.release(&lease_of(&id)).await;
            core.engine.forget(&id);
            Done::Stopped(id)
        });
    }

    fn start_wanted(&mut self, wanted: HashMap<String, Wanted>) {
        for (id, wanted) in wanted {
            let waits = self
                .failed
                .get(&id)
                .is_some_and(|failed| Instant::now() < failed.again);
            if waits || self.busy.contains(&id) || self.tenants.contains_key(&id) {
                continue;
            }
            if wanted.is_held_elsewhere(&self.core.owner, self.core.store().now_ms()) {
                continue;
            }
            if let Some(reason) = wanted.problem.clone() {
                self.not_started(&id, wanted, reason);
                continue;
            }
            let start = start::Start {
                core: self.core.clone(),
                reporter: self.reporter.clone(),
                view: self.view.clone(),
                ended: self.ended.0.clone(),
            };
            self.begin(id.clone(), start.run(id, wanted));
        }
    }

    fn settle(&mut self, done: Result<(Id, Done), JoinError>) {
        let done = match done {
            Ok((task, done)) => {
                self.about.remove(&task);
                done
            }
            Err(error) => {
                // The workflow is not left aside for good: the next look takes it up again.
                let id = self.about.remove(&error.id()).unwrap_or_default();
                tracing::error!(workflow = id, %error, "a task of the worker ended badly");
                self.busy.remove(&id);
                return;
            }
        };
        match done {
            Done::Started(id, tenant) => {
                self.busy.remove(&id);
                self.failed.remove(&id);
                self.reporter.runs(&id, tenant.wanted.told);
                self.tenants.insert(id, *tenant);
            }
            Done::Held(id) | Done::Stopped(id) => {
                self.busy.remove(&id);
            }
            Done::NotStarted(id, wanted, reason) => {
                self.busy.remove(&id);
                self.not_started(&id, wanted, reason);
            }
        }
    }

    fn not_started(&mut self, id: &str, wanted: Wanted, reason: String) {
        self.errors.with_label_values(&[&*self.core.guid]).inc();
        let (code, told) = (hermod_api::Code::WorkflowStart.text(), wanted.told);
        let again_in = self.again(id, wanted);
        tracing::error!(
            code,
            workflow = id,
            reason,
            again_in_s = again_in.as_secs(),
            "workflow cannot be started"
        );
        let note = Note {
            state: WorkflowState::Failed,
            reason: Some(reason),
            told,
            epoch: 0,
        };
        self.reporter.note(id, note);
    }

    /// Lets a workflow that has failed wait, longer each time; returns how long.
    fn again(&mut self, id: &str, wanted: Wanted) -> Duration {
        let attempts = self.failed.get(id).map_or(0, |failed| failed.attempts) + 1;
        let factor = 1 << (attempts - 1).min(10);
        let wait = AGAIN.0.saturating_mul(factor).min(AGAIN.1);
        let failed = Failed {
            wanted,
            attempts,
            again: Instant::now() + wait,
        };
        self.failed.insert(id.to_owned(), failed);
        wait
    }

    /// A workflow has ended by itself.
    fn on_end(&mut self, id: String, epoch: u64, ended: Ended) {
        // One that was stopped is not a tenant any more, and one that has lost its lease is dealt with as such.
        let is_over = |tenant: &Tenant| tenant.epoch != epoch || tenant.lost.is_cancelled();
        if self.tenants.get(&id).is_none_or(is_over) {
            return;
        }
        let Some(tenant) = self.tenants.remove(&id) else {
            return;
        };
        self.view.remove(&tenant.workflow);
        let told = tenant.wanted.told;
        let (state, reason) = match ended {
            Ended::Completed => (WorkflowState::Completed, None),
            Ended::Stopped => (WorkflowState::Stopped, None),
            Ended::Failed { error } => (WorkflowState::Failed, Some(error)),
        };
        let fails = state == WorkflowState::Failed;
        if fails {
            let code = hermod_api::Code::WorkflowFailed.text();
            let again_in = self.again(&id, tenant.wanted);
            tracing::error!(
                code,
                workflow = id,
                reason,
                again_in_s = again_in.as_secs(),
                "workflow failed"
            );
        } else {
            tracing::info!(workflow = id, "workflow has come to its end");
        }
        let note = Note {
            state,
            reason,
            told,
            epoch,
        };
        self.wants.ended(&id, &note);
        if fails {
            // Shown until it is tried again.
            self.reporter.note(&id, note.clone());
        }
        let (core, reporter) = (self.core.clone(), self.reporter.clone());
        self.begin(id.clone(), async move {
            if !fails {
                reporter.end(&id, note).await;
            }
            core.leases.release(&lease_of(&id)).await;
            core.engine.forget(&id);
            Done::Stopped(id)
        });
    }

    /// Drains everything and gives all leases back.
    async fn stop(&mut self) {
        self.reporter.leave();
        let tenants: Vec<_> = self.tenants.drain().collect();
        for (id, tenant) in tenants {
            let timeout = self.core.drain_timeout;
            self.begin_stop(id, tenant, timeout);
        }
        while let Some(done) = self.work.join_next_with_id().await {
            if let Ok((_, Done::Started(id, tenant))) = done {
                let timeout = self.core.drain_timeout;
                self.begin_stop(id, *tenant, timeout);
            } else {
                self.settle(done);
            }
        }
        self.strand.stop().await;
    }
}

/// Waits until something has changed that decides what runs where; reports of other workers do not.
async fn changed(watch: &mut Watch) {
    let decides = |event: &Event| match event {
        Event::Object { key, .. } => matches!(
            key.kind,
            Kind::Workflow | Kind::Source | Kind::Sink | Kind::Worker
        ),
        Event::Lease { .. } | Event::Lagged => true,
    };
    while !watch.changed().await.iter().any(decides) {}
}

/// Waits until a lease of one that runs is lost.
async fn any_lost(tenants: &HashMap<String, Tenant>) {
    let mut waits: futures_util::stream::FuturesUnordered<_> = tenants
        .values()
        .map(|tenant| tenant.lost.cancelled())
        .collect();
    if futures_util::StreamExt::next(&mut waits).await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The revision of an object that is not there.
const NONE: Revision = Revision(0);
