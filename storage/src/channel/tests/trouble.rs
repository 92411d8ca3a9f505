//! Nodes that are away, that come back, and networks that swallow.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::node::{Node, PATIENCE, call, identity};
use crate::channel::{CallError, Channel as _, Connections, Topic};

fn heartbeat() -> crate::channel::Call {
    call(Topic::RaftAppend, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let connections = Connections::new(&identity());
    for address in [&*address, "no such host:1", "127.0.0.1"] {
        let answer = connections.call(address, heartbeat(), PATIENCE).await;
        assert!(
            matches!(answer, Err(CallError::Unreachable { .. })),
            "{answer:?}"
        );
    }
}

/// A paused node, a swallowing network: TCP connects, and nothing more happens.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_is_unreachable_and_holds_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let connections = Arc::new(Connections::new(&identity()));
    let mut calls = JoinSet::new();
    // One attempt, of a second, is shared: calls that came one after another would end after minutes.
    for number in 0..300 {
        let (connections, address) = (Arc::clone(&connections), address.clone());
        calls.spawn(async move {
            let timeout = if number % 2 == 0 {
                Duration::from_millis(150)
            } else {
                PATIENCE
            };
            connections.call(&address, heartbeat(), timeout).await
        });
    }
    for answer in calls.join_all().await {
        assert!(
            matches!(answer, Err(CallError::Unreachable { .. })),
            "{answer:?}"
        );
    }
}

/// The first call after the end may still meet the old connection. The next one does not.
async fn is_back(node: &Node, connections: &Connections) {
    match node.echo(connections, "back").await {
        Ok(_) => return,
        Err(CallError::Unknown { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(
        node.echo(connections, "back").await,
        Ok(Bytes::from("back"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_restarted_is_called_again() {
    let mut node = Node::start().await;
    let address = node.address.clone();
    let connections = Connections::new(&identity());
    for round in 0..5 {
        node.echo(&connections, "before").await.unwrap();
        if round % 2 == 0 {
            node.stop().await;
        } else {
            node.crash().await;
        }
        let away = connections.call(&address, heartbeat(), PATIENCE).await;
        assert!(away.is_err(), "{away:?}");
        node = Node::start_at(&address).await;
        is_back(&node, &connections).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_unknown_when_its_node_crashes() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let waits = call(Topic::Submit, "");
    let address = node.address.clone();
    let (answer, ()) = tokio::join!(connections.call(&address, waits, PATIENCE), async {
        node.waits_for(1).await;
        node.crash().await;
    });
    assert!(
        matches!(answer, Err(CallError::Unknown { .. })),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_answers_what_is_under_way() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let waits = call(Topic::Submit, "last");
    let address = node.address.clone();
    let (answer, ()) = tokio::join!(connections.call(&address, waits, PATIENCE), async {
        node.waits_for(1).await;
        node.stopping();
        node.release.cancel();
        node.stop().await;
    });
    assert_eq!(answer, Ok(Bytes::from("last")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_does_not_hold_up_the_end_of_its_node() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let waits = call(Topic::Submit, "");
    let address = node.address.clone();
    let (answer, ()) = tokio::join!(connections.call(&address, waits, PATIENCE), async {
        node.waits_for(1).await;
        node.stop().await;
    });
    assert!(
        matches!(answer, Err(CallError::Unknown { .. })),
        "{answer:?}"
    );
    assert!(
        TcpListener::bind(&address).await.is_ok(),
        "its port is free"
    );
}

/// Connections that are cut off are given up by themselves, and the node is called over a new one, as soon as there is
/// a way to it: a connection of TCP would try again only after a pause that has grown while it was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_partition_a_new_connection_is_made() {
    let node = Node::start().await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let cut = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(forward(proxy, node.address.clone(), cut.clone()));

    let connections = Connections::new(&identity());
    connections
        .call(&address, heartbeat(), PATIENCE)
        .await
        .unwrap();
    cut.cancel();
    let cut_off = connections
        .call(&address, heartbeat(), Duration::from_millis(150))
        .await;
    assert!(
        matches!(cut_off, Err(CallError::Unknown { .. })),
        "{cut_off:?}"
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        let timeout = Duration::from_millis(150);
        if connections
            .call(&address, heartbeat(), timeout)
            .await
            .is_ok()
        {
            break;
        }
        assert!(Instant::now() < deadline, "it is not called again");
    }
    assert_eq!(node.counters.connections(), 2);
    tasks.shutdown().await;
    node.stop().await;
}

/// Forwards the first connection until it is cut, from then on swallowing what comes, and forwards all others.
async fn forward(proxy: TcpListener, to: String, cut: CancellationToken) {
    let mut streams = JoinSet::new();
    for number in 0.. {
        let (mut from, _) = proxy.accept().await.unwrap();
        let mut to = TcpStream::connect(&to).await.unwrap();
        let cut = if number == 0 {
            cut.clone()
        } else {
            CancellationToken::new()
        };
        streams.spawn(async move {
            let copied = cut
                .run_until_cancelled(copy_bidirectional(&mut from, &mut to))
                .await;
            if copied.is_none() {
                // Both stay open.
                std::future::pending::<()>().await;
            }
        });
    }
}
