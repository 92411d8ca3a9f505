//! What is to run on this worker, as the store says.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hermod_api::platform::WorkflowState;
use hermod_storage::{
    Key, Kind, Lease, Object, Owner, Read, Revision,
    registry::{self, Entity, References},
};
use serde_json::{Map, Value};

use super::{
    Division, NONE, assignment,
    report::{Note, Told},
};
use crate::platform::{
    core::{Core, lease_of},
    push::Paths,
};

/// A workflow that is to run here.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Which form of the workflow it is.
    pub(super) told: Told,
    /// Of its sources and sinks.
    parts: BTreeMap<Key, Revision>,
    /// What it says, without what does not matter to the engine.
    document: Arc<Map<String, Value>>,
    lease: Option<Lease>,
    /// Why it cannot run.
    pub(super) problem: Option<String>,
}

impl Wanted {
    /// Whether the engine would do the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
            && (self.told == other.told || self.document == other.document)
            && self.problem == other.problem
    }

    /// Whether another node's lease has not run out.
    pub(super) fn is_held_elsewhere(&self, me: &Owner, now_ms: u64) -> bool {
        let owner = self
            .lease
            .as_ref()
            .and_then(|lease| lease.live_owner(now_ms));
        owner.is_some_and(|owner| owner.node != me.node)
    }

    pub(super) fn document(&self) -> &Map<String, Value> {
        &self.document
    }
}

/// A workflow's object, read once per revision.
struct Known {
    told: Told,
    document: Arc<Map<String, Value>>,
    references: References,
    active: bool,
}

/// Looks at the store.
pub(super) struct Wants {
    core: Arc<Core>,
    paths: Arc<Paths>,
    division: Division,
    known: HashMap<String, Known>,
    connections: HashMap<Key, (Revision, Arc<Map<String, Value>>)>,
    /// By workflow: the revision of its status, and that of the workflow where it has come to its end.
    statuses: HashMap<String, (Revision, Option<Revision>)>,
    /// The same, as this node knows it before the store says it.
    completed: HashMap<String, Revision>,
}

impl Wants {
    pub(super) fn new(core: Arc<Core>, paths: Arc<Paths>, division: Division) -> Self {
        Self {
            core,
            paths,
            division,
            known: HashMap::new(),
            connections: HashMap::new(),
            statuses: HashMap::new(),
            completed: HashMap::new(),
        }
    }

    /// Whether a workflow is in the store.
    pub(super) fn exists(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// Remembers how a workflow ended, until the store says it.
    pub(super) fn ended(&mut self, id: &str, note: &Note) {
        if note.state == WorkflowState::Completed {
            self.completed.insert(id.to_owned(), note.told.revision);
        }
    }

    fn is_completed(&self, id: &str, revision: Revision) -> bool {
        let said = self.statuses.get(id).and_then(|(_, completed)| *completed);
        said == Some(revision) || self.completed.get(id) == Some(&revision)
    }

    /// Returns what is to run here.
    pub(super) async fn look(&mut self) -> Result<HashMap<String, Wanted>, registry::Error> {
        self.read_workflows().await?;
        self.read_connections().await?;
        self.read_completed().await?;
        let now_ms = self.core.store().now_ms();
        let workers = self.core.registry().workers().await?;
        let draining = workers
            .iter()
            .any(|(_, worker)| worker.id == self.core.guid && worker.draining);
        if draining {
            return Ok(HashMap::new());
        }
        let mut live: Vec<String> = workers
            .into_iter()
            .filter(|(_, worker)| super::report::is_live(worker, now_ms, self.core.ttl))
            .map(|(_, worker)| worker.id)
            .collect();
        if !live.contains(&self.core.guid) {
            live.push(self.core.guid.clone());
        }
        let leases = self.core.store().leases(Read::Local).await?;
        let leases: HashMap<_, _> = leases
            .into_iter()
            .map(|lease| (lease.name.to_string(), lease))
            .collect();
        let mut wanted = HashMap::new();
        for (id, known) in &self.known {
            if !known.active || self.is_completed(id, known.told.revision) {
                continue;
            }
            if let Some(mut one) = self.wanted(id, known, &live) {
                one.lease = leases.get(&lease_of(id)).cloned();
                wanted.insert(id.clone(), one);
            }
        }
        Ok(wanted)
    }

    fn wanted(&self, id: &str, known: &Known, live: &[String]) -> Option<Wanted> {
        let mut parts = BTreeMap::new();
        let mut documents = vec![&*known.document];
        for key in known.references.keys() {
            let part = self.connections.get(&key);
            parts.insert(key, part.map_or(NONE, |(revision, _)| *revision));
            documents.extend(part.map(|(_, document)| &**document));
        }
        let pin = assignment::pin(documents);
        let problem = match &pin {
            Err(disagreement) => Some(disagreement.to_string()),
            Ok(_) => self.paths.conflict(id),
        };
        let mine = match pin.unwrap_or_default() {
            Some(worker) => worker == self.core.guid,
            None => match self.division {
                Division::Static { id: number, total } => assignment::is_static(id, number, total),
                Division::Live => assignment::rendezvous(id, live) == Some(self.core.guid.as_str()),
            },
        };
        mine.then(|| Wanted {
            told: known.told,
            parts,
            document: known.document.clone(),
            lease: None,
            problem,
        })
    }

    async fn read_workflows(&mut self) -> Result<(), registry::Error> {
        let objects = self.core.registry().all(Kind::Workflow).await?;
        let ids: std::collections::HashSet<&str> =
            objects.iter().map(|object| &*object.key.id).collect();
        self.known.retain(|id, _| ids.contains(id.as_str()));
        self.completed.retain(|id, _| ids.contains(id.as_str()));
        self.statuses.retain(|id, _| ids.contains(id.as_str()));
        for object in &objects {
            let known = self.known.get(&*object.key.id);
            if known.is_some_and(|known| known.told.revision == object.version) {
                continue;
            }
            // One that is damaged keeps no other from running; it is no object, so it is not active.
            let mut document = read(object);
            let active = document.get("active") == Some(&Value::Bool(true));
            document.remove("active");
            let version = document
                .remove("version")
                .and_then(|version| version.as_u64());
            let known = Known {
                told: Told {
                    revision: object.version,
                    version: version.unwrap_or_default(),
                },
                references: References::of(&document),
                document: Arc::new(document),
                active,
            };
            self.known.insert(object.key.id.to_string(), known);
        }
        Ok(())
    }

    async fn read_connections(&mut self) -> Result<(), registry::Error> {
        let mut seen = std::collections::HashSet::new();
        for kind in [Kind::Source, Kind::Sink] {
            for object in self.core.registry().all(kind).await? {
                let known = self.connections.get(&object.key);
                if known.is_none_or(|(revision, _)| *revision != object.version) {
                    self.connections.insert(
                        object.key.clone(),
                        (object.version, Arc::new(read(&object))),
                    );
                }
                seen.insert(object.key);
            }
        }
        self.connections.retain(|key, _| seen.contains(key));
        Ok(())
    }

    /// Reads which workflows have come to their end, on whichever node.
    async fn read_completed(&mut self) -> Result<(), registry::Error> {
        for object in self.core.registry().all(Kind::Status).await? {
            let known = self.statuses.get(&*object.key.id);
            if known.is_none_or(|(revision, _)| *revision != object.version) {
                let completed = completed_at(&read(&object));
                self.statuses
                    .insert(object.key.id.to_string(), (object.version, completed));
            }
        }
        Ok(())
    }
}

/// Returns an object's document; that of a damaged one is empty, and said to be damaged.
fn read(object: &Object) -> Map<String, Value> {
    Entity::read(object).map_or_else(
        |error| {
            tracing::error!(key = %object.key, %error, "an object of the store is damaged and is left out");
            Map::new()
        },
        |entity| entity.document,
    )
}

fn completed_at(status: &Map<String, Value>) -> Option<Revision> {
    (status.get("state")?.as_str()? == "completed").then_some(())?;
    status.get("revision")?.as_u64().map(Revision)
}

/// Says what is wrong with the workers that a bundle names, with the pointer of the workflow.
pub(in crate::platform) fn pin_problem(bundle: &Value) -> Option<String> {
    let workflow = bundle.get("workflow").and_then(Value::as_object);
    let sides = ["sources", "sinks"]
        .into_iter()
        .filter_map(|side| bundle.get(side)?.as_array())
        .flatten()
        .filter_map(Value::as_object);
    let pinned = assignment::pin(workflow.into_iter().chain(sides));
    pinned.err().map(|disagreement| disagreement.to_string())
}
