//! Workers, the cluster, and what waits on disks.

use std::sync::Arc;

use hermod_storage::{
    Kind, Object,
    registry::{Entity, Worker},
};
use serde_json::Value;

use super::{
    Shared,
    call::{Call, Reply, etag},
    failure::stale,
    shape::{Backlogs, Loss, Whole, WorkerDraft, WorkerView},
    workflow::Around,
};
use crate::{clock::rfc3339_ms, problem::Problem};

/// How long a worker that is not heard of counts as alive, in milliseconds.
pub(crate) const WORKER_TTL_MS: u64 = 60_000;

fn view(shared: &Shared, around: &Around, object: &Object, worker: Worker) -> WorkerView {
    let now_ms = shared.registry.store().now_ms();
    let heard = worker
        .seen_ms
        .is_some_and(|seen| now_ms < seen + WORKER_TTL_MS);
    let held = worker
        .node
        .as_deref()
        .map_or(0, |node| around.held_by(node));
    WorkerView {
        name: if worker.name.is_empty() {
            worker.id.clone()
        } else {
            worker.name
        },
        id: worker.id,
        node: worker.node,
        alive: heard,
        seen_at: worker.seen_ms.map(|seen| rfc3339_ms(seen as i64)),
        draining: worker.draining,
        workflows: held,
        details: worker.more,
        etag: etag(object.version),
    }
}

pub(crate) async fn workers(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    let around = Around::read(&shared).await?;
    let workers = shared.registry.workers().await?.into_iter();
    let data = workers
        .map(|(object, worker)| view(&shared, &around, &object, worker))
        .collect();
    Ok(Reply::json(&Whole { data }))
}

async fn shown(shared: &Shared, id: &str) -> Result<(WorkerView, Entity), Problem> {
    let entity = shared.registry.get(Kind::Worker, id).await?;
    let around = Around::read(shared).await?;
    let workers = shared.registry.workers().await?;
    let found = workers.into_iter().find(|(_, worker)| worker.id == id);
    let Some((object, worker)) = found else {
        return Err(super::failure::missing("there is no such worker"));
    };
    Ok((view(shared, &around, &object, worker), entity))
}

pub(crate) async fn worker(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let (view, entity) = shown(&shared, call.id()).await?;
    Ok(Reply::json(&view).etag(entity.version))
}

pub(crate) async fn register(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let mut given: WorkerDraft = call.body()?;
    given.name.get_or_insert_with(|| given.id.clone());
    let id = given.id.clone();
    let members = match serde_json::to_value(&given) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let audit = call.audit("worker.register");
    shared
        .registry
        .report_worker(&id, &members, Some(&audit))
        .await?;
    let (view, entity) = shown(&shared, &id).await?;
    Ok(Reply::made(&view).etag(entity.version))
}

pub(crate) async fn drain(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    draining(shared, call, true).await
}

pub(crate) async fn resume(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    draining(shared, call, false).await
}

async fn draining(shared: Arc<Shared>, call: Call, draining: bool) -> Result<Reply, Problem> {
    let audit = call.audit(if draining {
        "worker.drain"
    } else {
        "worker.resume"
    });
    shared
        .registry
        .drain_worker(call.id(), draining, &audit)
        .await?;
    worker(shared, call).await
}

pub(crate) async fn remove_worker(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let audit = call.audit("worker.delete");
    let gone = shared
        .registry
        .delete_worker(call.id(), call.expect(), &audit)
        .await;
    gone.map_err(stale)?;
    Ok(Reply::done())
}

pub(crate) async fn cluster(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&shared.platform.cluster().await?))
}

pub(crate) async fn remove_node(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let node = call.name("name");
    // The journal says it first: nothing is done that it does not know.
    let entry = call.audit("cluster.remove").draft_of("node", node);
    shared.registry.record(entry).await?;
    shared.platform.cluster_remove(node).await?;
    Ok(Reply::done())
}

pub(crate) async fn lead(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let node = call.name("name");
    let entry = call.audit("cluster.transfer_leader").draft_of("node", node);
    shared.registry.record(entry).await?;
    shared.platform.transfer_leader(node).await?;
    Ok(Reply::done())
}

pub(crate) async fn backlogs(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    let data = shared.platform.backlogs().await?;
    Ok(Reply::json(&Backlogs { data }))
}

pub(crate) async fn declare_lost(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: Loss = call.body()?;
    let audit = call
        .audit("backlog.declare_lost")
        .with("workflow", given.workflow.as_str())
        .with("reason", given.reason.as_str());
    let entry = audit.draft_of("stream", &given.stream);
    shared
        .platform
        .declare_lost(&given.workflow, &given.stream, entry)
        .await?;
    Ok(Reply::done())
}
