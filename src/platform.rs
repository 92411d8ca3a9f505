//! A node over a metadata store: store, leases, worker, API, put together and taken apart in order.

mod administration;
mod catalog;
mod core;
mod dead_letters;
mod face;
mod identity;
mod leases;
mod members;
mod metadata;
mod outlook;
mod peers;
mod provision;
mod push;
mod question;
mod status;
mod worker;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hermod_api::{Api, ApiOptions, Code, LogRing, Server, SetupOffer, Ui, platform::Database};
use hermod_engine::{Engine, EngineOptions, Metrics, Tasks};
use hermod_storage::{Kind, channel::Topic};
use hermod_wal::Log;
use tokio_util::sync::CancellationToken;

use crate::{
    bundle,
    config::{Config, GrpcPort},
    control::{self, Control},
    data_dir::DataDir,
    failure::{Exit, Failure},
    node::{self, View, WorkerMetrics, announce, log_metrics},
    output,
    signals::Signals,
};
pub(crate) use administration::Administration;
use core::{Core, Mode};
use metadata::Metadata;
pub(crate) use outlook::Outlook;
use push::{Forwarder, Paths};
use worker::{Division, Worker};

/// How long the server and the control socket may take to finish open requests.
const SERVER_TIMEOUT: Duration = Duration::from_secs(7);

/// How long workflows of the directory may take to start before the node says that it is ready.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// What the API shows beside the store.
pub(crate) struct Front {
    pub(crate) ui: Ui,
    pub(crate) logs: LogRing,
}

/// Runs a node until a signal comes.
pub(crate) fn serve(config: &Config, front: Front) -> Result<Exit, Failure> {
    let Some(mode) = Mode::parse(&config.mode) else {
        let message = format!(
            "mode `{}` does not exist; there are `api`, `standalone` and `worker`",
            config.mode
        );
        return Err(Failure::new(Code::Mode, message));
    };
    let documents = if mode.has_worker() {
        read_documents(config)?
    } else {
        Vec::new()
    };
    node::block_on(run(config, mode, documents, front))
}

/// Reads and checks the documents of the directory before anything is opened.
fn read_documents(config: &Config) -> Result<Vec<(PathBuf, bundle::Valid)>, Failure> {
    let Some(directory) = &config.workflows else {
        return Ok(Vec::new());
    };
    let files = bundle::files_in(directory).map_err(|error| {
        let message = format!("workflows directory `{}`: {error}", directory.display());
        Failure::new(Code::Document, message)
    })?;
    let documents = bundle::checked(&files)?;
    let plans: Vec<_> = documents
        .iter()
        .map(|(_, valid)| &valid.checked.plan)
        .collect();
    announce::paths_are_unique(&plans)?;
    if documents.is_empty() {
        tracing::warn!(directory = %directory.display(), "there is no workflow in the directory");
    }
    Ok(documents)
}

/// The parts of a running node.
struct Parts {
    core: Arc<Core>,
    view: Arc<View>,
    tasks: Tasks,
    worker_tasks: Tasks,
    stop_worker: CancellationToken,
    // Held to the end, so that nobody opens the directory before the log is closed.
    directory: DataDir,
}

async fn run(
    config: &Config,
    mode: Mode,
    documents: Vec<(PathBuf, bundle::Valid)>,
    front: Front,
) -> Result<Exit, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(Code::Configuration, error))?;
    let directory = DataDir::create(&config.data_dir)?;
    let log = node::open_log(node::log_options(config, &directory))?;
    let tasks = Tasks::new();
    let name = config.node_name();
    let division = division(config)?;
    let metadata = Metadata::open(config, &directory, &name).await?;
    let raft = metadata.raft.as_ref().map(|raft| raft.id());
    let owner = identity::begin(directory.path(), raft)?;
    let metrics = Metrics::new();
    log_metrics::register(metrics.registry(), &log);
    let guid = config.worker_guid.clone().unwrap_or_else(|| name.clone());
    let registered = |error| Failure::new(Code::Configuration, error);
    let worker_metrics = WorkerMetrics::register(metrics.registry(), &guid).map_err(registered)?;
    let leases = leases::Leases::new(
        metadata.store.clone(),
        owner.clone(),
        config.lease_ttl,
        &guid,
        metrics.registry(),
    );
    let core = Arc::new(Core {
        engine: engine(config, &log, metrics, &guid),
        leases: Arc::new(leases.map_err(registered)?),
        key: OnceLock::new(),
        ttl: config.lease_ttl,
        drain_timeout: config.drain_timeout,
        tasks: tasks.clone(),
        name,
        guid,
        mode,
        owner,
        metadata,
        log,
    });
    let paths = Arc::new(Paths::default());
    let outlook = Outlook {
        forwarder: Forwarder::new(core.clone(), paths.clone()),
        core: core.clone(),
        leases_required: config.ready_leases_required,
    };
    let view = View::of_platform(core.engine.clone(), core.log.clone(), outlook);
    let parts = Parts {
        core,
        view: Arc::new(view),
        tasks,
        worker_tasks: Tasks::new(),
        stop_worker: CancellationToken::new(),
        directory,
    };
    let ending = parts
        .serve(
            config,
            (paths, division, &worker_metrics),
            documents,
            front,
            &mut signals,
        )
        .await;
    let exit = parts.end(&mut signals).await;
    match (ending, exit) {
        (Err(failure), Exit::Done) => Err(failure),
        (_, exit) => Ok(exit),
    }
}

fn engine(config: &Config, log: &Log, metrics: Metrics, worker: &str) -> Engine {
    let dropped = config.drop_removed_sinks.iter();
    Engine::new(EngineOptions {
        log: Some(log.clone()),
        metrics,
        idempotency_required: config.idempotency_required,
        worker: worker.into(),
        drop_removed_sinks: dropped.map(|id| id.as_str().into()).collect(),
    })
}

impl Parts {
    /// Runs until a signal comes or something fails for good.
    async fn serve(
        &self,
        config: &Config,
        (paths, division, worker_metrics): (Arc<Paths>, Division, &WorkerMetrics),
        documents: Vec<(PathBuf, bundle::Valid)>,
        front: Front,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let core = &self.core;
        let worker = core.mode.has_worker().then(|| {
            Worker::new(
                core.clone(),
                self.view.clone(),
                paths.clone(),
                division,
                worker_metrics,
            )
        });
        let answerer = Arc::new(question::Answerer {
            core: core.clone(),
            worker: worker.as_ref().map(Worker::handle),
        });
        self.answer_others(&answerer);
        let address = self.listen(config, answerer.clone(), front).await?;
        let stop = self.tasks.cancelled().clone();
        self.tasks
            .spawn("push paths", paths.follow(core.clone(), stop));
        tokio::select! {
            ready = self.ready(config) => ready?,
            signal = signals.next() => {
                tracing::info!(signal = signal.name(), "stopping");
                return Ok(());
            }
        }
        let announcement = announce::Announcement::new(
            &documents
                .iter()
                .map(|(_, valid)| &valid.checked.plan)
                .collect::<Vec<_>>(),
        );
        let provisioned = self
            .provision(
                config.workflows.is_some() && self.core.mode.has_worker(),
                documents,
            )
            .await?;
        self.employ(worker).await;
        self.started(&provisioned, &answerer).await;
        announcement.print(address, self.directory.path());
        self.offer_setup(address).await;
        tracing::info!(%address, node = core.name, mode = core.mode.as_str(), store = core.metadata.id(), "ready");
        tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal = signal.name(), "stopping");
                Ok(())
            }
            reason = core.metadata.failed() => {
                Err(Failure::new(Code::Store, format!("the metadata store has stopped: {reason}")))
            }
            () = self.tasks.cancelled().cancelled() => {
                Err(Failure::new(Code::Store, "a part of the node has ended; see the log"))
            }
            () = core.metadata.wire_failed().cancelled() => {
                Err(Failure::new(Code::Store, "a part of the node has ended; see the log"))
            }
        }
    }

    /// Lets the worker begin; a node without one says so where nobody else works either.
    async fn employ(&self, worker: Option<Worker>) {
        if let Some(worker) = worker {
            let stop = self.stop_worker.clone();
            let tasks = self.worker_tasks.clone();
            self.worker_tasks.spawn("worker", worker.run(stop, tasks));
            return;
        }
        let workers = self.core.registry().workers().await;
        if workers.is_ok_and(|workers| workers.is_empty()) {
            tracing::warn!(
                "no worker is known: workflows can be kept here, and none runs; start one with `--mode=standalone` or `--mode=worker`"
            );
        }
    }

    /// Answers what other nodes ask and hand on, where there are others.
    fn answer_others(&self, answerer: &Arc<question::Answerer>) {
        if let Some(router) = &self.core.metadata.router {
            router.route(&[Topic::Question], answerer.clone());
            let view = Arc::downgrade(&self.view);
            let leases = self.core.leases.clone();
            router.route(&[Topic::Push], Arc::new(push::Answerer { view, leases }));
        }
    }

    /// Waits until the node belongs to its group and has the key of the store.
    async fn ready(&self, config: &Config) -> Result<(), Failure> {
        let metadata = &self.core.metadata;
        metadata.ready(config, self.directory.path()).await?;
        let stop = self.tasks.cancelled().clone();
        let key = metadata.key(config, &self.directory, &stop).await?;
        // Set once, here.
        drop(self.core.key.set(key));
        Ok(())
    }

    async fn listen(
        &self,
        config: &Config,
        answerer: Arc<question::Answerer>,
        front: Front,
    ) -> Result<SocketAddr, Failure> {
        let core = &self.core;
        let face = face::Face {
            core: core.clone(),
            answerer,
            database: Database {
                kind: config.db_type.clone(),
                conn: masked(&config.db_conn),
            },
            logs: front.logs,
        };
        let api = if core.mode.has_api() {
            let options = ApiOptions {
                allow_origins: config.cors_allow_origins.clone(),
                hsts: config.hsts_enable,
                worker_registration_token: config.worker_reg_token.clone(),
                stop: self.tasks.cancelled().clone(),
                ui: front.ui,
                ..ApiOptions::default()
            };
            let api = Api::new(options, core.registry().clone(), Arc::new(face));
            Some(api.map_err(|error| Failure::new(Code::Configuration, error))?)
        } else {
            None
        };
        let port = if core.mode.has_api() {
            config.port
        } else {
            config.worker_port
        };
        let mut options = hermod_api::Options::new(SocketAddr::new(config.listen, port));
        options.connections_max = config.connections_max;
        options.grpc = grpc_address(config).await;
        let server = Server::with_api(options, self.view.clone(), api).await;
        let server = server.map_err(|error| Failure::new(error.code(), error))?;
        let address = server.address();
        if let Some(address) = server.grpc_address() {
            tracing::info!(%address, "gRPC push ingress listens");
        }
        let control = Control::bind(&self.directory)
            .map_err(|error| Failure::new(Code::Control, format!("control socket: {error}")))?;
        let stop = self.tasks.cancelled().clone();
        self.tasks.spawn("http server", server.run(stop.clone()));
        let asked = control::Asked {
            log: core.log.clone(),
            engine: core.engine.clone(),
            platform: Some(Arc::new(Administration::of(core.clone()))),
        };
        self.tasks.spawn("control socket", control.run(asked, stop));
        Ok(address)
    }

    async fn provision(
        &self,
        has_directory: bool,
        documents: Vec<(PathBuf, bundle::Valid)>,
    ) -> Result<Vec<String>, Failure> {
        let documents: Vec<_> = documents
            .into_iter()
            .map(|(file, valid)| provision::Document {
                file: file.display().to_string(),
                bundle: valid.bundle,
            })
            .collect();
        if !has_directory {
            return Ok(Vec::new());
        }
        // Without a document too: what came from the directory and is gone is stopped.
        provision::provision(&self.core, &documents).await
    }

    /// Waits until the workflows of the directory run here, or somewhere; not for ever.
    async fn started(&self, ids: &[String], answerer: &question::Answerer) {
        let deadline = tokio::time::Instant::now() + START_PATIENCE;
        for id in ids {
            while tokio::time::Instant::now() < deadline {
                let found = self.core.registry().find(Kind::Workflow, id).await;
                let stopped =
                    found.is_ok_and(|entity| entity.is_none_or(|entity| !entity.is("active")));
                // What runs here, or failed to, says so; what has come to its end is in the store.
                let here = answerer.status(id).is_some();
                let status = self.core.registry().find(Kind::Status, id).await;
                let ended = status.is_ok_and(|status| {
                    status.is_some_and(|s| s.text("state") == Some("completed"))
                });
                let lease = self.core.lease(id).await;
                let owner = lease
                    .as_ref()
                    .and_then(|lease| lease.live_owner(self.core.store().now_ms()));
                let elsewhere = owner.is_some_and(|owner| owner.node != self.core.owner.node);
                if stopped || here || ended || elsewhere {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Prints the link with which the first administrator is made.
    async fn offer_setup(&self, address: SocketAddr) {
        if !self.core.mode.has_api() {
            return;
        }
        match hermod_api::offer_setup(self.core.registry(), false).await {
            Ok(SetupOffer::Made { token }) => output::error_line(format!(
                "first start: make the administrator within an hour at http://{}/setup#{token}\n\
                 or with `hermod setup --password-file FILE` on this machine",
                announce::reachable(address)
            )),
            Ok(SetupOffer::Pending { .. }) => output::error_line(
                "there is no administrator yet, and a setup link was shown before; `hermod setup --renew` makes another",
            ),
            Ok(SetupOffer::Done) => {}
            Err(error) => {
                tracing::warn!(%error, "the setup link cannot be made; `hermod setup --renew` makes one");
            }
        }
    }

    /// The one order of the end: intake and workflows first, then leases, the server, the store, the log.
    async fn end(self, signals: &mut Signals) -> Exit {
        self.stop_worker.cancel();
        let forced = tokio::select! {
            () = self.worker_tasks.ended() => None,
            signal = signals.next() => {
                tracing::error!(code = Code::Forced.text(), signal = signal.name(), "forced to end before everything was delivered");
                for workflow in self.core.engine.workflows() {
                    workflow.abort();
                }
                self.worker_tasks.cancel();
                Some(signal.number())
            }
        };
        self.tasks.cancel();
        if tokio::time::timeout(SERVER_TIMEOUT, self.tasks.ended())
            .await
            .is_err()
        {
            tracing::warn!("open requests were cut off");
        }
        self.core.metadata.close().await;
        let log = self.core.log.clone();
        let closed = tokio::task::spawn_blocking(move || log.close()).await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "data log did not close cleanly"),
            Err(error) => tracing::error!(%error, "closing the data log ended badly"),
        }
        drop(self.directory);
        forced.map_or(Exit::Done, Exit::Forced)
    }
}

/// Returns where gRPC push ingress is to listen.
async fn grpc_address(config: &Config) -> Option<SocketAddr> {
    /// Where gRPC servers listen by custom.
    const USUAL: u16 = 50051;
    let port = match config.grpc_port {
        GrpcPort::Off => return None,
        GrpcPort::Is(port) => port,
        GrpcPort::Usual => USUAL,
    };
    let address = SocketAddr::new(config.listen, port);
    if config.grpc_port == GrpcPort::Usual && tokio::net::TcpListener::bind(address).await.is_err()
    {
        tracing::warn!(%address, "another process has the usual port of gRPC; there is no gRPC push ingress; choose another with `grpc_port`");
        return None;
    }
    Some(address)
}

/// Reads how workers divide workflows.
fn division(config: &Config) -> Result<Division, Failure> {
    let message = match (config.worker_id, config.total_workers) {
        (None, None) => return Ok(Division::Live),
        (Some(id), Some(total)) if id < total => return Ok(Division::Static { id, total }),
        (Some(id), Some(total)) => {
            format!(
                "`worker_id` = `{id}`: of {total} workers the numbers are 0 to {}",
                total.saturating_sub(1)
            )
        }
        _ => "`worker_id` and `total_workers` belong together: which of how many this worker is"
            .to_owned(),
    };
    Err(Failure::new(Code::Configuration, message))
}

/// Hides the password of a connection (I10).
fn masked(conn: &str) -> String {
    let Some((scheme, rest)) = conn.split_once("://") else {
        return conn.to_owned();
    };
    let Some((user, host)) = rest.rsplit_once('@') else {
        return conn.to_owned();
    };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}
