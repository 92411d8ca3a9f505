//! I1, I2, I3: what a source and a sender are told, and when.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hermod_engine::{Ended, Level, State, SubmitError};
use hermod_sdk::Message;
use serde_json::json;

use crate::kit::{
    Answer, MemorySink, MemorySource, RING, edge, engine, node, numbered, open_log, plan,
    pull_source, push_source, sink_plan, straight, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn i3_head_of_line_gap_is_never_passed_by_an_acknowledgement() {
    for ring in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let stuck = Arc::new(AtomicBool::new(true));
        let held = stuck.clone();
        let sink = MemorySink::new().judging(move |message| {
            if &*message.id == "5" && held.load(Ordering::SeqCst) {
                Answer::Retry
            } else {
                Answer::Write
            }
        });
        let source = MemorySource::of(numbered(50));
        let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
        if ring {
            plan.buffer = RING;
        }
        let workflow = engine(Some(&log)).start(plan).await.unwrap();
        until("the others are written", || sink.count() >= 49).await;
        assert!(
            source.acknowledged() <= 5,
            "acknowledged {}",
            source.acknowledged()
        );
        stuck.store(false, Ordering::SeqCst);
        until("all is acknowledged", || source.acknowledged() == 50).await;
        let acknowledged = source.state.acknowledged.lock().unwrap().clone();
        assert!(acknowledged.is_sorted(), "{acknowledged:?}");
        workflow.drain(std::time::Duration::from_secs(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_filtered_messages_are_acknowledged_and_are_no_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(100)), MemorySink::new());
    let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let condition = json!({"conditions": [{"field": "n", "operator": ">", "value": "1000"}]});
    plan.graph = straight(&["out"]);
    plan.graph.nodes.push(node("keep", "filter", "", condition));
    plan.graph.edges = vec![edge("source", "keep", ""), edge("keep", "to-out", "")];
    let engine = engine(Some(&log));
    let workflow = engine.start(plan).await.unwrap();
    until("all is acknowledged", || source.acknowledged() == 100).await;
    assert_eq!(sink.count(), 0);
    assert_eq!(workflow.status().dead_letters, Some(0));
    let text = engine.metrics().text();
    let counted = "hermod_engine_messages_filtered_total{workflow_id=\"w\"} 100";
    assert!(text.contains(counted), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_without_a_place_for_dead_letters_nothing_is_acknowledged() {
    let source = MemorySource::of(numbered(20));
    let sink = MemorySink::new().judging(|_| Answer::Reject);
    let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    plan.buffer = RING;
    let workflow = engine(None).start(plan).await.unwrap();
    let Ended::Failed { error } = workflow.ended().await else {
        panic!("must fail")
    };
    assert!(error.contains("no log for dead letters"), "{error}");
    assert_eq!(source.acknowledged(), 0);
    assert_eq!(workflow.status().state, State::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_durable_push_is_answered_while_the_sink_is_gone_and_delivered_push_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let engine = engine(Some(&log));
    let sink = MemorySink::new();
    sink.set_down(true);
    let mut durable = plan("durable", push_source(), vec![sink_plan("out", &sink)]);
    durable.acknowledge = Level::Durable;
    let delivered = plan("delivered", push_source(), vec![sink_plan("out", &sink)]);
    let durable = engine.start(durable).await.unwrap().ingress().unwrap();
    let delivered = engine.start(delivered).await.unwrap();
    until("runs", || delivered.status().state == State::Running).await;
    let delivered = delivered.ingress().unwrap();
    durable.submit(vec![Message::new("a", "1")]).await.unwrap();
    let mut waiting = Box::pin(delivered.submit(vec![Message::new("b", "2")]));
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "answered before any sink had it: {early:?}");
    sink.set_down(false);
    waiting.await.unwrap();
    assert!(sink.ids().contains(&"b".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_ring_answers_only_after_the_sink_has_confirmed() {
    let sink = MemorySink::new();
    sink.hold(true);
    let mut plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    plan.buffer = RING;
    let workflow = engine(None).start(plan).await.unwrap();
    until("runs", || workflow.status().state == State::Running).await;
    let ingress = workflow.ingress().unwrap();
    let mut waiting = Box::pin(ingress.submit(vec![Message::new("a", "1")]));
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err());
    sink.hold(false);
    waiting.await.unwrap();
    assert_eq!(sink.ids(), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_full_ring_refuses_pushes_and_says_when_to_come_back() {
    let sink = MemorySink::new();
    sink.hold(true);
    let mut plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    plan.buffer = hermod_engine::BufferPlan::Ring {
        messages: 2,
        bytes: 1 << 20,
    };
    let workflow = engine(None).start(plan).await.unwrap();
    until("runs", || workflow.status().state == State::Running).await;
    let ingress = workflow.ingress().unwrap();
    let waiting = ingress.clone();
    let first = tokio::task::spawn(async move {
        waiting
            .submit(vec![Message::new("a", ""), Message::new("b", "")])
            .await
    });
    until("the ring is full", || workflow.status().buffered == 2).await;
    let refused = ingress
        .submit(vec![Message::new("c", "")])
        .await
        .unwrap_err();
    assert!(matches!(refused, SubmitError::Full { .. }), "{refused:?}");
    sink.hold(false);
    first.await.unwrap().unwrap();
    assert_eq!(sink.ids(), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_source_is_told_a_position_only_after_the_log_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(30)), MemorySink::new());
    let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    plan.buffer = RING;
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    until("all is acknowledged", || source.acknowledged() == 30).await;
    workflow.abort();
    workflow.ended().await;
    log.close().unwrap();
    drop((workflow, log));
    let log = open_log(dir.path());
    let stored = log.register("position/w/in").expect("position is stored");
    let stored = hermod_sdk::Position::from_bytes(&stored).unwrap();
    assert_eq!(stored.decode::<crate::kit::Index>().unwrap().0, 30);
}
