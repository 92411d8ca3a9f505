//! Workflows, their versions, and the bundles that nodes run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Audit, Entity, Error, REFERENCES_MAX, Registry, VERSIONS_MAX, connection::mark, decode, encode,
};
use crate::{Expect, Key, Kind, Read, Revision, Transaction};

/// What a workflow is to become.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The document, as the original's `workflow` object.
    pub document: Map<String, Value>,
    /// What must be true of the workflow before.
    pub expect: Expect,
    /// Why, for the list of versions.
    pub message: String,
    /// Who does it.
    pub audit: Audit,
}

/// A source or sink that is written together with a workflow.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which.
    pub key: Key,
    /// What it says.
    pub document: Map<String, Value>,
    /// What must be true of it before.
    pub expect: Expect,
    /// Who does it.
    pub audit: Audit,
}

/// A workflow that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The object's version.
    pub revision: Revision,
    /// The workflow's version: 1, 2, 3, …
    pub version: u64,
}

/// A version of a workflow. It is never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub version: u64,
    /// Who saved it.
    pub author: String,
    /// Why.
    pub message: String,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What it says.
    pub document: Map<String, Value>,
}

/// The sources and sinks that a workflow names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Ids of sources.
    pub sources: BTreeSet<String>,
    /// Ids of sinks.
    pub sinks: BTreeSet<String>,
}

impl References {
    /// Finds them in a workflow's document: `ref_id` of nodes, and `dead_letter_sink_id`.
    pub fn of(document: &Map<String, Value>) -> Self {
        let mut references = Self::default();
        let nodes = document.get("nodes").and_then(Value::as_array);
        for node in nodes.into_iter().flatten() {
            let Some(id) = node.get("ref_id").and_then(Value::as_str) else {
                continue;
            };
            match node.get("type").and_then(Value::as_str) {
                Some("source") => references.sources.insert(id.to_owned()),
                Some("sink") => references.sinks.insert(id.to_owned()),
                _ => false,
            };
        }
        let dead_letters = document.get("dead_letter_sink_id").and_then(Value::as_str);
        if let Some(id) = dead_letters.filter(|id| !id.is_empty()) {
            references.sinks.insert(id.to_owned());
        }
        references
    }

    /// Returns whether a source or sink is among them.
    pub fn names(&self, key: &Key) -> bool {
        match key.kind {
            Kind::Source => self.sources.contains(&*key.id),
            Kind::Sink => self.sinks.contains(&*key.id),
            _ => false,
        }
    }

    /// Returns them as keys.
    pub fn keys(&self) -> Vec<Key> {
        let sources = self.sources.iter().map(|id| (Kind::Source, id));
        let sinks = self.sinks.iter().map(|id| (Kind::Sink, id));
        sources
            .chain(sinks)
            .map(|(kind, id)| Key::new(kind, id.as_str()))
            .collect()
    }
}

impl Registry {
    /// Writes a workflow as its next version.
    ///
    /// Whether it is active is kept; a new one is active where its document says so.
    pub async fn save_workflow(&self, id: &str, draft: Draft) -> Result<Saved, Error> {
        self.save_bundle(id, draft, Vec::new()).await
    }

    /// Writes a workflow as its next version, and sources and sinks with it, all or none.
    pub async fn save_bundle(
        &self,
        id: &str,
        draft: Draft,
        parts: Vec<Part>,
    ) -> Result<Saved, Error> {
        let key = Key::new(Kind::Workflow, id);
        let present = self.latest(Kind::Workflow, id).await?;
        let found = present.as_ref().map(|entity| entity.version);
        // The number of the version is computed from what was read, so exactly that is expected.
        let expect = match (draft.expect, found) {
            (Expect::Version(version), Some(found)) if version == found => draft.expect,
            (Expect::Any | Expect::Present, Some(found)) => Expect::Version(found),
            (Expect::Any | Expect::Absent, None) => Expect::Absent,
            _ => return Err(Error::Conflict { key, found }),
        };
        let before = present.map(|entity| entity.document).unwrap_or_default();
        let version = number(&before) + 1;
        let active = if found.is_some() {
            before.get("active") == Some(&Value::Bool(true))
        } else {
            draft.document.get("active") == Some(&Value::Bool(true))
        };
        let mut document = draft.document;
        document.insert("id".to_owned(), id.into());
        document.insert("active".to_owned(), active.into());
        document.remove("version");
        let kept = Version {
            version,
            author: draft.audit.user.to_string(),
            message: draft.message,
            time_ms: self.store.now_ms(),
            document: document.clone(),
        };
        document.insert("version".to_owned(), version.into());
        let audit = draft.audit.with("version", version);
        let mut transaction = Transaction::new()
            .put(key.clone(), expect, encode(&document))
            .put(version_key(id, version), Expect::Absent, encode(&kept))
            .record(audit.draft(&key));
        if let Some(old) = version.checked_sub(VERSIONS_MAX).filter(|old| *old > 0) {
            transaction = transaction.delete(version_key(id, old), Expect::Any);
        }
        for part in &parts {
            let mut document = part.document.clone();
            document.insert("id".to_owned(), part.key.id.to_string().into());
            transaction = transaction
                .put(part.key.clone(), part.expect, encode(&document))
                .record(part.audit.draft(&part.key));
        }
        let transaction = with_references(transaction, &document, &before, &parts)?;
        match self.commit(transaction).await {
            Ok(revision) => Ok(Saved { revision, version }),
            Err(Error::Conflict { key: at, .. })
                if matches!(at.kind, Kind::Source | Kind::Sink)
                    && parts.iter().all(|part| part.key != at) =>
            {
                Err(Error::Dangling(at))
            }
            Err(error) => Err(error),
        }
    }

    /// Says whether a workflow is to run. No new version is made.
    pub async fn set_active(
        &self,
        id: &str,
        active: bool,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        self.change(Kind::Workflow, id, audit, |document| {
            let before = document.insert("active".to_owned(), active.into());
            Ok(before != Some(Value::Bool(active)))
        })
        .await
    }

    /// Removes a workflow that is not to run, with its versions, checkpoint and last status.
    ///
    /// # Errors
    /// [`Error::Active`] while it is to run.
    pub async fn delete_workflow(
        &self,
        id: &str,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::Workflow, id);
        let Some(entity) = self.latest(Kind::Workflow, id).await? else {
            return Err(Error::Missing(key));
        };
        if let Expect::Version(version) = expect
            && version != entity.version
        {
            let found = Some(entity.version);
            return Err(Error::Conflict { key, found });
        }
        if entity.is("active") {
            return Err(Error::Active { id: id.to_owned() });
        }
        // A start after the look at `active` changes the version, and this is refused.
        let expect = Expect::Version(entity.version);
        let mut transaction = Transaction::new()
            .delete(key.clone(), expect)
            .record(audit.draft(&key));
        let below = format!("{id}/");
        for kind in [Kind::WorkflowVersion, Kind::Status, Kind::Checkpoint] {
            for object in self.below(kind, &below, Read::Latest).await? {
                transaction = transaction.delete(object.key, Expect::Any);
            }
        }
        for kind in [Kind::Status, Kind::Checkpoint] {
            transaction = transaction.delete(Key::new(kind, id), Expect::Any);
        }
        self.commit(transaction).await
    }

    /// Returns the versions of a workflow that are kept, newest first.
    pub async fn versions(&self, id: &str) -> Result<Vec<Version>, Error> {
        let below = format!("{id}/");
        let objects = self
            .below(Kind::WorkflowVersion, &below, Read::Local)
            .await?;
        objects.iter().rev().map(decode).collect()
    }

    /// Returns one version of a workflow.
    pub async fn version(&self, id: &str, version: u64) -> Result<Version, Error> {
        let key = version_key(id, version);
        let object = self.object(&key).await?;
        decode(&object.ok_or(Error::Missing(key))?)
    }

    /// Puts a workflow's document together with the sources and sinks that it names, `{workflow, sources, sinks}`.
    ///
    /// What it names and does not exist is not there. Secrets are as they are kept.
    pub async fn bundle_of(&self, workflow: &Map<String, Value>) -> Result<Value, Error> {
        let mut workflow = workflow.clone();
        let references = References::of(&workflow);
        workflow.remove("version");
        let mut sides = [Vec::new(), Vec::new()];
        for key in references.keys() {
            if let Some(object) = self.object(&key).await? {
                let side = usize::from(key.kind == Kind::Sink);
                sides[side].push(Value::Object(decode::<Map<_, _>>(&object)?));
            }
        }
        let [sources, sinks] = sides;
        Ok(json!({"workflow": workflow, "sources": sources, "sinks": sinks}))
    }

    /// Returns a workflow's bundle; see [`bundle_of`](Self::bundle_of).
    pub async fn bundle(&self, id: &str) -> Result<Value, Error> {
        let entity: Entity = self.get(Kind::Workflow, id).await?;
        self.bundle_of(&entity.document).await
    }
}

/// Returns the version of a workflow's document; 0 where it has none.
fn number(document: &Map<String, Value>) -> u64 {
    document
        .get("version")
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn version_key(id: &str, version: u64) -> Key {
    Key::new(Kind::WorkflowVersion, format!("{id}/{version:010}"))
}

/// Makes sure that what is named exists, and that nobody removes it meanwhile.
fn with_references(
    mut transaction: Transaction,
    document: &Map<String, Value>,
    before: &Map<String, Value>,
    parts: &[Part],
) -> Result<Transaction, Error> {
    let (named, known) = (References::of(document), References::of(before));
    let keys = named.keys();
    if keys.len() > REFERENCES_MAX {
        return Err(Error::Limit {
            what: "sources and sinks of a workflow",
            limit: REFERENCES_MAX,
        });
    }
    for key in keys {
        if !known.names(&key) {
            transaction = transaction.put(mark(&key), Expect::Any, "{}");
        }
        if parts.iter().all(|part| part.key != key) {
            transaction = transaction.check(key, Expect::Present);
        }
    }
    Ok(transaction)
}
