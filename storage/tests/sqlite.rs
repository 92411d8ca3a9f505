//! The store in a SQLite file.

mod files;
mod sharing;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use hermod_storage::{Sqlite, SqliteOptions, Store};
use tempfile::TempDir;

use crate::conformance::{self, Factory, Fixture};

struct InFile;

#[async_trait]
impl Factory for InFile {
    async fn make(&self) -> Box<dyn Fixture> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hermod.db");
        let store = open(&path).await;
        Box::new(Kept { directory, store })
    }
}

struct Kept {
    directory: TempDir,
    store: Arc<Sqlite>,
}

#[async_trait]
impl Fixture for Kept {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn reopen(&mut self) -> bool {
        self.store.close().await;
        self.store = open(&self.directory.path().join("hermod.db")).await;
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() {
    conformance::run("sqlite", InFile).await;
}

/// Opens a store that does not wait long.
async fn open(path: &PathBuf) -> Arc<Sqlite> {
    let options = SqliteOptions {
        busy_timeout: Duration::from_secs(10),
        ..SqliteOptions::new(path)
    };
    Arc::new(Sqlite::open(options).await.unwrap())
}
