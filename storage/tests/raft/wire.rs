//! Three nodes over the real channel: mutual TLS on the loopback interface.

use std::{net::TcpListener, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_storage::{
    Raft, RaftError, RaftOptions, Read, Role, Store,
    channel::{
        Call, CallError, Channel, Connections, Counters, Handler, Identity, Listener, Router, Topic,
    },
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    cluster::{NAMES, TIMINGS, read, write},
    open_unlocked, until,
};

const SECRET: &[u8] = b"the secret of the cluster";
const PATIENCE: Duration = Duration::from_secs(5);

/// What a node answers beside its store.
struct Pushes(&'static str);

#[async_trait]
impl Handler for Pushes {
    async fn handle(&self, call: Call, _: Duration) -> Result<Bytes, String> {
        Ok([self.0.as_bytes(), b" took ", &call.body].concat().into())
    }
}

/// A node as a process has it. Dropped, it is gone as after a crash: its tasks, its port, its connections.
struct Node {
    raft: Arc<Raft>,
    counters: Arc<Counters>,
    _tasks: JoinSet<()>,
}

impl Node {
    async fn start(options: &RaftOptions, name: &'static str) -> Self {
        let (identity, address) = (identity(SECRET, name), options.address.as_ref().unwrap());
        let router = Arc::new(Router::new());
        let listener = bind(address, &identity, Arc::clone(&router) as _).await;
        let counters = listener.counters();
        let mut tasks = JoinSet::new();
        tasks.spawn(listener.run(CancellationToken::new()));
        let options = RaftOptions {
            channel: Arc::new(Connections::new(&identity)),
            ..options.clone()
        };
        let raft = open_unlocked(&options).await.unwrap();
        router.route(Topic::STORE, Arc::clone(&raft) as _);
        router.route(&[Topic::Push], Arc::new(Pushes(name)));
        router.admit_by(Arc::clone(&raft) as _);
        Self {
            raft,
            counters,
            _tasks: tasks,
        }
    }

    fn leads(&self) -> bool {
        let health = self.raft.health();
        health.role == Role::Leader && health.writable
    }
}

fn identity(secret: &[u8], name: &str) -> Identity {
    Identity::from_secret(secret, name).unwrap()
}

/// A node that was just killed may hold its port for a moment.
async fn bind(address: &str, identity: &Identity, handler: Arc<dyn Handler>) -> Listener {
    let mut bound = Err(String::new());
    for _ in 0..500 {
        let listener = Listener::bind(address, identity, Arc::clone(&handler)).await;
        bound = listener.map_err(|error| error.to_string());
        if bound.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bound.unwrap()
}

/// Settings of three that start together, on ports that were free a moment ago.
fn settings(dir: &TempDir) -> Vec<RaftOptions> {
    let sockets = NAMES.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = |socket: &TcpListener| socket.local_addr().unwrap().to_string();
    let founders: Vec<_> = NAMES
        .iter()
        .zip(&sockets)
        .map(|(name, socket)| ((*name).to_owned(), address(socket)))
        .collect();
    let of = |(name, address): &(String, String)| RaftOptions {
        address: Some(address.clone()),
        founders: founders.clone(),
        timings: TIMINGS,
        write_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        ..RaftOptions::new(
            dir.path().join(name),
            name,
            // Each start makes its own.
            Arc::new(Connections::new(&identity(SECRET, name))),
        )
    };
    founders.iter().map(of).collect()
}

async fn start(settings: &[RaftOptions]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (options, name) in settings.iter().zip(NAMES) {
        nodes.push(Node::start(options, name).await);
    }
    for node in &nodes {
        node.raft.ready().await.unwrap();
    }
    nodes
}

async fn all_read(nodes: &[Node], id: &str) {
    for node in nodes {
        assert!(read(&node.raft, id, Read::Latest).await.is_some(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_over_tls_lose_one_take_it_back_remove_it_and_let_it_join() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&dir);
    let mut nodes = start(&settings).await;
    for (node, name) in nodes.iter().zip(NAMES) {
        write(&node.raft, &format!("on-{name}")).await;
    }
    for name in NAMES {
        all_read(&nodes, &format!("on-{name}")).await;
    }

    // The one that leads is killed, the others go on, and it comes back to what it missed.
    until("one leads", || nodes.iter().any(Node::leads)).await;
    let killed = nodes.iter().position(Node::leads).unwrap();
    drop(nodes.remove(killed));
    write(&nodes[0].raft, "without-one").await;
    write(&nodes[1].raft, "without-one-either").await;
    let back = Node::start(&settings[killed], NAMES[killed]).await;
    nodes.insert(killed, back);
    nodes[killed].raft.ready().await.unwrap();
    all_read(&nodes, "without-one").await;

    // It goes for good, and what was a member is none.
    let gone = nodes.remove(killed);
    nodes[0].raft.remove(NAMES[killed]).await.unwrap();
    write(&nodes[1].raft, "of-two").await;
    gone.raft.close().await;
    drop(gone);
    std::fs::remove_dir_all(&settings[killed].dir).unwrap();

    // Under its old name it comes as a new member, through the address of any.
    let joins = RaftOptions {
        founders: Vec::new(),
        join: nodes[0].raft.status().members[0].address.clone().into(),
        ..settings[killed].clone()
    };
    nodes.push(Node::start(&joins, NAMES[killed]).await);
    nodes[2].raft.ready().await.unwrap();
    write(&nodes[2].raft, "joined").await;
    all_read(&nodes, "joined").await;
    all_read(&nodes, "of-two").await;
    let members = nodes[2].raft.status().members;
    assert!(members.len() == 3 && members.iter().all(|member| member.voter));
    assert!(nodes.iter().all(|node| node.counters.panics() == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_know_the_secret_is_refused_and_joins_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = start(&settings(&dir)).await;
    let home = nodes[0].raft.status().members[0].address.clone();
    let refusals = || -> u64 {
        let refused = nodes.iter().map(|node| node.counters.refused_connections());
        refused.sum()
    };
    assert_eq!(refusals(), 0);
    let stranger = Arc::new(Connections::new(&identity(b"another secret, as long", "d")));
    let call = Call {
        cluster: nodes[0].raft.cluster(),
        from: nodes[0].raft.id(),
        to: 0,
        topic: Topic::Hello,
        body: Bytes::new(),
    };
    let refused = stranger.call(&home, call, PATIENCE).await.unwrap_err();
    assert!(
        matches!(refused, CallError::Unreachable { .. }),
        "{refused}"
    );
    until("the refusal is counted", || refusals() > 0).await;

    let options = RaftOptions {
        address: Some("127.0.0.1:1".into()),
        join: Some(home),
        timings: TIMINGS,
        ..RaftOptions::new(dir.path().join("d"), "d", stranger)
    };
    let outsider = open_unlocked(&options).await.unwrap();
    let before = refusals();
    until("it has asked again", || refusals() > before).await;
    assert_eq!(outsider.cluster(), 0);
    outsider.close().await;
    let closed = outsider.ready().await.unwrap_err();
    assert!(matches!(closed, RaftError::Closed), "{closed}");
    write(&nodes[0].raft, "undisturbed").await;
    assert_eq!(nodes[0].raft.status().members.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_answers_beside_its_store_stands_behind_the_same_gate() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = start(&settings(&dir)).await;
    let member = nodes[1].raft.status().members;
    let owner = member.iter().find(|m| m.name == "b").unwrap();
    let connections = Connections::new(&identity(SECRET, "a"));
    let call = Call {
        cluster: nodes[0].raft.cluster(),
        from: nodes[0].raft.id(),
        to: owner.id,
        topic: Topic::Push,
        body: "a message".into(),
    };
    let ask = async |call| connections.call(&owner.address, call, PATIENCE).await;
    assert_eq!(ask(call.clone()).await.unwrap(), "b took a message");
    let others = [
        Call {
            cluster: call.cluster ^ 1,
            ..call.clone()
        },
        Call {
            cluster: 0,
            ..call.clone()
        },
        Call {
            to: nodes[0].raft.id(),
            ..call.clone()
        },
        Call {
            topic: Topic::Question,
            ..call
        },
    ];
    for call in others {
        let refused = ask(call).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused { .. }), "{refused}");
    }
}
