//! The metadata store of a node: opened as the configuration says, with the key that seals its secrets.

mod key;
mod raft;
mod shared;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_api::Code;
use hermod_storage::{
    Raft, Sqlite, SqliteOptions, Store, StoreKey,
    channel::{Call, CallError, Channel, Connections, Router},
    registry::Registry,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, database},
    data_dir::{DataDir, write_line},
    failure::Failure,
};
use hermod_engine::Tasks;

/// Name of the directory of a Raft store within the data directory.
const DIRECTORY: &str = "store";

/// Longest time for a store to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// Name of the file that says which store the data directory belongs to.
const STORE_FILE: &str = "STORE";

/// The metadata store, and how other nodes are reached.
#[derive(Clone)]
pub(super) struct Metadata {
    pub(super) registry: Registry,
    pub(super) store: Arc<dyn Store>,
    /// Where the store is a Raft group.
    pub(super) raft: Option<Arc<Raft>>,
    sqlite: Option<Arc<Sqlite>>,
    /// Answers other nodes, where this one is reached by any.
    pub(super) router: Option<Arc<Router>>,
    /// Reaches other nodes.
    pub(super) channel: Arc<dyn Channel>,
    /// Where other nodes reach this one.
    pub(super) address: Option<String>,
    /// What answers other nodes: up to the very end, so that leadership can be handed over.
    wire: Tasks,
}

/// Where there are no other nodes.
struct Alone;

#[async_trait]
impl Channel for Alone {
    async fn call(&self, address: &str, _: Call, _: Duration) -> Result<Bytes, CallError> {
        Err(CallError::Unreachable {
            address: address.to_owned(),
            reason: "this node was started without `--cluster-listen`".to_owned(),
        })
    }
}

impl Metadata {
    /// Opens the store. With Raft it may still have to find its group: see [`Metadata::ready`].
    pub(super) async fn open(
        config: &Config,
        directory: &DataDir,
        name: &str,
    ) -> Result<Self, Failure> {
        let tasks = Tasks::new();
        let wire = raft::Wire::open(config, name, &tasks).await?;
        let channel: Arc<dyn Channel> = match &wire {
            Some(wire) => Arc::new(Connections::new(&wire.identity)),
            None => Arc::new(Alone),
        };
        let address = wire.as_ref().map(|wire| wire.address.clone());
        let router = wire.map(|wire| wire.router);
        let (store, raft, sqlite): (Arc<dyn Store>, _, _) = match config.db_type.as_str() {
            "raft" => {
                let options = raft::options(config, directory, name, (&channel, &address))?;
                let raft = Raft::open(options).await.map_err(unusable)?;
                if let Some(router) = &router {
                    raft::answer(router, &raft);
                }
                (raft.clone(), Some(raft), None)
            }
            "sqlite" => {
                let sqlite = Arc::new(open_sqlite(config).await?);
                if let Some(router) = &router {
                    router.admit_by(Arc::new(shared::Gate::of(sqlite.id())));
                }
                (sqlite.clone(), None, Some(sqlite))
            }
            other => {
                let message =
                    format!("`db_type` = `{other}`: this version has `raft` and `sqlite`");
                return Err(Failure::new(Code::Configuration, message));
            }
        };
        Ok(Self {
            registry: Registry::new(store.clone()),
            store,
            raft,
            sqlite,
            router,
            channel,
            address,
            wire: tasks,
        })
    }

    /// Closes the store, its leadership handed over, and answers other nodes no more.
    pub(super) async fn close(&self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.store.close())
            .await
            .is_err()
        {
            tracing::warn!("the metadata store did not close in time");
        }
        self.wire.cancel();
        self.wire.ended().await;
    }

    /// Returns what ends early only if what answers other nodes has panicked.
    pub(super) fn wire_failed(&self) -> &CancellationToken {
        self.wire.cancelled()
    }

    /// Waits until the node belongs to its group; then checks that the data directory belongs to this store.
    pub(super) async fn ready(&self, config: &Config, directory: &Path) -> Result<(), Failure> {
        if let Some(raft) = &self.raft {
            raft.ready().await.map_err(unusable)?;
        }
        let is_new = self.sqlite.as_ref().is_some_and(|sqlite| sqlite.is_new());
        belongs(config, directory, &self.id(), is_new)
    }

    /// Returns which store it is.
    pub(super) fn id(&self) -> String {
        match (&self.raft, &self.sqlite) {
            (Some(raft), _) => format!("raft {:016x}", raft.cluster()),
            (_, Some(sqlite)) => format!("sqlite {}", sqlite.id()),
            _ => String::new(),
        }
    }

    /// Returns the cluster's id, as calls between nodes carry it.
    pub(super) fn cluster(&self) -> u64 {
        match (&self.raft, &self.sqlite) {
            (Some(raft), _) => raft.cluster(),
            (_, Some(sqlite)) => shared::cluster_of(sqlite.id()),
            _ => 0,
        }
    }

    /// Waits until the store is not to be trusted any more; the node ends then.
    pub(super) async fn failed(&self) -> String {
        match (&self.raft, &self.sqlite) {
            (Some(raft), _) => raft.failed().await.to_string(),
            (_, Some(sqlite)) => sqlite.failed().await.to_string(),
            _ => std::future::pending().await,
        }
    }

    /// Returns the key of the store, making or fetching it if this node has none; waits while the store is away.
    pub(super) async fn key(
        &self,
        config: &Config,
        directory: &DataDir,
        stop: &CancellationToken,
    ) -> Result<StoreKey, Failure> {
        key::obtain(self, config, directory.path(), stop).await
    }
}

async fn open_sqlite(config: &Config) -> Result<Sqlite, Failure> {
    let mut options = SqliteOptions::parse(conn(config)).map_err(wrong)?;
    options.busy_timeout = config.sqlite_busy_timeout;
    Sqlite::open(options).await.map_err(unusable)
}

/// Returns where the database is; nothing for a store that needs none.
fn conn(config: &Config) -> &str {
    match config.db_type.as_str() {
        "sqlite" if config.db_conn.is_empty() => "hermod.db",
        "sqlite" => &config.db_conn,
        _ => "",
    }
}

/// Refuses a store that is not the one that the data directory has worked with: its leases and epochs mean nothing here.
fn belongs(config: &Config, directory: &Path, id: &str, is_new: bool) -> Result<(), Failure> {
    let path = directory.join(STORE_FILE);
    let failed = |error: std::io::Error| {
        Failure::new(
            Code::DirectoryUnusable,
            format!("`{}`: {error}", path.display()),
        )
    };
    match std::fs::read_to_string(&path) {
        Ok(known) if known.trim() == id => Ok(()),
        Ok(known) => {
            let known = known.trim();
            let what = if is_new {
                "an empty store"
            } else {
                "another store"
            };
            Err(Failure::new(
                Code::StoreMismatch,
                format!(
                    "data directory `{}` belongs to the store `{known}`, and this is {what}, `{id}`",
                    directory.display()
                ),
            ))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let remembered = database::text(&config.db_type, conn(config));
            write_line(directory, database::FILE, &remembered).map_err(failed)?;
            write_line(directory, STORE_FILE, id).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Code::Store, chain(error))
}

fn wrong(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Code::Configuration, chain(error))
}

/// Returns an error with everything that caused it.
fn chain(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
