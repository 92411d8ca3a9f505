//! Calls that work, and how they end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::node::{Node, PATIENCE, call, identity};
use crate::channel::{CallError, Channel as _, Connections, Topic};

#[test]
fn every_topic_is_found_by_its_number() {
    for topic in Topic::ALL {
        assert_eq!(Topic::from_number(*topic as u32), Some(*topic));
    }
    assert_eq!(Topic::from_number(0), None);
    assert_eq!(Topic::from_number(65_536 + Topic::Hello as u32), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_arrives_as_it_was_sent_and_is_answered() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let sent = call(Topic::Hello, "who are you");
    let expected = format!("{sent:?}, true");
    let answer = connections.call(&node.address, sent, PATIENCE).await;
    assert_eq!(answer, Ok(Bytes::from(expected)));

    assert_eq!(node.echo(&connections, "").await, Ok(Bytes::new()));
    assert_eq!(node.counters.connections(), 1, "it is shared");
    assert_eq!(node.counters.calls(), 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_back_with_its_reason() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let refused = call(Topic::Membership, "");
    let answer = connections.call(&node.address, refused, PATIENCE).await;
    let expected = CallError::Refused {
        address: node.address.clone(),
        reason: "not the leader".to_owned(),
    };
    assert_eq!(answer, Err(expected));
    assert_eq!(node.counters.refused_calls(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_answered_in_time_is_unknown_and_ends_there() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    node.echo(&connections, "connect").await.unwrap();
    let slow = call(Topic::Submit, "");
    let answer = connections
        .call(&node.address, slow, Duration::from_millis(300))
        .await;
    assert!(
        matches!(answer, Err(CallError::Unknown { .. })),
        "{answer:?}"
    );
    assert_eq!(node.counters.calls(), 2, "it was there");
    node.waits_for(0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_is_dropped_there() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let slow = connections.call(&node.address, call(Topic::Submit, ""), PATIENCE);
    tokio::select! {
        answer = slow => panic!("answered: {answer:?}"),
        () = node.waits_for(1) => {}
    }
    node.waits_for(0).await;
    node.echo(&connections, "on").await.unwrap();
    assert_eq!(node.counters.connections(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_one_call_and_not_its_connection() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    let (panics, waits) = (call(Topic::StoreKey, ""), call(Topic::Submit, "well"));
    let (panicked, waited) = tokio::join!(
        async {
            node.waits_for(1).await;
            let answer = connections.call(&node.address, panics, PATIENCE).await;
            node.release.cancel();
            answer
        },
        connections.call(&node.address, waits, PATIENCE)
    );
    assert!(
        matches!(panicked, Err(CallError::Unknown { .. })),
        "{panicked:?}"
    );
    assert_eq!(waited, Ok(Bytes::from("well")));
    assert_eq!(node.counters.panics(), 1);
    assert_eq!(node.counters.connections(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_at_once_are_all_answered() {
    let node = Node::start().await;
    let connections = Arc::new(Connections::new(&identity()));
    let mut calls = JoinSet::new();
    for number in 0..1000 {
        let (connections, address) = (Arc::clone(&connections), node.address.clone());
        calls.spawn(async move {
            let body = Bytes::from(format!("{number}"));
            let call = call(Topic::Submit, body.clone());
            (connections.call(&address, call, PATIENCE).await, body)
        });
    }
    node.waits_for(1000).await;
    node.release.cancel();
    for (answer, body) in calls.join_all().await {
        assert_eq!(answer, Ok(body));
    }
    assert_eq!(node.counters.connections(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_given_up_at_once_do_not_cost_the_connection() {
    let node = Node::start().await;
    let connections = Arc::new(Connections::new(&identity()));
    for _ in 0..3 {
        let mut calls = JoinSet::new();
        for _ in 0..1000 {
            let (connections, address) = (Arc::clone(&connections), node.address.clone());
            calls.spawn(async move {
                let call = call(Topic::Submit, "");
                connections.call(&address, call, PATIENCE).await
            });
        }
        eventually_some(&node).await;
        calls.shutdown().await;
        node.waits_for(0).await;
    }
    node.echo(&connections, "on").await.unwrap();
    assert_eq!(node.counters.connections(), 1);
    node.stop().await;
}

async fn eventually_some(node: &Node) {
    super::node::eventually(|| node.waiting.load(std::sync::atomic::Ordering::SeqCst) > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_of_clients_do_not_hold_up_what_keeps_the_cluster_alive() {
    let node = Node::start().await;
    let connections = Arc::new(Connections::new(&identity()));
    let mut calls = JoinSet::new();
    for _ in 0..1500 {
        let (connections, address) = (Arc::clone(&connections), node.address.clone());
        calls.spawn(async move {
            let call = call(Topic::Push, "");
            connections.call(&address, call, PATIENCE).await
        });
    }
    node.waits_for(1000).await;
    node.echo(&connections, "heartbeat").await.unwrap();
    assert_eq!(node.counters.connections(), 2);
    node.release.cancel();
    for answer in calls.join_all().await {
        assert_eq!(answer, Ok(Bytes::new()));
    }
    node.stop().await;
}
