//! The node as its HTTP server sees it.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use hermod_api::{
    Engines, Forward, Forwarded, LeaseState, LogState, StoreState, Whereabouts, Workers,
};
use hermod_engine::{Engine, Ingress, State, Workflow};
use hermod_sdk::PushProtocol;
use hermod_wal::Log;
use prometheus::Registry;

use crate::platform::Outlook;

/// What the server asks about.
pub(crate) struct View {
    engine: Engine,
    log: Log,
    /// By path, one map for each protocol.
    sources: RwLock<[HashMap<String, Ingress>; 3]>,
    not_started: AtomicUsize,
    /// The platform around it, if there is one.
    platform: Option<Outlook>,
}

impl View {
    /// Makes that of a node without a metadata store.
    pub(super) fn new(engine: Engine, log: Log) -> Self {
        Self::made(engine, log, None)
    }

    /// Makes that of a node over a metadata store.
    pub(crate) fn of_platform(engine: Engine, log: Log, platform: Outlook) -> Self {
        Self::made(engine, log, Some(platform))
    }

    fn made(engine: Engine, log: Log, platform: Option<Outlook>) -> Self {
        Self {
            engine,
            log,
            sources: RwLock::default(),
            not_started: AtomicUsize::new(0),
            platform,
        }
    }

    /// Makes a workflow's push source reachable, if it has one.
    pub(crate) fn add(&self, workflow: &Workflow) {
        if let Some(ingress) = workflow.ingress() {
            let path = ingress.source().path().to_owned();
            let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
            sources[ingress.protocol() as usize].insert(path, ingress);
        }
    }

    /// Makes it unreachable again, unless another has its place by now.
    pub(crate) fn remove(&self, workflow: &Workflow) {
        if let Some(ingress) = workflow.ingress() {
            let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
            let sources = &mut sources[ingress.protocol() as usize];
            let path = ingress.source().path();
            if sources.get(path).is_some_and(|one| one.is(&ingress)) {
                sources.remove(path);
            }
        }
    }

    /// Says how many workflows could not be started.
    pub(crate) fn set_failures(&self, count: usize) {
        self.not_started.store(count, Ordering::Relaxed);
    }

    /// Counts a workflow that could not be started.
    pub(super) fn count_failure(&self) {
        self.not_started.fetch_add(1, Ordering::Relaxed);
    }
}

impl hermod_api::Node for View {
    type Intake = Ingress;

    fn intake(&self, protocol: PushProtocol, path: &str) -> Option<Ingress> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner)[protocol as usize]
            .get(path)
            .cloned()
    }

    async fn whereabouts(&self, protocol: PushProtocol, path: &str) -> Whereabouts {
        match &self.platform {
            Some(platform) => platform.whereabouts(protocol, path).await,
            None => Whereabouts::Nowhere,
        }
    }

    async fn forward(&self, request: Forwarded) -> Forward {
        match &self.platform {
            Some(platform) => platform.forward(request).await,
            None => Forward::Nobody,
        }
    }

    fn store_state(&self) -> Option<StoreState> {
        self.platform.as_ref().map(Outlook::store_state)
    }

    async fn workers(&self) -> Workers {
        match &self.platform {
            Some(platform) => platform.workers().await,
            None => Workers {
                recent: 1,
                stale: 0,
            },
        }
    }

    fn leases(&self) -> Option<LeaseState> {
        self.platform.as_ref().and_then(Outlook::leases)
    }

    fn log_state(&self) -> LogState {
        match self.log.state() {
            hermod_wal::State::Open => LogState::Open,
            hermod_wal::State::Full { .. } => LogState::Full,
            other => LogState::Failed {
                reason: format!("{other:?}"),
            },
        }
    }

    fn engines(&self) -> Engines {
        let mut engines = Engines {
            running: 0,
            probing: 0,
            failed: self.not_started.load(Ordering::Relaxed),
        };
        for workflow in self.engine.workflows() {
            match workflow.status().state {
                State::Probing => engines.probing += 1,
                State::Running | State::Draining => engines.running += 1,
                State::Failed => engines.failed += 1,
                State::Stopped | State::Completed => {}
            }
        }
        engines
    }

    fn registry(&self) -> &Registry {
        self.engine.metrics().registry()
    }

    fn metrics(&self) -> String {
        self.engine.metrics_text()
    }
}
