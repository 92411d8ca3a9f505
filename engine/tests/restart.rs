//! What a workflow finds when it is started again.

use std::time::Duration;

use hermod_engine::{Level, StartError, State};
use hermod_sdk::Message;
use serde_json::json;

use crate::kit::{
    MemorySink, MemorySource, RING, edge, engine, node, numbered, open_log, plan, pull_source,
    push_source, sink_plan, straight, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn i1_acknowledged_messages_are_delivered_after_an_abrupt_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let down = MemorySink::new();
    down.set_down(true);
    let mut first = plan("w", push_source(), vec![sink_plan("out", &down)]);
    first.acknowledge = Level::Durable;
    let workflow = engine(Some(&log)).start(first.clone()).await.unwrap();
    workflow
        .ingress()
        .unwrap()
        .submit(numbered(100))
        .await
        .unwrap();
    workflow.abort();
    workflow.ended().await;
    log.close().unwrap();
    drop((workflow, log));

    let log = open_log(dir.path());
    let sink = MemorySink::new();
    first.sinks = vec![sink_plan("out", &sink)];
    let workflow = engine(Some(&log)).start(first).await.unwrap();
    until("all are delivered", || sink.count() == 100).await;
    let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(sink.ids(), expected);
    assert_eq!(workflow.status().buffered, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_each_start_has_a_higher_epoch_and_the_tokens_carry_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let engine = engine(Some(&log));
    let mut epochs = Vec::new();
    for round in 0..3 {
        let sink = MemorySink::new();
        let workflow = engine
            .start(plan("w", push_source(), vec![sink_plan("out", &sink)]))
            .await
            .unwrap();
        until("runs", || workflow.status().state == State::Running).await;
        let message = Message::new(round.to_string(), "{}");
        workflow
            .ingress()
            .unwrap()
            .submit(vec![message])
            .await
            .unwrap();
        let token = sink.state.tokens.lock().unwrap()[0].clone();
        assert_eq!(token.epoch, workflow.status().epoch);
        assert_eq!(
            (token.first, token.last),
            (round, round),
            "one buffer goes on counting"
        );
        epochs.push(token.epoch);
        workflow.drain(Duration::from_secs(10)).await;
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_readable_source_goes_on_behind_the_stored_position() {
    for ring in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let engine = engine(Some(&log));
        let source = MemorySource::of(numbered(50));
        let sink = MemorySink::new();
        for round in 1..=3 {
            let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
            if ring {
                plan.buffer = RING;
            }
            let workflow = engine.start(plan).await.unwrap();
            until("all is acknowledged", || {
                source.acknowledged() == 50 * round
            })
            .await;
            workflow.drain(Duration::from_secs(10)).await;
            source.add(numbered(50));
        }
        let opens: Vec<String> = source
            .events()
            .into_iter()
            .filter(|event| event.starts_with("open"))
            .collect();
        assert_eq!(opens, ["open 0", "open 50", "open 100"]);
        assert_eq!(sink.count(), 150);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sink_with_a_backlog_is_asked_about_and_a_new_one_begins_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (kept, gone) = (MemorySink::new(), MemorySink::new());
    gone.set_down(true);
    let sinks = vec![sink_plan("kept", &kept), sink_plan("gone", &gone)];
    let mut first = plan("w", push_source(), sinks);
    first.acknowledge = Level::Durable;
    let workflow = engine(Some(&log)).start(first.clone()).await.unwrap();
    workflow
        .ingress()
        .unwrap()
        .submit(numbered(7))
        .await
        .unwrap();
    until("one has all", || kept.count() == 7).await;
    workflow.drain(Duration::from_millis(100)).await;

    let new = MemorySink::new();
    let mut second = first;
    second.sinks = vec![sink_plan("kept", &kept), sink_plan("new", &new)];
    second.graph = straight(&["kept", "new"]);
    let refused = engine(Some(&log))
        .start(second.clone())
        .await
        .err()
        .expect("refused");
    assert!(
        matches!(&refused, StartError::RemovedSink { sink, backlog: 7 } if sink == "gone"),
        "{refused}"
    );
    let options = hermod_engine::EngineOptions {
        log: Some(log.clone()),
        drop_removed_sinks: vec!["gone".into()],
        ..hermod_engine::EngineOptions::default()
    };
    let workflow = hermod_engine::Engine::new(options)
        .start(second)
        .await
        .unwrap();
    workflow
        .ingress()
        .unwrap()
        .submit(vec![Message::new("later", "{}")])
        .await
        .unwrap();
    until("both have the later one", || {
        kept.count() == 8 && new.count() == 1
    })
    .await;
    assert_eq!(new.ids(), ["later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_evaluated_under_the_version_that_accepted_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let sink = MemorySink::new();
    sink.set_down(true);
    let mark = |version: u64| {
        let mut plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
        plan.acknowledge = Level::Durable;
        plan.graph.nodes.push(node(
            "mark",
            "mapping",
            "",
            json!({"fields": {"v": version}}),
        ));
        plan.graph.edges = vec![edge("source", "mark", ""), edge("mark", "to-out", "")];
        plan
    };
    for version in 1..=3 {
        let workflow = engine(Some(&log)).start(mark(version)).await.unwrap();
        let ingress = workflow.ingress().unwrap();
        ingress
            .submit(vec![Message::new(version.to_string(), "{}")])
            .await
            .unwrap();
        workflow.drain(Duration::from_millis(50)).await;
    }
    sink.set_down(false);
    let workflow = engine(Some(&log)).start(mark(4)).await.unwrap();
    workflow
        .ingress()
        .unwrap()
        .submit(vec![Message::new("4", "{}")])
        .await
        .unwrap();
    until("all are delivered", || sink.count() == 4).await;
    let written = sink.state.written.lock().unwrap();
    let payloads: Vec<_> = written
        .iter()
        .map(|message| message.payload.bytes())
        .collect();
    assert_eq!(
        payloads,
        [r#"{"v":1}"#, r#"{"v":2}"#, r#"{"v":3}"#, r#"{"v":4}"#]
    );
}
