//! Starting one workflow: lease, plan, checkpoint, engine.

use std::sync::Arc;

use hermod_engine::Ownership;
use hermod_storage::{Expect, Key, Operation, Read, StoreErrorKind, Transaction};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    Done, End, Tenant,
    report::{Checkpoint, Reporter, checkpoint_key},
    wanted::Wanted,
};
use crate::{
    node::View,
    platform::{
        catalog,
        core::{Core, lease_of},
        leases::Taken,
    },
};

/// What a start needs.
pub(super) struct Start {
    pub(super) core: Arc<Core>,
    pub(super) reporter: Arc<Reporter>,
    pub(super) view: Arc<View>,
    pub(super) ended: mpsc::Sender<End>,
}

impl Start {
    pub(super) async fn run(self, id: String, wanted: Wanted) -> Done {
        let lease = lease_of(&id);
        let taken = match self.core.leases.take(&lease).await {
            Ok(Some(taken)) => taken,
            Ok(None) => return Done::Held(id),
            // Leases and reports say already, once a second, that the store is away.
            Err(error) if error.kind() != StoreErrorKind::Invalid => {
                tracing::debug!(workflow = id, %error, "a lease cannot be taken; trying again");
                return Done::Held(id);
            }
            Err(error) => return Done::NotStarted(id, wanted, error.to_string()),
        };
        match self.start(&id, &wanted, &taken).await {
            Ok(tenant) => Done::Started(id, Box::new(tenant)),
            Err(reason) => {
                self.core.leases.release(&lease).await;
                Done::NotStarted(id, wanted, reason)
            }
        }
    }

    async fn start(&self, id: &str, wanted: &Wanted, taken: &Taken) -> Result<Tenant, String> {
        let core = &self.core;
        let bundle = core.registry().bundle_of(wanted.document()).await;
        let bundle = core.unsealed_bundle(bundle.map_err(|error| error.to_string())?)?;
        let checked = catalog::check(&bundle).map_err(|problems| said(&problems))?;
        let plan = checked.plan;
        let epoch = taken.grant.epoch;
        let checkpoint = self.checkpoint(id, &plan.source.id, epoch).await?;
        let ownership = Ownership {
            store: core.metadata.id().into(),
            epoch,
            since: taken.grant.since,
            position: checkpoint.position().map_err(|reason| {
                let source = &plan.source.id;
                format!("the position of source `{source}` cannot be read: {reason}")
            })?,
            generation: checkpoint.generation,
            replica: self
                .reporter
                .replica(id, &plan.source.id, checkpoint.generation, epoch),
        };
        let started = core.engine.start_owned(plan, ownership).await;
        let workflow = started.map_err(|error| error.to_string())?;
        self.view.add(&workflow);
        let (handle, ended, name) = (workflow.clone(), self.ended.clone(), id.to_owned());
        let lost = taken.lost.clone();
        core.tasks.spawn("end of a workflow", async move {
            let end = handle.ended().await;
            // The worker is gone only at the very end.
            drop(ended.send((name, epoch, end)).await);
        });
        // I5: nothing of the worker is needed to end what has lost its lease.
        let handle = workflow.clone();
        core.tasks.spawn("lost lease", async move {
            tokio::select! {
                () = lost.cancelled() => handle.abort(),
                _ = handle.ended() => {}
            }
        });
        Ok(Tenant {
            workflow,
            wanted: wanted.clone(),
            epoch,
            lost: taken.lost.clone(),
        })
    }

    /// Returns where the source is; the first owner gives its positions their generation.
    async fn checkpoint(&self, id: &str, source: &str, epoch: u64) -> Result<Checkpoint, String> {
        let key = checkpoint_key(id, source);
        let store = self.core.store();
        let object = store.get(&key, Read::Latest).await;
        if let Some(object) = object.map_err(|error| error.to_string())? {
            return serde_json::from_slice(&object.document).map_err(|error| {
                format!("the position of source `{source}` cannot be read: {error}")
            });
        }
        let first = Checkpoint {
            generation: epoch,
            position: None,
            epoch,
        };
        self.keep_first(id, key, &first).await?;
        Ok(first)
    }

    async fn keep_first(&self, id: &str, key: Key, first: &Checkpoint) -> Result<(), String> {
        let transaction = Transaction::new().guard(lease_of(id), first.epoch).put(
            key,
            Expect::Absent,
            json!(first).to_string(),
        );
        let answers = self
            .core
            .store()
            .submit(vec![Operation::Commit(transaction)])
            .await;
        match answers.map_err(|error| error.to_string())?.pop() {
            Some(hermod_storage::Answer::Committed { .. }) => Ok(()),
            other => Err(format!("the first position was not kept: {other:?}")),
        }
    }
}

fn said(problems: &[hermod_api::platform::ProblemAt]) -> String {
    let problems = problems.iter().filter(|problem| !problem.warning);
    let lines: Vec<_> = problems
        .map(|problem| format!("{}: {}", problem.pointer, problem.message))
        .collect();
    lines.join("; ")
}
