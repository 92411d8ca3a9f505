//! Settings of the platform.

use serde_json::{Value, json};

use super::{Audit, Entity, Error, Registry, encode};
use crate::{Expect, Key, Kind, Object, Revision, Transaction};

/// Ids that begin with this are the registry's own.
const OWN: &str = ".";

impl Registry {
    /// Returns all settings, ordered by name. The value is the member `value`.
    pub async fn settings(&self) -> Result<Vec<Entity>, Error> {
        let objects = self.all(Kind::Setting).await?;
        let shown = |object: &&Object| !object.key.id.starts_with(OWN);
        objects.iter().filter(shown).map(Entity::read).collect()
    }

    /// Writes a setting.
    pub async fn save_setting(
        &self,
        name: &str,
        value: &Value,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::Setting, name);
        let transaction = Transaction::new()
            .put(key.clone(), expect, encode(&json!({ "value": value })))
            .record(audit.draft(&key));
        self.commit(transaction).await
    }

    /// Removes a setting, so that its default holds again.
    pub async fn delete_setting(
        &self,
        name: &str,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::Setting, name);
        let transaction = Transaction::new()
            .delete(key.clone(), expect)
            .record(audit.draft(&key));
        self.commit(transaction).await
    }
}
