//! The engine of a node: one data log, one set of metrics, any number of workflows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hermod_sdk::Text;
use hermod_wal::{Batch, Log};
use tokio::time::Instant;

use crate::{
    buffer::Buffer,
    dead_letter::{DeadLetterError, DeadLetters, Fate, replay_of},
    document::WorkflowPlan,
    ingress::Ingress,
    log::DataLog,
    metrics::Metrics,
    ownership::Ownership,
    pipeline::{Pipeline, Shared},
    status::{SinkStatus, State, Status},
    stranded::{self, Backlog, SetAside},
    tasks::Tasks,
    tenure::{self, StartError, Tenure},
};

/// What an engine is made with.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// The node's data log. Without one only ring buffers work, positions are not kept, and a message
    /// that cannot be delivered stops its workflow.
    pub log: Option<Log>,
    /// Where the engine counts.
    pub metrics: Metrics,
    /// Warn when a message comes without an idempotency key (`HERMOD_IDEMPOTENCY_REQUIRED`).
    pub idempotency_required: bool,
    /// Name of this worker in metrics.
    pub worker: Text,
    /// Sinks that were removed from their workflow and whose backlog may be given up.
    pub drop_removed_sinks: Vec<Text>,
}

/// Runs workflows.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    options: EngineOptions,
    tasks: Tasks,
    running: Mutex<HashMap<Text, Arc<Shared>>>,
}

/// How a workflow ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The source came to its end and everything is delivered.
    Completed,
    /// It was stopped.
    Stopped,
    /// A person must look at it.
    Failed {
        /// What went wrong.
        error: String,
    },
}

/// What a drain left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Messages that at least one sink has not confirmed; they stay in a file buffer, or with a
    /// re-readable source.
    pub undelivered: u64,
}

/// A handle on a running workflow.
#[derive(Clone)]
pub struct Workflow {
    shared: Arc<Shared>,
}

impl Engine {
    /// Makes an engine.
    pub fn new(options: EngineOptions) -> Self {
        let inner = Inner {
            options,
            tasks: Tasks::new(),
            running: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Takes a workflow over and starts it; it runs until its source ends, it fails, or it is stopped.
    ///
    /// # Errors
    /// [`StartError`] if it cannot be taken over. A source or sink that does not answer is not an error:
    /// it is shown in the status and tried again.
    pub async fn start(&self, plan: WorkflowPlan) -> Result<Workflow, StartError> {
        self.take(plan, None).await
    }

    /// Takes a workflow over under the lease of a store. What another owner has overtaken in the meantime is set aside.
    ///
    /// # Errors
    /// As [`Engine::start`], and [`StartError::Stale`].
    pub async fn start_owned(
        &self,
        plan: WorkflowPlan,
        ownership: Ownership,
    ) -> Result<Workflow, StartError> {
        self.take(plan, Some(ownership)).await
    }

    async fn take(
        &self,
        plan: WorkflowPlan,
        ownership: Option<Ownership>,
    ) -> Result<Workflow, StartError> {
        self.idle(&plan.id)?;
        let options = &self.inner.options;
        let log = self.log();
        let tenure = match &log {
            Some(log) => {
                let dropped = &options.drop_removed_sinks;
                tenure::take(log, &plan, dropped, ownership.as_ref()).await?
            }
            None => tenure::in_memory(&plan)?,
        };
        self.run(plan, tenure, log)
    }

    /// Drains a buffer that was set aside, under a lease of its own. It ends completed once every sink has it all.
    ///
    /// `plan` says which sinks there are now and how they are written; its source is not touched.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn drain_stranded(
        &self,
        plan: WorkflowPlan,
        scope: &str,
        epoch: u64,
    ) -> Result<Workflow, StartError> {
        self.idle(scope)?;
        let log = self.log().ok_or(StartError::NoLog)?;
        let tenure = tenure::take_stranded(&log, &plan, scope, epoch).await?;
        self.run(plan, tenure, Some(log))
    }

    /// Lists the buffers on this node's disk, in use or set aside.
    pub fn backlogs(&self) -> Vec<Backlog> {
        let log = &self.inner.options.log;
        log.as_ref().map_or_else(Vec::new, stranded::backlogs)
    }

    /// Takes a workflow's buffer out of use if another owner has overtaken it while this node was away.
    ///
    /// # Errors
    /// [`StartError::Running`], or what the log says.
    pub async fn set_aside(
        &self,
        workflow: &str,
        store: &str,
        since: u64,
    ) -> Result<SetAside, StartError> {
        let Some(log) = self.log() else {
            return Ok(SetAside::Nothing);
        };
        self.idle(workflow)?;
        if !stranded::is_overtaken(log.log(), workflow, store, since) {
            return Ok(SetAside::Nothing);
        }
        let aside = stranded::judge(log.log(), workflow);
        log.append(|| {
            let mut batch = Batch::new();
            stranded::set_aside(log.log(), workflow, &aside, &mut batch);
            batch.reserved();
            batch
        })
        .await?;
        tenure::report(workflow, &aside);
        Ok(aside)
    }

    /// Removes a buffer that was set aside, with what waits in it.
    ///
    /// # Errors
    /// [`StartError::Running`] while it is drained, or what the log says.
    pub async fn discard_stranded(&self, scope: &str) -> Result<(), StartError> {
        let Some(log) = self.log() else { return Ok(()) };
        self.idle(scope)?;
        if !scope.contains('~') {
            return Ok(());
        }
        log.append(|| {
            let mut batch = Batch::new();
            stranded::forget(log.log(), scope, &mut batch);
            batch.reserved();
            batch
        })
        .await?;
        Ok(())
    }

    fn log(&self) -> Option<DataLog> {
        self.inner.options.log.clone().map(DataLog::new)
    }

    /// Refuses what runs.
    fn idle(&self, scope: &str) -> Result<(), StartError> {
        match self.running().get(scope) {
            Some(shared) if !shared.ended.is_cancelled() => Err(StartError::Running {
                workflow: shared.plan.id.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn run(
        &self,
        plan: WorkflowPlan,
        tenure: Tenure,
        log: Option<DataLog>,
    ) -> Result<Workflow, StartError> {
        let pipeline = Pipeline::new(plan, tenure, log, self.inner.options.clone())?;
        let shared = pipeline.shared().clone();
        self.running().insert(shared.scope.clone(), shared.clone());
        self.inner.tasks.spawn("workflow", pipeline.run());
        Ok(Workflow { shared })
    }

    /// Lets go of the handle of a workflow that has ended, so that it is shown no more.
    pub fn forget(&self, id: &str) {
        let mut running = self.running();
        if running
            .get(id)
            .is_some_and(|shared| shared.ended.is_cancelled())
        {
            running.remove(id);
        }
    }

    /// Returns handles on all workflows that were started, ended ones included; drains of stranded buffers are not
    /// among them.
    pub fn workflows(&self) -> Vec<Workflow> {
        let mut workflows: Vec<_> = self
            .running()
            .values()
            .filter(|shared| shared.scope == shared.plan.id)
            .map(|shared| Workflow {
                shared: shared.clone(),
            })
            .collect();
        workflows.sort_by(|a, b| a.id().cmp(b.id()));
        workflows
    }

    /// Returns the handle on a workflow that was started.
    pub fn workflow(&self, id: &str) -> Option<Workflow> {
        self.running().get(id).map(|shared| Workflow {
            shared: shared.clone(),
        })
    }

    /// Returns the engine's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.options.metrics
    }

    /// Returns all metrics in Prometheus' text format, gauges brought up to date first.
    pub fn metrics_text(&self) -> String {
        let metrics = self.metrics();
        let mut active = 0;
        for workflow in self.workflows() {
            let status = workflow.status();
            let labels = [&*status.id];
            active += i64::from(matches!(status.state, State::Running | State::Draining));
            metrics
                .buffered
                .with_label_values(&labels)
                .set(status.buffered as i64);
            let open = status.dead_letters.unwrap_or(0);
            metrics
                .dead_letters_open
                .with_label_values(&labels)
                .set(open as i64);
        }
        metrics
            .active
            .with_label_values(&[&*self.inner.options.worker])
            .set(active);
        metrics.text()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Text, Arc<Shared>>> {
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workflow {
    /// Returns the workflow's id.
    pub fn id(&self) -> &Text {
        &self.shared.plan.id
    }

    /// Returns the plan that runs.
    pub fn plan(&self) -> &WorkflowPlan {
        &self.shared.plan
    }

    /// Returns the name under which the log keeps the buffer: the workflow's id, unless a stranded one is drained.
    pub fn scope(&self) -> &Text {
        &self.shared.scope
    }

    /// Returns what the workflow shows of itself at this moment.
    pub fn status(&self) -> Status {
        let Shared {
            plan,
            buffer,
            progress,
            board,
            dead_letters,
            epoch,
            ..
        } = &*self.shared;
        let (_, next) = buffer.bounds();
        let cursors = progress.cursors();
        let sink = |(index, cursor): (usize, &u64)| {
            let (blocked, lagging) = board.sink(index);
            SinkStatus {
                id: plan.sinks[index].id.clone(),
                kind: plan.sinks[index].kind,
                next: *cursor,
                backlog: next.saturating_sub(*cursor),
                blocked,
                lagging,
            }
        };
        Status {
            id: plan.id.clone(),
            name: plan.name.clone(),
            state: board.state(),
            reason: board.reason(),
            epoch: *epoch,
            buffered: next.saturating_sub(progress.low().next),
            next,
            sinks: cursors.iter().enumerate().map(sink).collect(),
            dead_letters: dead_letters.as_ref().map(DeadLetters::count),
        }
    }

    /// Returns the way in for pushed messages, if the source is a push source.
    pub fn ingress(&self) -> Option<Ingress> {
        self.shared.ingress.clone()
    }

    /// Waits until the workflow has ended.
    pub async fn ended(&self) -> Ended {
        self.shared.ended.cancelled().await;
        match self.shared.board.state() {
            State::Completed => Ended::Completed,
            State::Failed => Ended::Failed {
                error: self.shared.board.reason().unwrap_or_default(),
            },
            _ => Ended::Stopped,
        }
    }

    /// Stops the workflow in order: intake first, then everything that sinks take within `deadline`, then
    /// cursors, acknowledgements and connections.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        self.shared
            .drain
            .send_replace(Some(Instant::now() + deadline));
        self.shared.ended.cancelled().await;
        let (_, end) = self.shared.buffer.bounds();
        Drained {
            undelivered: end.saturating_sub(self.shared.progress.low().next),
        }
    }

    /// Ends the workflow at once; nothing acknowledged is lost, but messages may come twice.
    pub fn abort(&self) {
        self.shared.abort.cancel();
    }

    /// Returns the workflow's dead letters, if the engine has a log.
    pub fn dead_letters(&self) -> Option<DeadLetters> {
        self.shared.dead_letters.clone()
    }

    /// Puts dead letters back into the workflow as new messages; returns how many.
    ///
    /// With a file buffer the message and the mark are one atomic write. With a ring the mark is written
    /// once the sinks have settled the message, so a crash in between replays it again.
    ///
    /// # Errors
    /// [`DeadLetterError`]; nothing is replayed then.
    pub async fn replay(&self, seqs: &[u64]) -> Result<u64, DeadLetterError> {
        let Shared {
            dead_letters,
            buffer,
            progress,
            ended,
            plan,
            ..
        } = &*self.shared;
        let Some(dead_letters) = dead_letters else {
            return Err(DeadLetterError::NeedsRunning {
                workflow: plan.id.to_string(),
            });
        };
        let _changing = dead_letters.changing().await;
        let letters = dead_letters.replayable(seqs)?;
        match buffer {
            Buffer::File(file) => dead_letters.replay_into(file.stream_id(), &letters).await?,
            Buffer::Ring(ring) => {
                for letter in &letters {
                    let (message, target) = replay_of(letter);
                    let next = ring.push(vec![message], Some(&target)).await;
                    tokio::select! {
                        () = progress.passed(next) => {}
                        () = ended.cancelled() => {
                            let workflow = plan.id.to_string();
                            return Err(DeadLetterError::NeedsRunning { workflow });
                        }
                    }
                    dead_letters
                        .mark(std::slice::from_ref(letter), Fate::Replayed)
                        .await?;
                }
            }
        }
        Ok(letters.len() as u64)
    }
}
