//! Three nodes in one process, each with its own directory.

use std::{sync::Arc, time::Duration};

use hermod_storage::{
    Answer, Expect, Key, Kind, Object, Operation, Raft, RaftOptions, Read, Role, Store, Timings,
    Transaction,
};
use tempfile::TempDir;

use super::{network::Network, open, until};

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

pub(crate) fn address(name: &str) -> String {
    format!("{name}:1")
}

/// Nodes and the network between them.
pub(crate) struct Cluster {
    pub(crate) network: Arc<Network>,
    pub(crate) nodes: Vec<Arc<Raft>>,
    pub(crate) options: Vec<RaftOptions>,
    pub(crate) _dir: TempDir,
}

/// Fast enough for tests, slow enough for a machine with other work.
pub(crate) const TIMINGS: Timings = Timings {
    heartbeat: Duration::from_millis(80),
    election_min: Duration::from_millis(350),
    election_max: Duration::from_millis(600),
};

pub(crate) fn options(dir: &TempDir, network: &Arc<Network>, name: &str) -> RaftOptions {
    let address = address(name);
    RaftOptions {
        address: Some(address.clone()),
        timings: TIMINGS,
        write_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        ..RaftOptions::new(dir.path().join(name), name, network.end(&address))
    }
}

pub(crate) fn founders(names: &[&str]) -> Vec<(String, String)> {
    let founders = names.iter().map(|name| (name.to_string(), address(name)));
    founders.collect()
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl Fn(&mut RaftOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let network = Arc::new(Network::default());
        let mut all = Vec::new();
        for name in NAMES {
            let mut options = RaftOptions {
                founders: founders(&NAMES),
                ..options(&dir, &network, name)
            };
            change(&mut options);
            all.push(options);
        }
        let mut cluster = Self {
            network,
            nodes: Vec::new(),
            options: all,
            _dir: dir,
        };
        cluster.open_all().await;
        cluster
    }

    pub(crate) async fn open_all(&mut self) {
        for options in &self.options {
            let node = open(&self.network, options).await.unwrap();
            self.nodes.push(node);
        }
        for node in &self.nodes {
            node.ready().await.unwrap();
        }
    }

    pub(crate) async fn leader(&self) -> usize {
        self.leader_among(&[0, 1, 2]).await
    }

    /// Waits until one of these leads and can write.
    pub(crate) async fn leader_among(&self, nodes: &[usize]) -> usize {
        let leads = |at: &usize| {
            let health = self.nodes[*at].health();
            health.role == Role::Leader && health.writable
        };
        until("there is a leader", || nodes.iter().any(leads)).await;
        nodes.iter().copied().find(leads).unwrap_or(nodes[0])
    }

    /// Waits until all nodes have applied the same.
    pub(crate) async fn converged(&self) {
        let at = |node: &Arc<Raft>| (node.health().revision, node.status().applied);
        until("all nodes are alike", || {
            let first = at(&self.nodes[0]);
            let last = self.nodes[0].status().last_log;
            first.1 == last && self.nodes.iter().all(|node| at(node) == first)
        })
        .await;
    }

    pub(crate) fn unplug(&mut self, at: usize) -> Arc<Raft> {
        self.network
            .unplug(self.options[at].address.as_ref().unwrap());
        self.nodes.remove(at)
    }

    pub(crate) fn isolate(&self, at: usize) {
        let address = self.options[at].address.as_ref().unwrap();
        self.network.isolate(address);
    }

    pub(crate) fn deafen(&self, at: usize) {
        let address = self.options[at].address.as_ref().unwrap();
        self.network.deafen(address);
    }

    pub(crate) async fn close(self) {
        // The leader last: each hand-over takes its time.
        for node in &self.nodes {
            if node.health().role != Role::Leader {
                node.close().await;
            }
        }
    }
}

pub(crate) fn key(id: &str) -> Key {
    Key::new(Kind::Setting, id)
}

pub(crate) fn put(id: &str, expect: Expect) -> Vec<Operation> {
    let transaction = Transaction::new().put(key(id), expect, id.to_string());
    vec![Operation::Commit(transaction)]
}

pub(crate) async fn write(node: &Arc<Raft>, id: &str) {
    let answers = node.submit(put(id, Expect::Absent)).await.unwrap();
    assert!(
        matches!(answers[0], Answer::Committed { .. }),
        "`{id}`: {answers:?}"
    );
}

pub(crate) async fn read(node: &Arc<Raft>, id: &str, read: Read) -> Option<Object> {
    node.get(&key(id), read).await.unwrap()
}
