//! The engine of a node: one data log, one set of metrics, any number of workflows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hermod_sdk::Text;
use hermod_wal::Log;
use tokio::time::Instant;

use crate::{
    buffer::Buffer,
    dead_letter::{DeadLetterError, DeadLetters, Fate, replay_of},
    document::WorkflowPlan,
    ingress::Ingress,
    log::DataLog,
    metrics::Metrics,
    pipeline::{Pipeline, Shared},
    status::{SinkStatus, State, Status},
    tasks::Tasks,
    tenure::{self, StartError},
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
        let options = &self.inner.options;
        if self
            .running()
            .get(&plan.id)
            .is_some_and(|shared| !shared.ended.is_cancelled())
        {
            return Err(StartError::Running { workflow: plan.id });
        }
        let log = options.log.clone().map(DataLog::new);
        let tenure = match &log {
            Some(log) => tenure::take(log, &plan, &options.drop_removed_sinks).await?,
            None => tenure::in_memory(&plan)?,
        };
        let id = plan.id.clone();
        let pipeline = Pipeline::new(plan, tenure, log, options.clone())?;
        let shared = pipeline.shared().clone();
        self.running().insert(id, shared.clone());
        self.inner.tasks.spawn("workflow", pipeline.run());
        Ok(Workflow { shared })
    }

    /// Returns handles on all workflows that were started, ended ones included.
    pub fn workflows(&self) -> Vec<Workflow> {
        let mut workflows: Vec<_> = self
            .running()
            .values()
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
