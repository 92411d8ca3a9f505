//! Sources and sinks, and who uses them.

use serde_json::{Map, Value};

use super::{Audit, Entity, Error, Registry, encode, workflow::References};
use crate::{Expect, Key, Kind, Read, Revision, Transaction};

/// Returns the object that is written whenever a workflow begins to name a source or sink.
///
/// Without it a source could be removed between the look for workflows that name it and its removal.
pub(super) fn mark(key: &Key) -> Key {
    Key::new(Kind::Setting, format!(".uses/{}/{}", key.kind, key.id))
}

impl Registry {
    /// Writes a source or sink.
    pub async fn save_connection(
        &self,
        kind: Kind,
        id: &str,
        mut document: Map<String, Value>,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(kind, id);
        document.insert("id".to_owned(), id.into());
        let transaction = Transaction::new()
            .put(key.clone(), expect, encode(&document))
            .record(audit.draft(&key));
        self.commit(transaction).await
    }

    /// Removes a source or sink that no workflow names.
    ///
    /// # Errors
    /// [`Error::InUse`] with the workflows that name it.
    pub async fn delete_connection(
        &self,
        kind: Kind,
        id: &str,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(kind, id);
        let mark = mark(&key);
        let marked = self.store.get(&mark, Read::Latest).await?;
        let workflows = self.users_of(&key).await?;
        if !workflows.is_empty() {
            return Err(Error::InUse { key, workflows });
        }
        let unmarked = marked.map_or(Expect::Absent, |object| Expect::Version(object.version));
        let transaction = Transaction::new()
            .delete(key.clone(), expect)
            .delete(mark.clone(), unmarked)
            .record(audit.draft(&key));
        match self.commit(transaction).await {
            // A workflow has begun to name it meanwhile.
            Err(Error::Conflict { key: found, .. }) if found == mark => {
                let workflows = self.users_of(&key).await?;
                Err(Error::InUse { key, workflows })
            }
            done => done,
        }
    }

    /// Returns the ids of the workflows that name a source or sink.
    pub async fn users_of(&self, key: &Key) -> Result<Vec<String>, Error> {
        let mut users = Vec::new();
        for object in self.below(Kind::Workflow, "", Read::Latest).await? {
            let entity = Entity::read(&object)?;
            if References::of(&entity.document).names(key) {
                users.push(entity.id.to_string());
            }
        }
        Ok(users)
    }
}
