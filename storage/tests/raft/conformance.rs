//! The Raft store on the suite that every store passes: alone, and as a follower of three.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use hermod_storage::{Raft, RaftOptions, Role, Store};
use tempfile::TempDir;

use super::{cluster::Cluster, network::Network, open_unlocked};
use crate::conformance::{self, Factory, Fixture};

struct Alone;

#[async_trait]
impl Factory for Alone {
    async fn make(&self) -> Box<dyn Fixture> {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        Box::new(One { dir, store })
    }
}

struct One {
    dir: TempDir,
    store: Arc<Raft>,
}

async fn open(dir: &Path) -> Arc<Raft> {
    let network = Arc::new(Network::default());
    let options = RaftOptions::new(dir, "one", network.end("one:1"));
    open_unlocked(&options).await.unwrap()
}

#[async_trait]
impl Fixture for One {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn reopen(&mut self) -> bool {
        self.store.close().await;
        self.store = open(self.dir.path()).await;
        true
    }
}

struct Together;

#[async_trait]
impl Factory for Together {
    async fn make(&self) -> Box<dyn Fixture> {
        Box::new(Three(Cluster::start().await))
    }
}

struct Three(Cluster);

#[async_trait]
impl Fixture for Three {
    /// One that does not lead: its writes take the longer way, and its reads must see them all the same.
    fn store(&self) -> Arc<dyn Store> {
        let nodes = &self.0.nodes;
        let follower = nodes.iter().find(|node| node.health().role != Role::Leader);
        Arc::clone(follower.unwrap_or(&nodes[0])) as _
    }

    async fn reopen(&mut self) -> bool {
        for node in self.0.nodes.drain(..) {
            // The one that leads ends as in a crash.
            if node.health().role != Role::Leader {
                node.close().await;
            }
        }
        self.0.open_all().await;
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raft_alone_conforms() {
    conformance::run("raft alone", Alone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_of_three_conforms() {
    conformance::run("raft of three", Together).await;
}
