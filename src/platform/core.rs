//! What every part of a node over a metadata store shares.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use hermod_engine::{Engine, Tasks};
use hermod_storage::{Key, Kind, Lease, Owner, Read, Store, StoreKey, registry::Registry};
use hermod_wal::Log;
use serde_json::Value;

use super::{leases::Leases, metadata::Metadata};

/// A node over a metadata store.
pub(super) struct Core {
    /// Its name in the cluster.
    pub(super) name: String,
    /// The id of its worker.
    pub(super) guid: String,
    pub(super) mode: Mode,
    pub(super) owner: Owner,
    pub(super) metadata: Metadata,
    pub(super) engine: Engine,
    pub(super) log: Log,
    pub(super) leases: Arc<Leases>,
    pub(super) key: OnceLock<StoreKey>,
    pub(super) ttl: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) tasks: Tasks,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The API, and no workflow.
    Api,
    /// The API and a worker.
    Standalone,
    /// A worker.
    Worker,
}

impl Mode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "api" => Some(Self::Api),
            "standalone" => Some(Self::Standalone),
            "worker" => Some(Self::Worker),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Standalone => "standalone",
            Self::Worker => "worker",
        }
    }

    pub(super) fn has_worker(self) -> bool {
        self != Self::Api
    }

    pub(super) fn has_api(self) -> bool {
        self != Self::Worker
    }
}

/// Name of a workflow's lease.
pub(super) fn lease_of(workflow: &str) -> String {
    format!("workflow/{workflow}")
}

impl Core {
    pub(super) fn registry(&self) -> &Registry {
        &self.metadata.registry
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.metadata.store
    }

    /// Returns a workflow's lease as this node knows it.
    pub(super) async fn lease(&self, workflow: &str) -> Option<Lease> {
        let lease = self.store().lease(&lease_of(workflow), Read::Local).await;
        lease.ok().flatten()
    }

    /// Returns this node's id, as documents have it.
    pub(super) fn node_hex(&self) -> String {
        hex(self.owner.node)
    }

    /// Opens the secrets of a source's or sink's document.
    pub(super) fn unsealed(&self, owner: &Key, mut document: Value) -> Result<Value, String> {
        let Some(key) = self.key.get() else {
            return Err("this node has not got the store's key yet".to_owned());
        };
        key.unseal_all(&mut document, &owner.to_string())
            .map_err(|error| format!("a secret of {owner} {error}"))?;
        Ok(document)
    }

    /// Opens the secrets of a bundle.
    pub(super) fn unsealed_bundle(&self, mut bundle: Value) -> Result<Value, String> {
        for (side, kind) in [("sources", Kind::Source), ("sinks", Kind::Sink)] {
            let parts = bundle.get_mut(side).and_then(Value::as_array_mut);
            for part in parts.into_iter().flatten() {
                let id = part.get("id").and_then(Value::as_str).unwrap_or_default();
                let owner = Key::new(kind, id);
                *part = self.unsealed(&owner, part.take())?;
            }
        }
        Ok(bundle)
    }
}

/// Returns a node's id as documents have it.
pub(super) fn hex(node: u64) -> String {
    format!("{node:016x}")
}
