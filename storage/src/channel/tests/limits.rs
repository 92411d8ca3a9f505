//! I9: everything has a limit, and what is beyond it is refused.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hermod_proto::cluster::v1::{
    CallReply, CallRequest, call_reply::Answer, node_client::NodeClient,
};
use http::Uri;
use tonic::{Response, Status};

use super::node::{Node, PATIENCE, call, identity};
use crate::channel::{
    BODY_BYTES_MAX, CallError, Channel as _, Connections, Topic, link::Link, service::REFUSED,
    tasks::Tasks,
};

const MIB: usize = 1 << 20;

/// A member that keeps to nothing.
struct Rude {
    tasks: Tasks,
    link: Arc<Link>,
}

impl Rude {
    fn new(node: &Node) -> Self {
        Self {
            tasks: Tasks::default(),
            link: Arc::new(Link::new(&node.address, &identity())),
        }
    }

    async fn call(&self, request: CallRequest) -> Result<Response<CallReply>, Status> {
        let wire = self.link.wire(&self.tasks).await.unwrap();
        NodeClient::with_origin(wire, Uri::from_static("https://node.hermod.internal"))
            .call(request)
            .await
    }
}

fn request() -> CallRequest {
    CallRequest {
        topic: Topic::RaftAppend as u32,
        timeout_ms: 10_000,
        ..CallRequest::default()
    }
}

async fn refusal(rude: &Rude, request: CallRequest) -> String {
    match rude.call(request).await.unwrap().into_inner().answer {
        Some(Answer::Refusal(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_large_body_goes_through_and_a_larger_one_is_refused() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    for bytes in [16 * MIB, BODY_BYTES_MAX] {
        let large = call(Topic::RaftAppend, vec![3; bytes]);
        let answer = connections.call(&node.address, large, PATIENCE).await;
        assert!(answer == Ok(Bytes::from(vec![3; bytes])), "{bytes} bytes");
    }
    let larger = call(Topic::RaftAppend, vec![3; 21 * MIB]);
    let answer = connections.call(&node.address, larger, PATIENCE).await;
    assert!(matches!(answer, Err(CallError::Refused { .. })));
    assert_eq!(node.counters.calls(), 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_node_refuses_a_larger_body_by_itself() {
    let node = Node::start().await;
    let rude = Rude::new(&node);
    let mut large = request();
    large.body = vec![3; 21 * MIB].into();
    let status = rude.call(large).await.unwrap_err();
    assert!(status.metadata().contains_key(REFUSED), "{status:?}");
    assert_eq!(node.counters.calls(), 0);

    assert!(rude.call(request()).await.is_ok(), "the connection stands");
    assert_eq!(node.counters.connections(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_an_answer_that_is_too_large_leaves_it_unknown_what_was_done() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    for (bytes, known) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let question = call(Topic::Question, bytes.to_string());
        match connections.call(&node.address, question, PATIENCE).await {
            Ok(body) => assert!(known && body.len() == bytes),
            Err(CallError::Unknown { .. }) => assert!(!known),
            Err(error) => panic!("{error}"),
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_topic_is_refused() {
    let node = Node::start().await;
    let rude = Rude::new(&node);
    for topic in [0, 10, 34, 65_537] {
        let unknown = CallRequest { topic, ..request() };
        let reason = refusal(&rude, unknown).await;
        assert_eq!(reason, format!("topic {topic} is not known here"));
    }
    assert_eq!(node.counters.calls(), 0);
    assert_eq!(node.counters.refused_calls(), 4);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_time_is_refused() {
    let node = Node::start().await;
    let mut late = request();
    late.timeout_ms = 0;
    let reason = refusal(&Rude::new(&node), late).await;
    assert_eq!(reason, "no time is left for it");
    node.stop().await;
}

/// Whoever sends, the node ends a call by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_gives_up_when_its_caller_does() {
    let node = Node::start().await;
    let mut slow = request();
    slow.topic = Topic::Submit as u32;
    slow.timeout_ms = 200;
    let status = Rude::new(&node).call(slow).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert!(!status.metadata().contains_key(REFUSED));
    node.waits_for(0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_links_are_bounded_and_dead_ones_make_room() {
    let connections = Connections::new(&identity());
    // Nothing listens on port 1: each address is tried, and its link is closed again.
    for number in 0..600 {
        let address = format!("127.0.{}.{}:1", number / 200, 1 + number % 200);
        let answer = connections
            .call(&address, call(Topic::Hello, ""), Duration::from_secs(5))
            .await;
        assert!(
            matches!(&answer, Err(CallError::Unreachable { reason, .. }) if !reason.contains("too many")),
            "{answer:?}"
        );
    }
    let node = Node::start().await;
    node.echo(&connections, "on").await.unwrap();
    node.stop().await;
}
