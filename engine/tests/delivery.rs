//! I4 and isolation: order, batches, lag, retry, numbers.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use hermod_engine::{Level, OnOutage, OnSlowSink, State};
use hermod_sdk::{Committed, ErrorKind, Message, Position, Repeats};
use serde_json::json;

use crate::kit::{
    Answer, Index, MemorySink, MemorySource, RING, edge, engine, node, numbered, open_log, plan,
    pull_source, push_source, sink_plan, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn i4_same_key_order_is_kept_through_retries_and_refused_batches() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let messages = numbered(5000)
        .into_iter()
        .map(|message| message.with_key("one"));
    let source = MemorySource::of(messages).ending();
    let sink = MemorySink::new();
    sink.state.failures.lock().unwrap().extend([
        ErrorKind::Unavailable,
        ErrorKind::Throttled,
        ErrorKind::Auth,
    ]);
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    workflow.ended().await;
    let expected: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    assert_eq!(sink.ids(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workflows_on_one_log_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let engine = engine(Some(&log));
    let mut sinks = Vec::new();
    for id in ["a", "b"] {
        let messages = (0..500).map(|n| Message::new(format!("{id}{n}"), "{}"));
        let source = MemorySource::of(messages).ending();
        let sink = MemorySink::new();
        let plan = plan(id, pull_source(&source), vec![sink_plan("out", &sink)]);
        sinks.push((id, engine.start(plan).await.unwrap(), sink));
    }
    for (id, workflow, sink) in sinks {
        workflow.ended().await;
        let expected: Vec<String> = (0..500).map(|n| format!("{id}{n}")).collect();
        assert_eq!(sink.ids(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_sink_holds_back_only_itself_and_catches_up_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (quick, dead) = (MemorySink::new(), MemorySink::new());
    dead.set_down(true);
    let sinks = vec![sink_plan("quick", &quick), sink_plan("dead", &dead)];
    let mut plan = plan("w", push_source(), sinks);
    plan.acknowledge = Level::Durable;
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    let ingress = workflow.ingress().unwrap();
    for chunk in numbered(20_000).chunks(500) {
        ingress.submit(chunk.to_vec()).await.unwrap();
    }
    until("the healthy sink has all", || quick.count() == 20_000).await;
    let status = workflow.status();
    assert!(status.sinks[1].lagging, "{status:?}");
    assert!(
        status.sinks[1]
            .blocked
            .as_deref()
            .unwrap_or("")
            .contains("gone")
    );
    assert_eq!(status.buffered, 20_000);
    dead.set_down(false);
    until("the dead sink has caught up", || dead.count() == 20_000).await;
    until("it has joined again", || {
        !workflow.status().sinks[1].lagging
    })
    .await;
    ingress
        .submit(vec![Message::new("last", "{}")])
        .await
        .unwrap();
    until("both have the last", || {
        quick.count() == 20_001 && dead.count() == 20_001
    })
    .await;
    assert_eq!(dead.ids(), quick.ids());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_sink_slows_the_others_and_loses_nothing() {
    let (quick, slow) = (MemorySink::new(), MemorySink::new());
    slow.hold(true);
    let mut sinks = vec![sink_plan("quick", &quick), sink_plan("slow", &slow)];
    for sink in &mut sinks {
        sink.delivery.on_slow_sink = OnSlowSink::Block;
    }
    let source = MemorySource::of(numbered(20_000)).ending();
    let mut plan = plan("w", pull_source(&source), sinks);
    plan.buffer = RING;
    let workflow = engine(None).start(plan).await.unwrap();
    until("something is written", || quick.count() > 0).await;
    assert!(quick.count() < 20_000);
    slow.hold(false);
    workflow.ended().await;
    assert_eq!((quick.count(), slow.count()), (20_000, 20_000));
    assert_eq!(quick.ids(), slow.ids());
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_binary_and_text_come_out_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let payloads: Vec<Bytes> = vec![
        Bytes::from_static(
            br#"{"big":9007199254740993,"dec":0.10,"huge":123456789012345678901234567890.50}"#,
        ),
        Bytes::from((0..=255).collect::<Vec<u8>>()),
        Bytes::from_static(&[0u8; 16]),
        Bytes::from_static("{\"t\":\"\u{1F600} \\u0000 \\n\",\"n\":null}".as_bytes()),
        Bytes::new(),
    ];
    let messages = payloads.iter().enumerate().map(|(n, payload)| {
        let mut message =
            Message::new(n.to_string(), payload.clone()).with_key(vec![0xff, n as u8]);
        message.before = Some(payload.clone());
        message
    });
    let (source, whole) = (MemorySource::of(messages).ending(), MemorySink::new());
    let changed = MemorySink::new();
    let sinks = vec![sink_plan("plain", &whole), sink_plan("changed", &changed)];
    let mut plan = plan("w", pull_source(&source), sinks);
    let condition = json!({"field": "big", "operator": "=", "value": "9007199254740993"});
    let set = json!({"fields": {"seen": true, "copy": "source.huge"}});
    plan.graph
        .nodes
        .push(node("big", "condition", "", condition));
    plan.graph.nodes.push(node("mark", "mapping", "", set));
    plan.graph.edges = vec![
        edge("source", "to-plain", ""),
        edge("source", "big", ""),
        edge("big", "mark", "true"),
        edge("mark", "to-changed", ""),
    ];
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    workflow.ended().await;
    let written = whole.state.written.lock().unwrap();
    assert_eq!(written.len(), payloads.len());
    for (message, payload) in written.iter().zip(&payloads) {
        assert_eq!(message.payload.bytes(), payload);
        assert_eq!(message.before.as_ref(), Some(payload));
    }
    let changed = changed.state.written.lock().unwrap();
    let expected = r#"{"big":9007199254740993,"dec":0.10,"huge":123456789012345678901234567890.50,"seen":true,"copy":123456789012345678901234567890.50}"#;
    assert_eq!(changed[0].payload.bytes(), expected);
    // What is not JSON cannot be compared: it is a dead letter on that path, byte for byte.
    let letters = workflow.dead_letters().unwrap().list(0, 10).unwrap();
    let dead: Vec<_> = letters
        .iter()
        .map(|letter| letter.message.payload.bytes())
        .collect();
    assert_eq!(
        dead,
        [
            payloads[1].clone(),
            payloads[2].clone(),
            payloads[4].clone()
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_refused_as_a_whole_is_bisected_until_the_bad_message_is_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(64)).ending(), MemorySink::new());
    // The first six writes fail whole: 64, 32, 16, 8, 4, 2; then message 0 is alone and refused 3 times.
    sink.state
        .failures
        .lock()
        .unwrap()
        .extend([ErrorKind::Rejected; 9]);
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    workflow.ended().await;
    let letters = workflow.dead_letters().unwrap().list(0, 10).unwrap();
    let dead: Vec<&str> = letters.iter().map(|letter| &*letter.message.id).collect();
    assert_eq!(dead, ["0"]);
    let expected: Vec<String> = (1..64).map(|n| n.to_string()).collect();
    assert_eq!(sink.ids(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_sink_with_partial_answers_gets_one_message_per_key_in_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let messages = numbered(60)
        .into_iter()
        .enumerate()
        .map(|(n, message)| message.with_key(format!("k{}", n % 3)));
    let source = MemorySource::of(messages).ending();
    let mut tries = std::collections::HashMap::new();
    let sink = MemorySink::new()
        .with_spec(|spec| spec.partial = true)
        .judging(move |message| {
            let seen = tries.entry(message.id.clone()).or_insert(0);
            *seen += 1;
            // Every other message is refused for now at its first try.
            if *seen == 1 && message.id.len() % 2 == 1 {
                Answer::Retry
            } else {
                Answer::Write
            }
        });
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    engine(Some(&log)).start(plan).await.unwrap().ended().await;
    assert!(
        sink.state
            .batches
            .lock()
            .unwrap()
            .iter()
            .all(|size| *size <= 3)
    );
    for key in 0..3 {
        let numbers: Vec<usize> = sink.ids().iter().map(|id| id.parse().unwrap()).collect();
        let of_key: Vec<usize> = numbers.into_iter().filter(|n| n % 3 == key).collect();
        assert_eq!(of_key.len(), 20);
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_dead_letters_only_where_the_workflow_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(3)).ending(), MemorySink::new());
    sink.set_down(true);
    let mut sinks = vec![sink_plan("out", &sink)];
    sinks[0].delivery.on_outage = OnOutage::DeadLetter;
    let workflow = engine(Some(&log))
        .start(plan("w", pull_source(&source), sinks))
        .await
        .unwrap();
    workflow.ended().await;
    assert_eq!(workflow.status().dead_letters, Some(3));
    assert_eq!(source.acknowledged(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_probe_is_shown_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(3)).ending(), MemorySink::new());
    sink.state.probe_fails.store(true, Ordering::SeqCst);
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    until("the failure is shown", || {
        workflow
            .status()
            .reason
            .is_some_and(|reason| reason.contains("probe fails"))
    })
    .await;
    assert_eq!(workflow.status().state, State::Probing);
    assert!(source.events().is_empty(), "opened before the probe passed");
    sink.state.probe_fails.store(false, Ordering::SeqCst);
    workflow.ended().await;
    assert_eq!(sink.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_away_at_the_start_holds_back_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let source = MemorySource::of(numbered(3000));
    let (well, away) = (MemorySink::new(), MemorySink::new());
    away.state.probe_fails.store(true, Ordering::SeqCst);
    let sinks = vec![sink_plan("away", &away), sink_plan("well", &well)];
    let engine = engine(Some(&log));
    let workflow = engine
        .start(plan("w", pull_source(&source), sinks.clone()))
        .await
        .unwrap();
    until("the healthy sink has everything", || {
        well.count() == 3000 && workflow.status().sinks[1].backlog == 0
    })
    .await;
    let status = workflow.status();
    assert_eq!(status.state, State::Running);
    let blocked = status.sinks[0].blocked.as_deref().unwrap_or_default();
    assert!(blocked.contains("probe fails"), "{blocked}");
    assert_eq!(status.sinks[0].backlog, 3000);
    assert_eq!(away.count(), 0);
    // A stop does not wait for it, and loses nothing.
    workflow.drain(Duration::from_mins(10)).await;
    assert_eq!(workflow.status().state, State::Stopped);
    away.state.probe_fails.store(false, Ordering::SeqCst);
    let workflow = engine
        .start(plan("w", pull_source(&source), sinks))
        .await
        .unwrap();
    until("the other one has caught up", || away.count() == 3000).await;
    until("nothing waits", || workflow.status().buffered == 0).await;
    assert_eq!(well.count(), 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_a_transactional_sink_holds_are_skipped_by_position() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let engine = engine(Some(&log));
    let source = MemorySource::of(numbered(5));
    let sink = MemorySink::new().with_spec(|spec| spec.repeats = Repeats::Transactional);
    let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    plan.buffer = RING;
    let workflow = engine.start(plan.clone()).await.unwrap();
    until("all is acknowledged", || source.acknowledged() == 5).await;
    workflow.drain(Duration::from_secs(10)).await;
    let token = sink.state.tokens.lock().unwrap().last().cloned().unwrap();
    let generation = token
        .position
        .expect("a token carries the position")
        .generation();

    // The sink went on to 8 before a crash; the stored checkpoint is at 5.
    source.add(numbered(10).into_iter().skip(5));
    let row = |generation, stream: &str| Committed {
        stream: stream.to_owned().into(),
        epoch: token.epoch,
        last: 7,
        position: Some(Position::encode(generation, &Index(8))),
    };
    *sink.state.committed.lock().unwrap() = vec![row(generation, "gone"), row(7, "other")];
    let workflow = engine.start(plan).await.unwrap();
    until("all is acknowledged", || source.acknowledged() == 10).await;
    workflow.drain(Duration::from_secs(10)).await;
    assert_eq!(sink.ids(), ["0", "1", "2", "3", "4", "8", "9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_rejected_message_is_not_given_up_as_an_outage() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, mut blocked) = (MemorySource::of(numbered(5)).ending(), 0);
    // Like a transactional sink: behind a message that it rejects it writes nothing.
    let sink = MemorySink::new().judging(move |message| {
        if &*message.id == "0" {
            blocked = 4;
            return Answer::Reject;
        }
        if blocked > 0 {
            blocked -= 1;
            return Answer::Retry;
        }
        Answer::Write
    });
    let mut sinks = vec![sink_plan("out", &sink)];
    sinks[0].delivery.on_outage = OnOutage::DeadLetter;
    let plan = plan("w", pull_source(&source), sinks);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    workflow.ended().await;
    assert_eq!(sink.ids(), ["1", "2", "3", "4"]);
    assert_eq!(workflow.status().dead_letters, Some(1));
}
