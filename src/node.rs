//! A node: the data log, the engine, the HTTP server and the control socket, started and ended in order.

pub(crate) mod announce;
mod end;
pub(crate) mod log_metrics;
mod view;
mod worker_metrics;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use hermod_api::{Code, Server};
use hermod_engine::{Ended, Engine, EngineOptions, Metrics, Tasks, Workflow, WorkflowPlan};
use hermod_wal::{Log, Options, SyncPolicy};

use crate::{
    config::{self, Config},
    control::{Asked, Control},
    damage,
    data_dir::DataDir,
    failure::{Exit, Failure},
    signals::Signals,
};
pub(crate) use view::View;
pub(crate) use worker_metrics::WorkerMetrics;

/// The number of the only worker, as `--worker-id` counts them.
const WORKER: &str = "0";

/// How long a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until it is told to stop.
    Signal,
    /// Until its workflows have ended, or it is told to stop.
    Ended,
}

/// The parts of a running node.
struct Node {
    log: Log,
    engine: Engine,
    workflows: Vec<Workflow>,
    tasks: Tasks,
    drain_timeout: Duration,
    // Held to the end, so that nobody opens the directory before the log is closed.
    _directory: DataDir,
}

/// Runs workflows until they end or a signal comes, and returns how the process ends.
pub(crate) fn serve(
    config: &Config,
    plans: Vec<WorkflowPlan>,
    until: Until,
) -> Result<Exit, Failure> {
    block_on(run(config, plans, until))
}

/// Runs a node to its end.
pub(crate) fn block_on(node: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Configuration, error))?;
    let outcome = runtime.block_on(node);
    // Threads that still block, on a disk that does not answer for example, do not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run(config: &Config, plans: Vec<WorkflowPlan>, until: Until) -> Result<Exit, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(Code::Configuration, error))?;
    let directory = DataDir::create(&config.data_dir)?;
    let log = open_log(log_options(config, &directory))?;
    let metrics = Metrics::new();
    log_metrics::register(metrics.registry(), &log);
    let worker = WorkerMetrics::register(metrics.registry(), WORKER)
        .map_err(|error| Failure::new(Code::Configuration, error))?;
    let engine = Engine::new(EngineOptions {
        log: Some(log.clone()),
        metrics,
        idempotency_required: config.idempotency_required,
        worker: WORKER.into(),
        drop_removed_sinks: config
            .drop_removed_sinks
            .iter()
            .map(|id| id.as_str().into())
            .collect(),
    });
    let view = Arc::new(View::new(engine.clone(), log.clone()));
    let server = bind(config, &view).await?;
    let control = Control::bind(&directory)
        .map_err(|error| Failure::new(Code::Control, format!("control socket: {error}")))?;
    let borrowed: Vec<_> = plans.iter().collect();
    announce::paths_are_unique(&borrowed)?;
    let announcement = announce::Announcement::new(&borrowed);
    let workflows = start_all(&engine, (&view, &worker), plans, until).await?;

    let tasks = Tasks::new();
    let address = server.address();
    tasks.spawn("http server", server.run(tasks.cancelled().clone()));
    let stop = tasks.cancelled().clone();
    tasks.spawn(
        "control socket",
        control.run(
            Asked {
                log: log.clone(),
                engine: engine.clone(),
                platform: None,
            },
            stop,
        ),
    );
    announcement.print(address, directory.path());
    tracing::info!(%address, data_dir = %directory.path().display(), workflows = workflows.len(), "ready");

    let drain_timeout = config.drain_timeout;
    let node = Node {
        log,
        engine,
        workflows,
        tasks,
        drain_timeout,
        _directory: directory,
    };
    let failed = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal = signal.name(), "stopping");
            None
        }
        failed = node.watch(until) => failed,
        () = node.tasks.cancelled().cancelled() => {
            Some(Failure::new(Code::WorkflowFailed, "a part of the node has ended; see the log"))
        }
    };
    let exit = node.end(&mut signals).await;
    match (failed, exit) {
        (Some(failure), Exit::Done) => Err(failure),
        (_, exit) => Ok(exit),
    }
}

async fn bind(config: &Config, view: &Arc<View>) -> Result<Server<View>, Failure> {
    let address = SocketAddr::new(config.listen, config.port);
    let mut options = hermod_api::Options::new(address);
    options.connections_max = config.connections_max;
    Server::bind(options, view.clone())
        .await
        .map_err(|error| Failure::new(error.code(), error))
}

/// Starts workflows. One that cannot start does not keep the others from running, unless it is the only
/// one that was asked for.
async fn start_all(
    engine: &Engine,
    (view, worker): (&View, &WorkerMetrics),
    plans: Vec<WorkflowPlan>,
    until: Until,
) -> Result<Vec<Workflow>, Failure> {
    let _cycle = worker.cycle();
    let mut started = Vec::new();
    for plan in plans {
        let id = plan.id.clone();
        if !plan.active {
            tracing::info!(workflow = %id, "workflow is not active and is not started");
            continue;
        }
        match engine.start(plan).await {
            Ok(workflow) => {
                view.add(&workflow);
                started.push(workflow);
            }
            Err(error) => {
                let failure =
                    Failure::new(Code::WorkflowStart, format!("workflow `{id}`: {error}"));
                if until == Until::Ended {
                    return Err(failure);
                }
                view.count_failure();
                worker.count_error();
                let (code, hint) = (failure.code.text(), failure.code.hint());
                tracing::error!(code, hint, workflow = %id, %error, "workflow cannot be started");
            }
        }
    }
    Ok(started)
}

impl Node {
    /// Logs how workflows end. Returns once all have, with the failure if there was one; never while the
    /// node is to run until a signal.
    async fn watch(&self, until: Until) -> Option<Failure> {
        let mut ends = tokio::task::JoinSet::new();
        for workflow in &self.workflows {
            let workflow = workflow.clone();
            ends.spawn(async move {
                let ended = workflow.ended().await;
                report_end(&workflow, ended)
            });
        }
        let mut failed = None;
        while let Some(end) = ends.join_next().await {
            match end {
                Ok(None) => {}
                Ok(failure) => failed = failure,
                Err(error) => tracing::error!(%error, "a workflow's watcher ended badly"),
            }
        }
        if until == Until::Signal {
            std::future::pending::<()>().await;
        }
        failed
    }
}

fn report_end(workflow: &Workflow, ended: Ended) -> Option<Failure> {
    let id = workflow.id();
    match ended {
        Ended::Completed => {
            tracing::info!(workflow = %id, "workflow has come to its end; everything is delivered");
            None
        }
        Ended::Stopped => {
            tracing::info!(workflow = %id, "workflow is stopped");
            None
        }
        Ended::Failed { error } => {
            let code = Code::WorkflowFailed;
            tracing::error!(code = code.text(), workflow = %id, error, "workflow failed");
            Some(Failure::new(code, format!("workflow `{id}`: {error}")))
        }
    }
}

pub(crate) fn log_options(config: &Config, directory: &DataDir) -> Options {
    let mut options = Options::new(directory.log());
    options.quota_bytes = config.data_quota;
    options.sync = match config.sync {
        config::Sync::Always => SyncPolicy::Always,
        config::Sync::Interval(every) => SyncPolicy::Interval(every),
        config::Sync::Os => SyncPolicy::Os,
    };
    if config.sync != config::Sync::Always {
        tracing::warn!(
            "`sync` is not `always`: what was acknowledged but not yet synced is lost when the machine fails"
        );
    }
    options
}

/// Opens the data log and reports what recovery found (I6).
pub(crate) fn open_log(options: Options) -> Result<Log, Failure> {
    let log = Log::open(options).map_err(|error| {
        let code = match error {
            hermod_wal::OpenError::NewerFormat { .. } => Code::DirectoryNewer,
            hermod_wal::OpenError::Locked { .. } => Code::DirectoryLocked,
            _ => Code::Log,
        };
        Failure::new(code, error)
    })?;
    let recovery = log.recovery();
    tracing::debug!(
        segments = recovery.segments,
        clean = recovery.clean,
        torn_bytes = recovery.torn_bytes,
        damaged = recovery.damage.len(),
        "data log is open"
    );
    for damage in &recovery.damage {
        let (code, damage) = (Code::LogDamaged.text(), damage::text(damage));
        tracing::error!(code, damage, "data log is damaged");
    }
    Ok(log)
}

/// Lifts the soft limit of open files to the hard one: each connection and each segment takes one.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
