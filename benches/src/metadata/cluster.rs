//! Three nodes of the store, wired as three processes are.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use hermod_storage::{
    Answer, Expect, Key, Kind, Operation, Raft, RaftOptions, Read, Role, Store, Transaction,
    channel::{Connections, Identity, Listener, Router, Topic},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{CLIENTS, Client, NODES, document, key};
use crate::server::free_port;

/// Running nodes.
pub(super) struct Cluster {
    nodes: Vec<Arc<Raft>>,
    _listeners: JoinSet<()>,
}

/// Starts a cluster with the defaults.
pub(super) async fn start(dir: &Path) -> anyhow::Result<Cluster> {
    let mut founders = Vec::new();
    for at in 0..NODES {
        founders.push((format!("n{at}"), format!("127.0.0.1:{}", free_port()?)));
    }
    let (mut nodes, mut listeners) = (Vec::new(), JoinSet::new());
    for (name, address) in &founders {
        let identity = Identity::from_secret(b"the secret of the bench's cluster", name)?;
        let router = Arc::new(Router::new());
        let listener = Listener::bind(address, &identity, Arc::clone(&router) as _).await?;
        listeners.spawn(listener.run(CancellationToken::new()));
        let channel = Arc::new(Connections::new(&identity));
        let options = RaftOptions {
            address: Some(address.clone()),
            founders: founders.clone(),
            ..RaftOptions::new(dir.join(name), name, channel)
        };
        let node = Raft::open(options).await?;
        router.route(Topic::STORE, Arc::clone(&node) as _);
        router.admit_by(Arc::clone(&node) as _);
        nodes.push(node);
    }
    for node in &nodes {
        node.ready().await?;
    }
    Ok(Cluster {
        nodes,
        _listeners: listeners,
    })
}

impl Cluster {
    /// A third of the clients at each node.
    pub(super) fn clients(&self) -> Vec<Member> {
        let client = |at: usize| Member(Arc::clone(&self.nodes[at % NODES]));
        (0..CLIENTS).map(client).collect()
    }

    /// Checks that each key holds what was answered last.
    pub(super) async fn check(&self, last: &[u64]) -> anyhow::Result<()> {
        for (at, number) in last.iter().enumerate() {
            let node = &self.nodes[(at + 1) % NODES];
            let key = Key::new(Kind::Setting, key(at));
            let object = node.get(&key, Read::Latest).await?;
            let object = object.context("a key that was written is not there")?;
            ensure!(
                object.document == document(*number),
                "`{}` is not what was answered last",
                key.id
            );
        }
        Ok(())
    }

    /// The followers first: a leader hands over, which takes its time.
    pub(super) async fn close(self) {
        for node in self.nodes {
            if node.health().role != Role::Leader {
                node.close().await;
            }
        }
    }
}

/// A client at a node.
pub(super) struct Member(Arc<Raft>);

impl Client for Member {
    async fn put(&mut self, key: &str, number: u64) -> anyhow::Result<()> {
        let (key, document) = (Key::new(Kind::Setting, key), document(number));
        let put = Transaction::new().put(key, Expect::Any, document);
        let answers = self.0.submit(vec![Operation::Commit(put)]).await?;
        ensure!(
            matches!(answers[..], [Answer::Committed { .. }]),
            "a put was refused: {answers:?}"
        );
        Ok(())
    }
}
