//! Sources and sinks.

use std::sync::Arc;

use hermod_storage::{
    Expect, Key, Kind,
    registry::{Audit, Entity},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Shared,
    call::{Call, Reply, etag},
    failure::{invalid, invalid_at, stale},
    page::page_of,
    shape::{Page, Users},
};
use crate::{
    clock::rfc3339_ms,
    platform::{Direction, ProblemAt},
    problem::Problem,
    secret,
};

/// Members that the API adds and takes back.
const ADDED: [&str; 3] = ["etag", "created_at", "changed_at"];

/// Ids that would hide behind a path of the API.
pub(crate) const RESERVED: [&str; 3] = ["test", "import", "validate"];

/// Returns the kind of object that a direction's documents are.
pub(crate) fn kind_of(direction: Direction) -> Kind {
    match direction {
        Direction::Source => Kind::Source,
        Direction::Sink => Kind::Sink,
    }
}

/// Returns a source or sink as it may be shown.
pub(crate) fn view(shared: &Shared, direction: Direction, entity: &Entity) -> Map<String, Value> {
    // I10: one place, through which every answer with a source or sink goes.
    let mut document = secret::masked(&*shared.platform, direction, &entity.document);
    document.insert("id".to_owned(), (*entity.id).into());
    add_times(&mut document, entity);
    document
}

/// Adds version and times.
pub(crate) fn add_times(document: &mut Map<String, Value>, entity: &Entity) {
    let times = [
        ("etag", etag(entity.version)),
        ("created_at", rfc3339_ms(entity.created_ms as i64)),
        ("changed_at", rfc3339_ms(entity.changed_ms as i64)),
    ];
    for (name, text) in times {
        document.insert(name.to_owned(), text.into());
    }
}

/// Takes a source or sink over from a request: checked, secrets sealed, what is absent of them as before.
pub(crate) fn taken(
    shared: &Shared,
    direction: Direction,
    id: &str,
    mut document: Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, Problem> {
    for name in ADDED {
        document.remove(name);
    }
    document.insert("id".to_owned(), id.into());
    let owner = Key::new(kind_of(direction), id);
    secret::take(&*shared.platform, direction, &owner, &mut document, before)?;
    // What is removed by `null` is not there.
    if let Some(Value::Object(config)) = document.get_mut("config") {
        config.retain(|_, value| !value.is_null());
    }
    let whole = Value::Object(document.clone());
    let problems = errors(shared.platform.validate_connection(direction, &whole));
    if !problems.is_empty() {
        return Err(invalid(problems));
    }
    Ok(document)
}

/// Leaves warnings out.
pub(crate) fn errors(mut problems: Vec<ProblemAt>) -> Vec<ProblemAt> {
    problems.retain(|problem| !problem.warning);
    problems
}

/// Returns the id of what is to be made.
pub(crate) fn new_id(document: &Map<String, Value>) -> Result<String, Problem> {
    match document.get("id").and_then(Value::as_str) {
        Some(id) if RESERVED.contains(&id) => {
            Err(invalid_at("/id", "this id is a word of the API"))
        }
        Some(id) => Ok(id.to_owned()),
        None => Ok(uuid::Uuid::now_v7().to_string()),
    }
}

/// Lists objects whose id or name holds a text.
pub(crate) async fn found(
    shared: &Shared,
    kind: Kind,
    call: &Call,
) -> Result<Page<Entity>, Problem> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        name: String,
    }
    let mut objects = shared.registry.all(kind).await?;
    if let Some(search) = call.text("search").map(str::to_lowercase) {
        objects.retain(|object| {
            let name = || serde_json::from_slice::<Named>(&object.document).map(|named| named.name);
            object.key.id.to_lowercase().contains(&search)
                || name().is_ok_and(|name| name.to_lowercase().contains(&search))
        });
    }
    let page = page_of(call, objects);
    let data = page
        .data
        .iter()
        .map(Entity::read)
        .collect::<Result<_, _>>()?;
    Ok(Page {
        data,
        total: page.total,
    })
}

pub(crate) async fn list(
    shared: Arc<Shared>,
    call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let page = found(&shared, kind_of(side), &call).await?;
    Ok(Reply::json(
        &page.map(|entity| view(&shared, side, &entity)),
    ))
}

pub(crate) async fn read(
    shared: Arc<Shared>,
    call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let entity = shared.registry.get(kind_of(side), call.id()).await?;
    Ok(Reply::json(&view(&shared, side, &entity)).etag(entity.version))
}

/// Adds what is written to the journal entry, secrets hidden (I10).
fn described(
    shared: &Shared,
    side: Direction,
    audit: Audit,
    document: &Map<String, Value>,
) -> Audit {
    audit.with("after", secret::masked(&*shared.platform, side, document))
}

pub(crate) async fn create(
    shared: Arc<Shared>,
    mut call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let document = call.members();
    let id = new_id(&document)?;
    let document = taken(&shared, side, &id, document, None)?;
    let audit = match side {
        Direction::Source => call.audit("source.create"),
        Direction::Sink => call.audit("sink.create"),
    };
    let audit = described(&shared, side, audit, &document);
    let kind = kind_of(side);
    shared
        .registry
        .save_connection(kind, &id, document, Expect::Absent, &audit)
        .await?;
    let entity = shared.registry.get(kind, &id).await?;
    Ok(Reply::made(&view(&shared, side, &entity)).etag(entity.version))
}

pub(crate) async fn update(
    shared: Arc<Shared>,
    mut call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let (kind, id) = (kind_of(side), call.id().to_owned());
    let before = shared.registry.get(kind, &id).await?;
    let document = call.members();
    same_id(&document, &id)?;
    let document = taken(&shared, side, &id, document, Some(&before.document))?;
    let audit = match side {
        Direction::Source => call.audit("source.update"),
        Direction::Sink => call.audit("sink.update"),
    };
    let shown = secret::masked(&*shared.platform, side, &before.document);
    let audit = described(&shared, side, audit.with("before", shown), &document);
    let saved = shared
        .registry
        .save_connection(kind, &id, document, call.expect(), &audit)
        .await;
    saved.map_err(stale)?;
    let entity = shared.registry.get(kind, &id).await?;
    Ok(Reply::json(&view(&shared, side, &entity)).etag(entity.version))
}

/// Refuses a document that names another id than its path.
pub(crate) fn same_id(document: &Map<String, Value>, id: &str) -> Result<(), Problem> {
    match document.get("id").and_then(Value::as_str) {
        Some(other) if other != id => Err(invalid_at("/id", "an id is never changed")),
        _ => Ok(()),
    }
}

pub(crate) async fn delete(
    shared: Arc<Shared>,
    call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let audit = match side {
        Direction::Source => call.audit("source.delete"),
        Direction::Sink => call.audit("sink.delete"),
    };
    let expect = call.expect();
    let gone = shared
        .registry
        .delete_connection(kind_of(side), call.id(), expect, &audit)
        .await;
    gone.map_err(stale)?;
    Ok(Reply::done())
}

pub(crate) async fn users(
    shared: Arc<Shared>,
    call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let kind = kind_of(side);
    shared.registry.get(kind, call.id()).await?;
    let key = Key::new(kind, call.id());
    let workflows = shared.registry.users_of(&key).await?;
    Ok(Reply::json(&Users { workflows }))
}

/// Tries a source or sink that is not saved; with the id of one that is, secrets that are absent are its own.
pub(crate) async fn test(
    shared: Arc<Shared>,
    mut call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let document = call.members();
    let id = document
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or("test")
        .to_owned();
    let owner = Key::new(kind_of(side), id.as_str());
    let before = shared.registry.find(owner.kind, &id).await?;
    let before = before.as_ref().map(|entity| &entity.document);
    let document = taken(&shared, side, &id, document, before)?;
    let open = secret::unsealed(&*shared.platform, &owner, &Value::Object(document))?;
    Ok(Reply::json(&shared.platform.test(side, open).await))
}

/// Tries a source or sink as it is saved.
pub(crate) async fn test_saved(
    shared: Arc<Shared>,
    call: Call,
    side: Direction,
) -> Result<Reply, Problem> {
    let entity = shared.registry.get(kind_of(side), call.id()).await?;
    let owner = Key::new(kind_of(side), call.id());
    let open = secret::unsealed(&*shared.platform, &owner, &Value::Object(entity.document))?;
    Ok(Reply::json(&shared.platform.test(side, open).await))
}
