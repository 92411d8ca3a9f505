//! Processes that run workflows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ATTEMPTS_MAX, Audit, Error, Registry, decode, encode};
use crate::{Expect, Key, Kind, Object, Revision, Transaction};

/// A worker, as far as this version knows. Members that it does not know are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its id, `--worker-guid`; the node's name unless told otherwise.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// The id of the node behind it, as sixteen hexadecimal digits: what owners of leases are found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When it last said that it lives, in milliseconds since 1970, store time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
    /// Whether it is to give its workflows away and take no other.
    #[serde(default)]
    pub draining: bool,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Worker {
    /// Returns whether it was heard of within a time, and takes workflows.
    pub fn takes_workflows(&self, now_ms: u64, ttl_ms: u64) -> bool {
        let heard = self.seen_ms.is_some_and(|seen| now_ms < seen + ttl_ms);
        heard && !self.draining
    }
}

impl Registry {
    /// Returns all workers, ordered by id.
    pub async fn workers(&self) -> Result<Vec<(Object, Worker)>, Error> {
        let objects = self.all(Kind::Worker).await?;
        let read = |object: Object| {
            let worker = decode(&object)?;
            Ok((object, worker))
        };
        objects.into_iter().map(read).collect()
    }

    /// Writes members of a worker's document, and makes it if there is none: what a worker says of itself.
    ///
    /// Members that are not given stay, `draining` above all. Without an audit nothing is journaled (a heartbeat).
    pub async fn report_worker(
        &self,
        id: &str,
        members: &Map<String, Value>,
        audit: Option<&Audit>,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::Worker, id);
        for _ in 0..ATTEMPTS_MAX {
            let present = self.latest(Kind::Worker, id).await?;
            let expect = present
                .as_ref()
                .map_or(Expect::Absent, |entity| Expect::Version(entity.version));
            let mut document = present.map(|entity| entity.document).unwrap_or_default();
            for (name, value) in members {
                document.insert(name.clone(), value.clone());
            }
            document.insert("id".to_owned(), id.into());
            let mut transaction = Transaction::new().put(key.clone(), expect, encode(&document));
            if let Some(audit) = audit {
                transaction = transaction.record(audit.draft(&key));
            }
            match self.commit(transaction).await {
                Err(Error::Conflict { .. }) => {}
                done => return done,
            }
        }
        Err(Error::Contended(key))
    }

    /// Tells a worker to give its workflows away, or to take some again.
    pub async fn drain_worker(
        &self,
        id: &str,
        draining: bool,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        self.change(Kind::Worker, id, audit, |document| {
            let before = document.insert("draining".to_owned(), draining.into());
            Ok(before != Some(Value::Bool(draining)))
        })
        .await
    }

    /// Removes a worker's entry. One that lives makes it again.
    pub async fn delete_worker(
        &self,
        id: &str,
        expect: Expect,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::Worker, id);
        let transaction = Transaction::new()
            .delete(key.clone(), expect)
            .record(audit.draft(&key));
        self.commit(transaction).await
    }
}
