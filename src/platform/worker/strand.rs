//! Buffers that another owner has overtaken: found on this disk, set aside, and drained under leases of their own.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hermod_engine::{Backlog, Ended, Workflow};
use hermod_storage::{Key, Kind, Read, registry::Entity};
use tokio::{task::JoinSet, time::Instant};

use crate::platform::{catalog, core::Core};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Before a drain that has failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Drains at a time.
const DRAINS_MAX: usize = 4;

/// Longest time for a drain to end when the worker stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the stranded buffers of this node moving.
pub(super) struct Strand {
    core: Arc<Core>,
    looked: Option<Instant>,
    drains: HashMap<String, Workflow>,
    waits: HashMap<String, Instant>,
    work: JoinSet<(String, Ended)>,
}

/// Name of the lease under which a stream is drained.
fn drain_lease(stream: &str) -> String {
    format!("drain/{stream}")
}

/// Id of the object that says that a stream was declared lost.
pub(in crate::platform) fn barred_key(workflow: &str, stream: &str) -> Key {
    Key::new(Kind::Barred, format!("{workflow}/{stream}"))
}

impl Strand {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            looked: None,
            drains: HashMap::new(),
            waits: HashMap::new(),
            work: JoinSet::new(),
        }
    }

    /// Sets aside what was overtaken and drains what is set aside. `tenants` run here, or are about to.
    pub(super) async fn look(&mut self, tenants: &HashSet<String>) {
        while let Some(ended) = self.work.try_join_next() {
            self.settle(ended).await;
        }
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now - looked < LOOK_EVERY) {
            return;
        }
        // Each step asks the store; while it is away, all would wait for their time limits, one behind the other.
        if !self.core.store().health().writable {
            return;
        }
        self.looked = Some(now);
        for backlog in self.core.engine.backlogs() {
            if backlog.is_set_aside() {
                self.drain(backlog).await;
            } else if !tenants.contains(&backlog.workflow) {
                self.set_aside(&backlog).await;
            }
        }
    }

    /// A buffer in use of a workflow that does not run here: overtaken, if another node has had it since.
    async fn set_aside(&self, backlog: &Backlog) {
        let Some(lease) = self.core.lease(&backlog.workflow).await else {
            return;
        };
        if lease.node == self.core.owner.node {
            return;
        }
        let store = self.core.metadata.id();
        let set = self
            .core
            .engine
            .set_aside(&backlog.workflow, &store, lease.since);
        if let Err(error) = set.await {
            tracing::warn!(workflow = backlog.workflow, %error, "an overtaken buffer was not set aside; trying again");
        }
    }

    async fn drain(&mut self, backlog: Backlog) {
        let waits = self
            .waits
            .get(&backlog.scope)
            .is_some_and(|until| Instant::now() < *until);
        if waits || self.drains.contains_key(&backlog.scope) || self.drains.len() >= DRAINS_MAX {
            return;
        }
        if let Err(reason) = self.begin(&backlog).await {
            tracing::debug!(
                workflow = backlog.workflow,
                stream = backlog.stream,
                reason,
                "a stranded buffer waits"
            );
            self.waits.insert(backlog.scope, Instant::now() + AGAIN);
        }
    }

    async fn begin(&mut self, backlog: &Backlog) -> Result<(), String> {
        let core = &self.core;
        let key = barred_key(&backlog.workflow, &backlog.stream);
        let barred = core.store().get(&key, Read::Latest).await;
        if barred.map_err(|error| error.to_string())?.is_some() {
            return Err(
                "it was declared lost, and stays until it is discarded or released".to_owned(),
            );
        }
        let found = core
            .registry()
            .find(Kind::Workflow, &backlog.workflow)
            .await;
        let Some(entity) = found.map_err(|error| error.to_string())? else {
            return Err("its workflow is not there any more".to_owned());
        };
        if !Entity::is(&entity, "active") {
            return Err("its workflow is stopped".to_owned());
        }
        let bundle = core.registry().bundle_of(&entity.document).await;
        let bundle = core.unsealed_bundle(bundle.map_err(|error| error.to_string())?)?;
        let checked =
            catalog::check(&bundle).map_err(|_| "its workflow is not valid".to_owned())?;
        let lease = drain_lease(&backlog.stream);
        let taken = core
            .leases
            .take(&lease)
            .await
            .map_err(|error| error.to_string())?;
        let taken = taken.ok_or("another process drains it")?;
        let drain = core
            .engine
            .drain_stranded(checked.plan, &backlog.scope, taken.grant.epoch)
            .await;
        let workflow = match drain {
            Ok(workflow) => workflow,
            Err(error) => {
                core.leases.release(&lease).await;
                return Err(error.to_string());
            }
        };
        tracing::info!(
            workflow = backlog.workflow,
            stream = backlog.stream,
            messages = backlog.messages(),
            "a stranded buffer is drained"
        );
        self.drains.insert(backlog.scope.clone(), workflow.clone());
        let scope = backlog.scope.clone();
        self.work.spawn(async move {
            let ended = tokio::select! {
                ended = workflow.ended() => ended,
                () = taken.lost.cancelled() => {
                    // I5: the lease is gone.
                    workflow.abort();
                    workflow.ended().await
                }
            };
            (scope, ended)
        });
        Ok(())
    }

    async fn settle(&mut self, ended: Result<(String, Ended), tokio::task::JoinError>) {
        let (scope, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => return tracing::error!(%error, "a drain ended badly"),
        };
        self.drains.remove(&scope);
        self.core.engine.forget(&scope);
        let backlog = self
            .core
            .engine
            .backlogs()
            .into_iter()
            .find(|backlog| backlog.scope == scope);
        match (&ended, &backlog) {
            (Ended::Completed, Some(backlog)) if backlog.messages() == 0 => {
                match self.core.engine.discard_stranded(&scope).await {
                    Ok(()) => tracing::info!(
                        workflow = backlog.workflow,
                        stream = backlog.stream,
                        "a stranded buffer is delivered and gone"
                    ),
                    Err(error) => tracing::warn!(scope, %error, "a drained buffer was not removed"),
                }
            }
            _ => {
                tracing::warn!(scope, ended = %said(&ended), "a stranded buffer was not drained to its end; trying again");
                self.waits.insert(scope.clone(), Instant::now() + AGAIN);
            }
        }
        if let Some(backlog) = backlog {
            self.core
                .leases
                .release(&drain_lease(&backlog.stream))
                .await;
        }
    }

    /// Ends all drains; what is left waits for the next start.
    pub(super) async fn stop(&mut self) {
        for workflow in self.drains.values() {
            workflow.drain(STOP_TIMEOUT).await;
        }
        while let Some(ended) = self.work.join_next().await {
            self.settle(ended).await;
        }
    }
}

fn said(ended: &Ended) -> String {
    match ended {
        Ended::Completed => "completed".to_owned(),
        Ended::Stopped => "stopped".to_owned(),
        Ended::Failed { error } => error.clone(),
    }
}
