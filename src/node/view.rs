//! The node as its HTTP server sees it.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use hermod_api::{Engines, Forward, Forwarded, LogState};
use hermod_engine::{Engine, Ingress, State, Workflow};
use hermod_sdk::PushProtocol;
use hermod_wal::Log;
use prometheus::Registry;

/// What the server asks about.
pub(super) struct View {
    engine: Engine,
    log: Log,
    /// By path, one map for each protocol.
    sources: RwLock<[HashMap<String, Ingress>; 3]>,
    not_started: AtomicUsize,
}

impl View {
    pub(super) fn new(engine: Engine, log: Log) -> Self {
        Self {
            engine,
            log,
            sources: RwLock::default(),
            not_started: AtomicUsize::new(0),
        }
    }

    /// Makes a workflow's push source reachable, if it has one.
    pub(super) fn add(&self, workflow: &Workflow) {
        if let Some(ingress) = workflow.ingress() {
            let path = ingress.source().path().to_owned();
            let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
            sources[ingress.protocol() as usize].insert(path, ingress);
        }
    }

    /// Counts a workflow that could not be started.
    pub(super) fn count_failure(&self) {
        self.not_started.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the paths of all webhooks, in order.
    pub(super) fn paths(&self) -> Vec<String> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let webhooks = &sources[PushProtocol::Webhook as usize];
        let mut paths: Vec<_> = webhooks.keys().cloned().collect();
        paths.sort();
        paths
    }
}

impl hermod_api::Node for View {
    type Intake = Ingress;

    fn intake(&self, protocol: PushProtocol, path: &str) -> Option<Ingress> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner)[protocol as usize]
            .get(path)
            .cloned()
    }

    /// This node is the only one.
    fn may_forward(&self, _protocol: PushProtocol, _path: &str) -> bool {
        false
    }

    async fn forward(&self, _request: Forwarded) -> Forward {
        Forward::Nobody
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
