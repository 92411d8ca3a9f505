//! Workflows: documents, versions, whether they run, and how they are.

use std::{collections::HashMap, sync::Arc};

use hermod_storage::{
    Expect, Kind, Lease, Read,
    registry::{Draft, Entity, Version, Worker},
};
use serde_json::{Map, Value};

use super::{
    Shared,
    call::{Call, Reply},
    connection::{add_times, errors, found, new_id, same_id},
    failure::{conflict, invalid, missing, stale},
    fleet::WORKER_TTL_MS,
    shape::{Findings, VersionView, Whole},
};
use crate::{
    clock::rfc3339_ms,
    platform::{ProblemAt, WorkflowStatus},
    problem::Problem,
    secret::{mask_sealed, step},
};

/// Members that the API adds and takes back.
const ADDED: [&str; 9] = [
    "etag",
    "created_at",
    "changed_at",
    "owner_id",
    "owner",
    "lease_until",
    "epoch",
    "status",
    "version",
];

/// What is shown beside the documents of workflows.
pub(crate) struct Around {
    leases: HashMap<String, Lease>,
    names: HashMap<String, String>,
    statuses: HashMap<String, WorkflowStatus>,
    now_ms: u64,
}

impl Around {
    /// Reads it, for all workflows at once.
    pub(crate) async fn read(shared: &Shared) -> Result<Self, Problem> {
        let store = shared.registry.store();
        let leases = store.leases(Read::Local).await?.into_iter();
        let ours = leases.filter_map(|lease| {
            let id = lease.name.strip_prefix("workflow/")?.to_owned();
            Some((id, lease))
        });
        let workers = shared.registry.workers().await?.into_iter();
        let named = workers.filter_map(|(_, worker)| {
            let name = if worker.name.is_empty() {
                worker.id
            } else {
                worker.name
            };
            Some((worker.node?, name))
        });
        let statuses = shared.platform.statuses().await.into_iter();
        Ok(Self {
            leases: ours.collect(),
            names: named.collect(),
            statuses: statuses
                .map(|status| (status.workflow.clone(), status))
                .collect(),
            now_ms: store.now_ms(),
        })
    }

    /// Returns a workflow as it is shown.
    pub(crate) fn view(&self, entity: &Entity) -> Map<String, Value> {
        let mut document = entity.document.clone();
        document.values_mut().for_each(mask_sealed);
        document.insert("id".to_owned(), (*entity.id).into());
        for name in ["owner_id", "owner", "lease_until", "epoch", "status"] {
            document.remove(name);
        }
        if let Some(lease) = self.leases.get(&*entity.id) {
            document.insert("epoch".to_owned(), lease.epoch.into());
            if let Some(owner) = lease.live_owner(self.now_ms) {
                let until = rfc3339_ms(lease.until_ms as i64);
                document.insert("owner_id".to_owned(), owner.to_string().into());
                document.insert("lease_until".to_owned(), until.into());
                if let Some(name) = self.names.get(&format!("{:016x}", owner.node)) {
                    document.insert("owner".to_owned(), name.as_str().into());
                }
            }
        }
        if let Some(Ok(status)) = self.statuses.get(&*entity.id).map(serde_json::to_value) {
            document.insert("status".to_owned(), status);
        }
        add_times(&mut document, entity);
        document
    }

    /// Returns how many leases a node holds.
    pub(crate) fn held_by(&self, node: &str) -> usize {
        let held = self.leases.values().filter(|lease| {
            let owner = lease.live_owner(self.now_ms);
            owner.is_some_and(|owner| format!("{:016x}", owner.node) == node)
        });
        held.count()
    }
}

pub(crate) async fn list(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let page = found(&shared, Kind::Workflow, &call).await?;
    let around = Around::read(&shared).await?;
    Ok(Reply::json(&page.map(|entity| around.view(&entity))))
}

async fn shown(shared: &Shared, id: &str) -> Result<(Map<String, Value>, Entity), Problem> {
    let entity = shared.registry.get(Kind::Workflow, id).await?;
    let around = Around::read(shared).await?;
    Ok((around.view(&entity), entity))
}

pub(crate) async fn read(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let (view, entity) = shown(&shared, call.id()).await?;
    Ok(Reply::json(&view).etag(entity.version))
}

/// Leaves out what the API adds by itself.
pub(crate) fn stripped(mut document: Map<String, Value>) -> Map<String, Value> {
    for name in ADDED {
        document.remove(name);
    }
    document
}

/// Finds everything that is wrong with a workflow's document; pointers into the document.
async fn findings(
    shared: &Shared,
    document: &Map<String, Value>,
) -> Result<Vec<ProblemAt>, Problem> {
    let bundle = shared.registry.bundle_of(document).await?;
    let mut problems = dangling(document, &bundle);
    // Where a part is missing, what the check says of it is that it is missing.
    let missing = !problems.is_empty();
    for problem in shared.platform.validate(&bundle) {
        match problem.pointer.strip_prefix("/workflow") {
            Some(pointer) if missing && pointer.ends_with("/ref_id") => {}
            Some(pointer) => problems.push(ProblemAt {
                pointer: pointer.to_owned(),
                ..problem
            }),
            None => problems.push(ProblemAt {
                pointer: String::new(),
                message: format!("{}: {}", whose(&bundle, &problem.pointer), problem.message),
                ..problem
            }),
        }
    }
    Ok(problems)
}

/// Says of which source or sink of a bundle a pointer is.
fn whose(bundle: &Value, pointer: &str) -> String {
    let mut parts = pointer.split('/').skip(1);
    let (side, at) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let id = bundle
        .pointer(&format!("/{side}/{at}/id"))
        .and_then(Value::as_str);
    match id {
        Some(id) => format!("{} `{id}`", side.trim_end_matches('s')),
        None => format!("`{pointer}`"),
    }
}

/// Finds references to sources and sinks that do not exist.
fn dangling(document: &Map<String, Value>, bundle: &Value) -> Vec<ProblemAt> {
    let there = |side: &str, id: &str| {
        let all = bundle.get(side).and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .any(|one| one.get("id").and_then(Value::as_str) == Some(id))
    };
    let problem = |pointer: String, side: &str, id: &str| ProblemAt {
        pointer,
        message: format!("there is no {} `{id}`", side.trim_end_matches('s')),
        warning: false,
    };
    let mut problems = Vec::new();
    let nodes = document.get("nodes").and_then(Value::as_array);
    for (at, node) in nodes.into_iter().flatten().enumerate() {
        let side = match node.get("type").and_then(Value::as_str) {
            Some("source") => "sources",
            Some("sink") => "sinks",
            _ => continue,
        };
        if let Some(id) = node.get("ref_id").and_then(Value::as_str)
            && !there(side, id)
        {
            problems.push(problem(format!("/nodes/{at}/ref_id"), side, id));
        }
    }
    let name = "dead_letter_sink_id";
    let dead = document.get(name).and_then(Value::as_str);
    if let Some(id) = dead.filter(|id| !id.is_empty() && !there("sinks", id)) {
        problems.push(problem(step("", name), "sinks", id));
    }
    problems
}

/// Refuses a document that cannot run.
async fn valid(shared: &Shared, document: &Map<String, Value>) -> Result<(), Problem> {
    let problems = errors(findings(shared, document).await?);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(invalid(problems))
    }
}

fn draft(call: &Call, document: Map<String, Value>, expect: Expect, action: &'static str) -> Draft {
    Draft {
        document,
        expect,
        message: call.text("message").unwrap_or_default().to_owned(),
        audit: call.audit(action),
    }
}

pub(crate) async fn create(shared: Arc<Shared>, mut call: Call) -> Result<Reply, Problem> {
    let mut document = stripped(call.members());
    let id = new_id(&document)?;
    document.insert("id".to_owned(), id.as_str().into());
    valid(&shared, &document).await?;
    if document.get("active") == Some(&Value::Bool(true)) {
        somebody_runs_it(&shared).await?;
    }
    let draft = draft(&call, document, Expect::Absent, "workflow.create");
    shared.registry.save_workflow(&id, draft).await?;
    let (view, entity) = shown(&shared, &id).await?;
    Ok(Reply::made(&view).etag(entity.version))
}

pub(crate) async fn update(shared: Arc<Shared>, mut call: Call) -> Result<Reply, Problem> {
    let id = call.id().to_owned();
    shared.registry.get(Kind::Workflow, &id).await?;
    let mut document = stripped(call.members());
    same_id(&document, &id)?;
    document.insert("id".to_owned(), id.as_str().into());
    valid(&shared, &document).await?;
    let draft = draft(&call, document, call.expect(), "workflow.update");
    shared
        .registry
        .save_workflow(&id, draft)
        .await
        .map_err(stale)?;
    let (view, entity) = shown(&shared, &id).await?;
    Ok(Reply::json(&view).etag(entity.version))
}

pub(crate) async fn delete(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let id = call.id();
    let entity = shared.registry.get(Kind::Workflow, id).await?;
    if !entity.is("active") {
        let store = shared.registry.store();
        let lease = store.lease(&format!("workflow/{id}"), Read::Local).await?;
        if lease.is_some_and(|lease| lease.live_owner(store.now_ms()).is_some()) {
            return Err(conflict(format!("workflow `{id}` is still stopping")));
        }
        if !call.flag("discard") {
            nothing_waits(&shared, id).await?;
        }
    }
    let audit = call
        .audit("workflow.delete")
        .with("discard", call.flag("discard"));
    let gone = shared
        .registry
        .delete_workflow(id, call.expect(), &audit)
        .await;
    gone.map_err(stale)?;
    Ok(Reply::done())
}

/// Refuses to remove what still holds messages, and says how many.
async fn nothing_waits(shared: &Shared, id: &str) -> Result<(), Problem> {
    let Some(status) = shared.platform.status(id).await? else {
        return Ok(());
    };
    let (buffered, dead) = (
        status.buffered.unwrap_or(0),
        status.dead_letters.unwrap_or(0),
    );
    if buffered == 0 && dead == 0 {
        return Ok(());
    }
    Err(conflict(format!(
        "workflow `{id}` holds {buffered} messages and {dead} dead letters; `discard=true` gives them up"
    )))
}

/// Refuses a start that nobody would hear.
async fn somebody_runs_it(shared: &Shared) -> Result<(), Problem> {
    if shared.platform.node().runs_workflows {
        return Ok(());
    }
    let now_ms = shared.registry.store().now_ms();
    let workers = shared.registry.workers().await?;
    let lives = |worker: &Worker| worker.takes_workflows(now_ms, WORKER_TTL_MS);
    if workers.iter().any(|(_, worker)| lives(worker)) {
        return Ok(());
    }
    Err(conflict(
        "no worker is alive; start one with `--mode=worker`, or this node with `--mode=standalone`",
    ))
}

pub(crate) async fn start(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let id = call.id();
    let entity = shared.registry.get(Kind::Workflow, id).await?;
    valid(&shared, &entity.document).await?;
    somebody_runs_it(&shared).await?;
    let audit = call.audit("workflow.start");
    shared.registry.set_active(id, true, &audit).await?;
    let (view, entity) = shown(&shared, id).await?;
    Ok(Reply::json(&view).etag(entity.version))
}

pub(crate) async fn stop(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let id = call.id();
    let audit = call.audit("workflow.stop");
    shared.registry.set_active(id, false, &audit).await?;
    let (view, entity) = shown(&shared, id).await?;
    Ok(Reply::json(&view).etag(entity.version))
}

fn answer_findings(problems: Vec<ProblemAt>) -> Reply {
    Reply::json(&Findings {
        valid: problems.iter().all(|problem| problem.warning),
        problems,
    })
}

pub(crate) async fn validate_saved(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let entity = shared.registry.get(Kind::Workflow, call.id()).await?;
    Ok(answer_findings(findings(&shared, &entity.document).await?))
}

/// Checks a bundle. One that is a workflow alone is checked with the sources and sinks that are saved.
pub(crate) async fn validate(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let alone = call.body.get("sources").is_none() && call.body.get("sinks").is_none();
    let Some(Value::Object(workflow)) = call.body.get("workflow").filter(|_| alone) else {
        return Ok(answer_findings(shared.platform.validate(&call.body)));
    };
    let mut problems = findings(&shared, &stripped(workflow.clone())).await?;
    for problem in &mut problems {
        problem.pointer.insert_str(0, "/workflow");
    }
    Ok(answer_findings(problems))
}

pub(crate) async fn status(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    shared.registry.get(Kind::Workflow, call.id()).await?;
    match shared.platform.status(call.id()).await? {
        Some(status) => Ok(Reply::json(&status)),
        None => Err(missing("the workflow has not run yet")),
    }
}

fn version_view(version: Version, whole: bool) -> VersionView {
    let mut document = version.document;
    document.values_mut().for_each(mask_sealed);
    VersionView {
        version: version.version,
        author: version.author,
        message: version.message,
        saved_at: rfc3339_ms(version.time_ms as i64),
        document: whole.then_some(document),
    }
}

pub(crate) async fn versions(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    shared.registry.get(Kind::Workflow, call.id()).await?;
    let versions = shared.registry.versions(call.id()).await?.into_iter();
    let data = versions
        .map(|version| version_view(version, false))
        .collect();
    Ok(Reply::json(&Whole { data }))
}

pub(crate) async fn version(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let number = call.number_named("version")?;
    let version = shared.registry.version(call.id(), number).await?;
    Ok(Reply::json(&version_view(version, true)))
}

pub(crate) async fn rollback(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let (id, number) = (call.id(), call.number_named("version")?);
    let version = shared.registry.version(id, number).await?;
    valid(&shared, &version.document).await?;
    let draft = Draft {
        document: version.document,
        expect: call.expect(),
        message: format!("back to version {number}"),
        audit: call.audit("workflow.rollback").with("to", number),
    };
    shared
        .registry
        .save_workflow(id, draft)
        .await
        .map_err(stale)?;
    let (view, entity) = shown(&shared, id).await?;
    Ok(Reply::json(&view).etag(entity.version))
}
