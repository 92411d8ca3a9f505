//! Workflow documents of a directory, brought into the store at the start.
//!
//! A document that has changed becomes the next version of its workflow; one that has not is left as the store has it. A
//! workflow that came from the directory and is not in it any more is stopped, and kept.

use std::collections::BTreeSet;

use hermod_api::{Code, platform::Direction, secret_pointers};
use hermod_storage::{
    Expect, Key, Kind, Read,
    registry::{Audit, Draft, Entity, Part, References, Registry},
};
use serde_json::{Map, Value, json};

use super::{catalog, core::Core};
use crate::failure::Failure;

/// The setting that remembers which workflows came from the directory.
const SETTING: &str = ".provisioned";

/// How often a write is tried that somebody else comes before.
const ATTEMPTS_MAX: usize = 5;

/// A document of the directory.
pub(super) struct Document {
    /// Its file, for the list of versions.
    pub(super) file: String,
    /// The bundle.
    pub(super) bundle: Value,
}

/// Brings documents into the store, and returns the ids of their workflows.
pub(super) async fn provision(core: &Core, documents: &[Document]) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for document in documents {
        let id = import(core, document).await.map_err(|error| {
            Failure::new(
                Code::Store,
                format!(
                    "`{}` cannot be brought into the store: {error}",
                    document.file
                ),
            )
        })?;
        ids.push(id);
    }
    remember(core.registry(), &ids)
        .await
        .map_err(|error| Failure::new(Code::Store, error))?;
    Ok(ids)
}

async fn import(core: &Core, document: &Document) -> Result<String, String> {
    let said = |error: hermod_storage::registry::Error| error.to_string();
    let id = document.bundle.pointer("/workflow/id");
    let id = id.and_then(Value::as_str).unwrap_or_default().to_owned();
    for attempt in 1.. {
        let (workflow, parts) = bundle(core, document, &id).await?;
        let registry = core.registry();
        let present = registry.latest(Kind::Workflow, &id).await.map_err(said)?;
        let same = present
            .as_ref()
            .is_some_and(|present| is_same(&present.document, &workflow));
        if same && parts.is_empty() {
            return Ok(id);
        }
        let expect = present
            .as_ref()
            .map_or(Expect::Absent, |present| Expect::Version(present.version));
        let draft = Draft {
            document: workflow.clone(),
            expect,
            message: format!("from {}", document.file),
            audit: Audit::of_node("workflow.provision"),
        };
        match registry.save_bundle(&id, draft, parts).await {
            Ok(_) => {
                activate(registry, &id, &workflow).await?;
                tracing::info!(
                    workflow = id,
                    file = document.file,
                    "workflow is in the store"
                );
                return Ok(id);
            }
            // Another node does the same at the same time.
            Err(hermod_storage::registry::Error::Conflict { .. }) if attempt < ATTEMPTS_MAX => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(id)
}

/// Returns a document's workflow as the store is to have it, and the sources and sinks that are to be written with it.
async fn bundle(
    core: &Core,
    document: &Document,
    id: &str,
) -> Result<(Map<String, Value>, Vec<Part>), String> {
    let mut workflow = object(document.bundle.get("workflow"));
    let mut parts = Vec::new();
    for (side, kind, direction) in [
        ("sources", Kind::Source, Direction::Source),
        ("sinks", Kind::Sink, Direction::Sink),
    ] {
        let listed = document.bundle.get(side).and_then(Value::as_array);
        for one in listed.into_iter().flatten() {
            let mut one = object(Some(one));
            if let Some(name) = own_name(core, (kind, id), &one).await? {
                rename(&mut workflow, kind, &one, &name);
                one.insert("id".to_owned(), name.into());
            }
            parts.extend(part(core, (kind, direction), one).await?);
        }
    }
    Ok((workflow, parts))
}

/// Ids of sources and sinks hold within a document, and in the store for all. Where another workflow has another source or
/// sink under an id, this one's gets the workflow's name in front; returns that.
async fn own_name(
    core: &Core,
    (kind, workflow): (Kind, &str),
    document: &Map<String, Value>,
) -> Result<Option<String>, String> {
    let said = |error: hermod_storage::registry::Error| error.to_string();
    let id = document
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (key, own) = (Key::new(kind, id), format!("{workflow}.{id}"));
    let registry = core.registry();
    let before = registry
        .latest(Kind::Workflow, workflow)
        .await
        .map_err(said)?;
    let named = before
        .map(|before| References::of(&before.document))
        .unwrap_or_default();
    if named.names(&Key::new(kind, own.as_str())) {
        // Once given it stays: cursors go by it.
        return Ok(Some(own));
    }
    let Some(present) = registry.latest(kind, id).await.map_err(said)? else {
        return Ok(None);
    };
    let open = core.unsealed(&key, Value::Object(present.document))?;
    let others = registry.users_of(&key).await.map_err(said)?;
    let taken = others.iter().any(|other| other != workflow);
    Ok((taken && !named.names(&key) && open != Value::Object(document.clone())).then_some(own))
}

/// Lets a workflow name a source or sink by another id.
fn rename(workflow: &mut Map<String, Value>, kind: Kind, document: &Map<String, Value>, to: &str) {
    let from = document.get("id").cloned().unwrap_or_default();
    let nodes = workflow.get_mut("nodes").and_then(Value::as_array_mut);
    for node in nodes.into_iter().flatten().filter_map(Value::as_object_mut) {
        let is_meant = node.get("type").and_then(Value::as_str) == Some(kind.as_str());
        if is_meant && node.get("ref_id") == Some(&from) {
            node.insert("ref_id".to_owned(), to.into());
        }
    }
    if kind == Kind::Sink && workflow.get("dead_letter_sink_id") == Some(&from) {
        workflow.insert("dead_letter_sink_id".to_owned(), to.into());
    }
}

/// A document that has changed says anew whether its workflow is to run.
async fn activate(
    registry: &Registry,
    id: &str,
    workflow: &Map<String, Value>,
) -> Result<(), String> {
    let active = workflow.get("active") != Some(&Value::Bool(false));
    let audit = Audit::of_node("workflow.provision");
    let done = registry.set_active(id, active, &audit).await;
    done.map(drop).map_err(|error| error.to_string())
}

/// Returns a source or sink to be written, its secrets sealed; `None` where the store has it so.
async fn part(
    core: &Core,
    (kind, direction): (Kind, Direction),
    document: Map<String, Value>,
) -> Result<Option<Part>, String> {
    let id = document
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let found = core.registry().latest(kind, &id).await;
    let present = found.map_err(|error| error.to_string())?;
    if let Some(present) = &present {
        let key = Key::new(kind, id.as_str());
        let open = core.unsealed(&key, Value::Object(present.document.clone()))?;
        if open == Value::Object(document.clone()) {
            return Ok(None);
        }
    }
    let expect = present.map_or(Expect::Absent, |present| Expect::Version(present.version));
    let key = Key::new(kind, id);
    Ok(Some(Part {
        document: sealed(core, direction, &key, document)?,
        key,
        expect,
        audit: Audit::of_node("connection.provision"),
    }))
}

/// Seals the secrets of a source's or sink's configuration (I10); references to secrets elsewhere stay as they are.
fn sealed(
    core: &Core,
    direction: Direction,
    owner: &Key,
    mut document: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let key = core
        .key
        .get()
        .ok_or("this node has not got the store's key yet")?;
    let kind = document
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let connector = catalog::connectors()
        .iter()
        .find(|connector| connector.direction == direction && connector.kind == kind);
    let (Some(connector), Some(config)) = (connector, document.get("config")) else {
        return Ok(document);
    };
    let pointers: Vec<_> = secret_pointers(&connector.schema, config)
        .into_iter()
        .filter(|pointer| {
            let text = config.pointer(pointer).and_then(Value::as_str);
            text.is_some_and(|text| !text.is_empty() && !text.starts_with("${"))
        })
        .collect();
    let mut config = config.clone();
    key.seal_at(&mut config, pointers, &owner.to_string())
        .map_err(|error| format!("a secret {error}"))?;
    document.insert("config".to_owned(), config);
    Ok(document)
}

/// Whether a workflow says what a file says, but for what the store adds and whether it runs.
fn is_same(present: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    let bare = |document: &Map<String, Value>| {
        let mut document = document.clone();
        for name in ["active", "version"] {
            document.remove(name);
        }
        document
    };
    bare(present) == bare(wanted)
}

/// Stops what came from the directory and is not in it any more, and remembers what is.
async fn remember(registry: &Registry, ids: &[String]) -> Result<(), String> {
    let said = |error: hermod_storage::registry::Error| error.to_string();
    let key = Key::new(Kind::Setting, SETTING);
    let object = registry
        .store()
        .get(&key, Read::Latest)
        .await
        .map_err(|error| error.to_string())?;
    let before: BTreeSet<String> = object
        .as_ref()
        .and_then(|object| Entity::read(object).ok())
        .and_then(|entity| serde_json::from_value(entity.document.get("ids")?.clone()).ok())
        .unwrap_or_default();
    let now: BTreeSet<String> = ids.iter().cloned().collect();
    for gone in before.difference(&now) {
        let audit = Audit::of_node("workflow.stop")
            .with("reason", "its document is not in the directory any more");
        match registry.set_active(gone, false, &audit).await {
            Ok(_) => tracing::warn!(
                workflow = gone,
                "its document is gone from the directory; it is stopped and kept"
            ),
            Err(hermod_storage::registry::Error::Missing(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if before == now {
        return Ok(());
    }
    let document = json!({"ids": now}).to_string();
    let transaction = hermod_storage::Transaction::new().put(key, Expect::Any, document);
    registry.commit(transaction).await.map(drop).map_err(said)
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}
