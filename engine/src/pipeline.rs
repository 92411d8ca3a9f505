//! One running workflow: its parts, and the one function that ends them in the right order.

use std::{future::Future, sync::Arc, time::Duration};

use hermod_sdk::{
    PushSource, SinkContext, SourceContext, SourceFactory, SourceOpener, Tenure as Right,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
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
    progress::Progress,
    stamp::Stamp,
    status::{Board, State},
    tasks::Tasks,
    tenure::{StartError, Tenure},
};

/// Longest wait for one connection test.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

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
        let Tenure {
            epoch,
            buffer,
            cursors,
            position,
            versions,
        } = tenure;
        let ring = match &buffer {
            Buffer::Ring(ring) => Some(ring.clone()),
            Buffer::File(_) => None,
        };
        let progress = Arc::new(Progress::new(&cursors, ring));
        let board = Board::new(plan.sinks.len());
        let dead_letters = match &log {
            Some(log) => Some(DeadLetters::create(log, &plan.id)?),
            None => None,
        };
        let ended = CancellationToken::new();
        let (source, ingress) = way_in(&plan, &buffer, &progress, &options, &ended)?;
        let sinks: Arc<[_]> = plan.sinks.iter().map(|sink| sink.id.clone()).collect();
        let ring_position = matches!(buffer, Buffer::Ring(_)) && source.is_some();
        let position_key = ring_position.then(|| keys::position(&plan.id, &plan.source.id));
        let checkpoint = Checkpoint::new(
            log.clone(),
            &plan,
            epoch,
            buffer.clone(),
            position_key,
            &progress,
        );
        if let Some(graph) = versions.of(u64::MAX) {
            options.metrics.prepare(&plan, graph);
        }
        let evaluator = EvaluatorContext {
            versions,
            sinks,
            dead_letters: dead_letters.clone(),
            board: board.clone(),
            metrics: options.metrics.clone(),
            workflow: plan.id.clone(),
            source: plan.source.id.clone(),
        };
        let shared = Shared {
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
        if !self.probe().await? {
            return self.stop_before_start().await;
        }
        let mut parts = self.start_parts();
        if let Some(ingress) = &self.shared.ingress {
            ingress.gate().open();
        }
        self.shared.board.enter(State::Running, None);
        tracing::info!(
            workflow = %self.shared.plan.id, epoch = self.shared.epoch,
            acknowledge = self.shared.plan.acknowledge.as_str(), "workflow runs"
        );
        self.run_parts(&mut parts).await
    }

    /// Tests the source and every sink, and shows what fails until nothing does; false when stopped.
    async fn probe(&self) -> Result<bool, Stop> {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
        let mut drain = self.shared.drain.subscribe();
        loop {
            let failure = tokio::select! {
                failure = self.probe_once() => failure,
                () = asked(&mut drain) => return Ok(false),
                () = self.shared.abort.cancelled() => return Err(Stop::Cancelled),
            };
            let Some(failure) = failure else {
                return Ok(true);
            };
            tracing::warn!(workflow = %self.shared.plan.id, failure, "not ready to start; trying again");
            self.shared.board.enter(State::Probing, Some(failure));
            tokio::select! {
                () = tokio::time::sleep(backoff.next_delay()) => {}
                () = asked(&mut drain) => return Ok(false),
                () = self.shared.abort.cancelled() => return Err(Stop::Cancelled),
            }
        }
    }

    async fn probe_once(&self) -> Option<String> {
        let plan = &self.shared.plan;
        if let Some(source) = &self.source
            && let Err(error) = limited(source.probe()).await
        {
            return Some(format!("source `{}`: {error}", plan.source.id));
        }
        for (index, sink) in plan.sinks.iter().enumerate() {
            let result = limited(sink.factory.probe()).await;
            self.shared.board.block(index, result.clone().err());
            if let Err(error) = result {
                return Some(format!("sink `{}`: {error}", sink.id));
            }
        }
        None
    }

    /// Nothing was delivered yet; what was pushed meanwhile stays in the buffer.
    async fn stop_before_start(&self) -> Result<State, Stop> {
        if let Some(ingress) = &self.shared.ingress {
            ingress.gate().close().await;
        }
        Ok(State::Stopped)
    }

    fn start_parts(&self) -> Parts {
        let (report, failures) = mpsc::channel(16);
        let tasks = Tasks::new();
        let delivered = Tasks::new();
        let end = watch::Sender::new(None);
        self.start_deliveries(&delivered, &report, end.subscribe());
        let checkpoint = self.checkpoint.clone();
        self.start(&tasks, "checkpoint", &report, async move {
            checkpoint.run().await
        });
        let intake = self
            .source
            .clone()
            .map(|factory| self.start_intake(&tasks, &report, factory));
        Parts {
            tasks,
            failures,
            delivered,
            intake,
            end,
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
                    tenure: Right::Owner,
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
            self.start(tasks, "delivery", report, delivery.run(feed));
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
        factory: Arc<dyn SourceFactory>,
    ) -> tokio::sync::oneshot::Receiver<intake::Ended> {
        let Shared {
            plan,
            board,
            buffer,
            epoch,
            ..
        } = &*self.shared;
        let generation = self
            .position
            .as_ref()
            .map_or(*epoch, hermod_sdk::Position::generation);
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
            let result = intake.run().await?;
            // Nobody waits for it any more only when the workflow has failed.
            drop(done.send(result));
            Ok(())
        });
        ended
    }

    /// Waits for the source's end, a request to stop, or a failure; then drains.
    async fn run_parts(&self, parts: &mut Parts) -> Result<State, Stop> {
        let mut drain = self.shared.drain.subscribe();
        let ended = tokio::select! {
            Some((part, stop)) = parts.failures.recv() => return self.fail(parts, part, stop).await,
            () = self.shared.abort.cancelled() => return self.fail(parts, "workflow", Stop::Cancelled).await,
            ended = intake_end(&mut parts.intake) => Some(ended),
            () = asked(&mut drain) => None,
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
        let complete = ended.as_ref().is_some_and(|ended| ended.complete);
        if let Some(ended) = ended {
            let safe = match self.shared.plan.acknowledge {
                Level::Delivered => self.checkpoint.safe.borrow().clone(),
                Level::Durable => None,
            };
            ended.finish(safe, &self.shared.plan.id).await;
        }
        let delivered = self.shared.progress.low().next >= end;
        Ok(if complete && delivered {
            State::Completed
        } else {
            State::Stopped
        })
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

/// Waits until a drain is asked for.
async fn asked(drain: &mut watch::Receiver<Option<Instant>>) {
    // The sender lives as long as the workflow, so the wait cannot fail.
    let _closed = drain.wait_for(Option::is_some).await.is_err();
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

async fn limited(
    probe: impl Future<Output = Result<(), hermod_sdk::ConnectorError>>,
) -> Result<(), String> {
    match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.report()),
        Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
    }
}
