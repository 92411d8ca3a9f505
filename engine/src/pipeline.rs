//! One running workflow: its parts, and the one function that ends them in the right order.

use std::{future::Future, sync::Arc, time::Duration};

use hermod_sdk::{
    PushSource, SinkContext, SourceContext, SourceFactory, SourceOpener, Tenure as Right, Text,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    buffer::{self, Buffer},
    checkpoint::Checkpoint,
    dead_letter::DeadLetters,
    delivery::{self, Delivery},
    document::{Level, WorkflowPlan},
    engine::EngineOptions,
    ingress::{self, Gate, Ingress},
    intake::{self, Intake},
    keys,
    log::DataLog,
    pass::{Evaluator, EvaluatorContext, Feed, Lanes, Pass, QUEUE},
    probes::{Probes, asked},
    progress::Progress,
    stamp::Stamp,
    status::{Board, State},
    tasks::Tasks,
    tenure::{StartError, Tenure},
};

/// How long the end of a workflow waits for the store to keep the last position.
const REPLICATE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a part of a workflow ended early.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// It was told to.
    #[error("cancelled")]
    Cancelled,
    /// The log is full; worth another try.
    #[error("{error}")]
    Full { error: String },
    /// A person must look at it.
    #[error("{error}")]
    Failed { error: String },
}

impl Stop {
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self::Failed {
            error: error.into(),
        }
    }
}

impl From<buffer::ReadError> for Stop {
    fn from(error: buffer::ReadError) -> Self {
        Self::failed(error.to_string())
    }
}

/// What is shared between a running workflow and its handles.
pub(crate) struct Shared {
    pub(crate) plan: WorkflowPlan,
    /// The workflow's id, or the scope of a stranded buffer that is drained.
    pub(crate) scope: Text,
    pub(crate) epoch: u64,
    pub(crate) buffer: Buffer,
    pub(crate) progress: Arc<Progress>,
    pub(crate) board: Board,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) ingress: Option<Ingress>,
    /// Asks for a drain that is over by then at the latest.
    pub(crate) drain: watch::Sender<Option<Instant>>,
    /// Ends everything at once.
    pub(crate) abort: CancellationToken,
    /// Cancelled when the workflow has ended.
    pub(crate) ended: CancellationToken,
}

/// The parts of a workflow before they run.
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    checkpoint: Arc<Checkpoint>,
    options: EngineOptions,
    log: Option<DataLog>,
    source: Option<Arc<dyn SourceFactory>>,
    position: Option<hermod_sdk::Position>,
    generation: u64,
    evaluator: EvaluatorContext,
    stop_intake: CancellationToken,
}

/// Results of the parts, as they end.
struct Parts {
    tasks: Tasks,
    failures: mpsc::Receiver<(&'static str, Stop)>,
    delivered: Tasks,
    intake: Option<tokio::sync::oneshot::Receiver<intake::Ended>>,
    end: watch::Sender<Option<u64>>,
}

impl Pipeline {
    pub(crate) fn new(
        plan: WorkflowPlan,
        tenure: Tenure,
        log: Option<DataLog>,
        options: EngineOptions,
    ) -> Result<Self, StartError> {
        let drains = tenure.drains(&plan);
        let ended = CancellationToken::new();
        let Tenure {
            epoch,
            scope,
            buffer,
            cursors,
            position,
            generation,
            versions,
            replica,
        } = tenure;
        let progress = Arc::new(Progress::new(&cursors, buffer.ring()));
        let board = Board::new(plan.sinks.len());
        let dead_letters = match &log {
            Some(log) => Some(DeadLetters::create(log, &plan.id)?),
            None => None,
        };
        let way_in = (!drains).then(|| way_in(&plan, &buffer, &progress, &options, &ended));
        let (source, ingress) = way_in.transpose()?.unwrap_or_default();
        let ring_position = matches!(buffer, Buffer::Ring(_)) && source.is_some();
        let position_key = ring_position.then(|| keys::position(&plan.id, &plan.source.id));
        let checkpoint = Checkpoint::new(
            log.clone(),
            &plan,
            (scope.clone(), epoch),
            buffer.clone(),
            position_key,
            &progress,
            replica,
        );
        if let Some(graph) = versions.of(u64::MAX) {
            options.metrics.prepare(&plan, graph);
        }
        let evaluator = EvaluatorContext {
            versions,
            sinks: plan.sinks.iter().map(|sink| sink.id.clone()).collect(),
            dead_letters: dead_letters.clone(),
            board: board.clone(),
            metrics: options.metrics.clone(),
            workflow: plan.id.clone(),
            source: plan.source.id.clone(),
        };
        let shared = Shared {
            scope,
            epoch,
            buffer,
            progress,
            board,
            dead_letters,
            ingress,
            drain: watch::Sender::new(None),
            abort: CancellationToken::new(),
            ended,
            plan,
        };
        Ok(Self {
            shared: Arc::new(shared),
            checkpoint: Arc::new(checkpoint),
            options,
            log,
            source,
            position,
            generation,
            evaluator,
            stop_intake: CancellationToken::new(),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs the workflow to its end.
    pub(crate) async fn run(self) {
        let workflow = self.shared.plan.id.clone();
        let (state, reason) = match self.run_to_end().await {
            Ok(state) => (state, None),
            Err(Stop::Cancelled) => (State::Stopped, None),
            Err(Stop::Full { error } | Stop::Failed { error }) => (State::Failed, Some(error)),
        };
        if let Some(error) = &reason {
            tracing::error!(%workflow, error, "workflow failed");
        } else {
            tracing::info!(%workflow, ?state, "workflow ended");
        }
        self.shared.board.enter(state, reason);
        self.shared.ended.cancel();
    }

    async fn run_to_end(&self) -> Result<State, Stop> {
        let mut parts = self.start_parts();
        self.run_parts(&mut parts).await
    }

    fn start_parts(&self) -> Parts {
        let (report, failures) = mpsc::channel(16);
        let tasks = Tasks::new();
        let delivered = Tasks::new();
        let end = watch::Sender::new(None);
        let probes = Probes::new(
            self.shared.plan.id.clone(),
            self.shared.board.clone(),
            self.shared.drain.subscribe(),
        );
        self.start(&tasks, "begin", &report, self.begin(probes.clone()));
        self.start_deliveries(&delivered, &report, &probes, end.subscribe());
        let checkpoint = self.checkpoint.clone();
        self.start(&tasks, "checkpoint", &report, async move {
            checkpoint.run().await
        });
        let checkpoint = self.checkpoint.clone();
        self.start(&tasks, "replica", &report, async move {
            checkpoint.replicate().await
        });
        let intake = self
            .source
            .clone()
            .map(|factory| self.start_intake(&tasks, &report, probes, factory));
        Parts {
            tasks,
            failures,
            delivered,
            intake,
            end,
        }
    }

    /// Opens the way in, and says so, once enough of the workflow answers.
    fn begin(&self, probes: Probes) -> impl Future<Output = Result<(), Stop>> + Send + 'static {
        let shared = self.shared.clone();
        let pulls = self.source.is_some();
        // Who pushes at `delivered` waits for every sink; at `durable` the way in is open from the start.
        let all = shared.ingress.is_some() && shared.plan.acknowledge == Level::Delivered;
        let sinks = if all { shared.plan.sinks.len() } else { 1 };
        async move {
            if !probes.ready(pulls, sinks).await {
                return Ok(());
            }
            if let Some(ingress) = &shared.ingress {
                ingress.gate().open();
            }
            shared.board.begin();
            tracing::info!(
                workflow = %shared.plan.id, epoch = shared.epoch,
                acknowledge = shared.plan.acknowledge.as_str(), "workflow runs"
            );
            Ok(())
        }
    }

    /// Starts a part that reports if it fails.
    fn start(
        &self,
        tasks: &Tasks,
        name: &'static str,
        report: &mpsc::Sender<(&'static str, Stop)>,
        part: impl Future<Output = Result<(), Stop>> + Send + 'static,
    ) {
        let report = report.clone();
        let abort = self.shared.abort.clone();
        let cancelled = tasks.cancelled().clone();
        tasks.spawn(name, async move {
            let result = tokio::select! {
                result = part => result,
                () = abort.cancelled() => Ok(()),
                () = cancelled.cancelled() => Ok(()),
            };
            if let Err(stop) = result {
                // The receiver is gone only when the workflow is ending anyway.
                drop(report.send((name, stop)).await);
            }
        });
    }

    fn start_deliveries(
        &self,
        tasks: &Tasks,
        report: &mpsc::Sender<(&'static str, Stop)>,
        probes: &Probes,
        end: watch::Receiver<Option<u64>>,
    ) {
        let Shared {
            plan,
            progress,
            board,
            buffer,
            ..
        } = &*self.shared;
        let cursors = progress.cursors();
        let claimed = cursors.iter().copied().max().unwrap_or(0);
        let lanes = Arc::new(Lanes::new(&cursors, claimed));
        let mut queues = Vec::new();
        for (index, sink) in plan.sinks.iter().enumerate() {
            let (queue, receiver) = mpsc::channel(QUEUE);
            queues.push((queue, sink.delivery.on_slow_sink));
            let own = Evaluator::new(self.evaluator.clone(), false);
            let mut feed = Feed::new(
                index,
                receiver,
                lanes.clone(),
                own,
                buffer.clone(),
                board.clone(),
            );
            if cursors[index] < claimed {
                feed.begin_behind(cursors[index]);
            }
            let delivery = Delivery::new(delivery::Setup {
                index,
                plan: sink.clone(),
                context: SinkContext {
                    workflow: plan.id.clone(),
                    sink: sink.id.clone(),
                    stream: buffer.stream().clone(),
                    epoch: self.shared.epoch,
                    tenure: if self.drains() {
                        Right::Drain
                    } else {
                        Right::Owner
                    },
                },
                source: plan.source.id.clone(),
                progress: progress.clone(),
                dead_letters: self.shared.dead_letters.clone(),
                board: board.clone(),
                metrics: self.options.metrics.clone(),
                covers: self
                    .source
                    .clone()
                    .filter(|_| plan.acknowledge == Level::Delivered),
            });
            let (probes, sink) = (probes.clone(), sink.clone());
            self.start(tasks, "delivery", report, async move {
                if probes.sink(index, &sink.id, &*sink.factory).await {
                    delivery.run(feed).await?;
                }
                // Stopped before it began: what waits for it stays in the buffer.
                Ok(())
            });
        }
        let pass = Pass {
            reader: buffer.reader(claimed),
            evaluator: Evaluator::new(self.evaluator.clone(), true),
            lanes,
            queues,
            board: board.clone(),
        };
        self.start(tasks, "pass", report, pass.run(end));
    }

    fn start_intake(
        &self,
        tasks: &Tasks,
        report: &mpsc::Sender<(&'static str, Stop)>,
        probes: Probes,
        factory: Arc<dyn SourceFactory>,
    ) -> tokio::sync::oneshot::Receiver<intake::Ended> {
        let Shared {
            plan,
            board,
            buffer,
            ..
        } = &*self.shared;
        let generation = self
            .position
            .as_ref()
            .map_or(self.generation, hermod_sdk::Position::generation);
        let (id, tested) = (plan.source.id.clone(), factory.clone());
        let intake = Intake {
            factory,
            context: SourceContext {
                workflow: plan.id.clone(),
                source: plan.source.id.clone(),
                generation,
            },
            level: plan.acknowledge,
            buffer: buffer.clone(),
            log: self.log.clone(),
            position_key: keys::position(&plan.id, &plan.source.id),
            position: self.position.clone(),
            checkpoint: self.checkpoint.clone(),
            safe: self.checkpoint.safe.subscribe(),
            board: board.clone(),
            metrics: self.options.metrics.clone(),
            stamp: Stamp::new(
                &plan.id,
                &self.options.metrics,
                self.options.idempotency_required,
            ),
            stop: self.stop_intake.clone(),
        };
        let (done, ended) = tokio::sync::oneshot::channel();
        self.start(tasks, "intake", report, async move {
            let result = if probes.source(&id, &*tested).await {
                intake.run().await?
            } else {
                intake::Ended::default()
            };
            // Nobody waits for it any more only when the workflow has failed.
            drop(done.send(result));
            Ok(())
        });
        ended
    }

    /// Waits for the source's end, a request to stop, or a failure; then drains.
    async fn run_parts(&self, parts: &mut Parts) -> Result<State, Stop> {
        if self.drains() {
            return self.drain(parts, None).await;
        }
        let drain = self.shared.drain.subscribe();
        let ended = tokio::select! {
            Some((part, stop)) = parts.failures.recv() => return self.fail(parts, part, stop).await,
            () = self.shared.abort.cancelled() => return self.fail(parts, "workflow", Stop::Cancelled).await,
            ended = intake_end(&mut parts.intake) => Some(ended),
            () = asked(drain) => None,
        };
        self.drain(parts, ended).await
    }

    /// The order of the end: stop intake, drain, flush, checkpoint, acknowledge, close.
    async fn drain(&self, parts: &mut Parts, ended: Option<intake::Ended>) -> Result<State, Stop> {
        let asked = self.shared.drain.borrow().is_some();
        if asked {
            self.shared.board.enter(State::Draining, None);
        }
        self.stop_intake.cancel();
        if let Some(ingress) = &self.shared.ingress {
            ingress.gate().close().await;
        }
        let ended = match ended {
            Some(ended) => Some(ended),
            None if parts.intake.is_some() => tokio::select! {
                ended = intake_end(&mut parts.intake) => Some(ended),
                () = self.deadline() => None,
                Some((part, stop)) = parts.failures.recv() => return self.fail(parts, part, stop).await,
            },
            None => None,
        };
        // Nothing comes in any more, so the buffer's end is the last message to deliver. Deliveries flush
        // and close their sinks when they have passed it.
        let (_, end) = self.shared.buffer.bounds();
        parts.end.send_replace(Some(end));
        tokio::select! {
            () = parts.delivered.ended() => {}
            () = self.deadline() => {}
            Some((part, stop)) = parts.failures.recv() => return self.fail(parts, part, stop).await,
            () = self.shared.abort.cancelled() => {}
        }
        if let Ok((part, stop)) = parts.failures.try_recv() {
            return self.fail(parts, part, stop).await;
        }
        parts.tasks.cancel();
        parts.delivered.cancel();
        self.checkpoint.write().await?;
        let complete = self.drains() || ended.as_ref().is_some_and(|ended| ended.complete);
        if let Some(ended) = ended {
            self.replicate_last().await;
            let told =
                self.shared.plan.acknowledge == Level::Delivered || self.checkpoint.is_replicated();
            let safe = self.checkpoint.safe.borrow().clone().filter(|_| told);
            ended.finish(safe, &self.shared.plan.id).await;
        }
        let delivered = self.shared.progress.low().next >= end;
        Ok(if complete && delivered {
            State::Completed
        } else {
            State::Stopped
        })
    }

    /// Whether what is run is a buffer that was set aside.
    fn drains(&self) -> bool {
        self.shared.scope != self.shared.plan.id
    }

    /// Keeps the last position for the next owner, if the store takes it in time.
    async fn replicate_last(&self) {
        let kept = tokio::time::timeout(REPLICATE_TIMEOUT, self.checkpoint.replicate_last()).await;
        let workflow = &self.shared.plan.id;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%workflow, %error, "the last position was not kept"),
            Err(_) => tracing::warn!(
                %workflow, "the store did not keep the last position in time; some messages will come again"
            ),
        }
    }

    /// Waits until the time that a drain was given is over; for ever while none was asked for.
    async fn deadline(&self) {
        let mut drain = self.shared.drain.subscribe();
        loop {
            let asked = *drain.borrow_and_update();
            if let Some(until) = asked {
                return tokio::time::sleep_until(until).await;
            }
            if drain.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Ends everything after a failure; cursors that moved are still written.
    async fn fail(&self, parts: &mut Parts, part: &str, stop: Stop) -> Result<State, Stop> {
        tracing::debug!(workflow = %self.shared.plan.id, part, %stop, "a part ended the workflow");
        if let Some(ingress) = &self.shared.ingress {
            ingress.gate().close().await;
        }
        self.stop_intake.cancel();
        parts.tasks.cancel();
        parts.delivered.cancel();
        parts.tasks.ended().await;
        parts.delivered.ended().await;
        if let Err(error) = self.checkpoint.write().await {
            tracing::warn!(workflow = %self.shared.plan.id, %error, "cursors were not written");
        }
        Err(stop)
    }
}

/// A source to read, or the way in for what is pushed.
type WayIn = (Option<Arc<dyn SourceFactory>>, Option<Ingress>);

fn way_in(
    plan: &WorkflowPlan,
    buffer: &Buffer,
    progress: &Arc<Progress>,
    options: &EngineOptions,
    ended: &CancellationToken,
) -> Result<WayIn, StartError> {
    match &plan.source.opener {
        SourceOpener::Pull(factory) => Ok((Some(factory.clone()), None)),
        SourceOpener::Push { protocol, open, .. } => {
            let source: Arc<dyn PushSource> = open().map_err(StartError::Source)?;
            let shared = ingress::Shared {
                protocol: *protocol,
                source,
                level: plan.acknowledge,
                buffer: buffer.clone(),
                progress: progress.clone(),
                stamp: Stamp::new(&plan.id, &options.metrics, options.idempotency_required),
                // At `durable` a message is safe in the log whatever the sinks do.
                gate: Gate::new(plan.acknowledge == Level::Durable),
                ended: ended.clone(),
            };
            Ok((None, Some(Ingress::new(shared))))
        }
    }
}

async fn intake_end(
    intake: &mut Option<tokio::sync::oneshot::Receiver<intake::Ended>>,
) -> intake::Ended {
    match intake {
        Some(receiver) => match receiver.await {
            Ok(ended) => {
                *intake = None;
                ended
            }
            // It failed; the failure is reported on its own way.
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
