//! The order of the end: stop intake, drain, flush, checkpoint, acknowledge, close.

use std::time::Duration;

use hermod_engine::{Ended, Level, State, SubmitError};
use hermod_sdk::Message;

use crate::kit::{
    MemorySink, MemorySource, RING, engine, numbered, open_log, plan, pull_source, push_source,
    sink_plan, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_delivers_everything_that_was_read_and_acknowledges_before_it_closes() {
    for ring in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let (source, sink) = (MemorySource::of(numbered(440)), MemorySink::new());
        sink.hold(true);
        let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
        if ring {
            plan.buffer = RING;
        }
        let workflow = engine(Some(&log)).start(plan).await.unwrap();
        until("everything is read", || workflow.status().next == 440).await;
        let draining = workflow.clone();
        let drain = tokio::task::spawn(async move { draining.drain(Duration::from_mins(1)).await });
        until("it drains", || workflow.status().state == State::Draining).await;
        sink.hold(false);
        assert_eq!(drain.await.unwrap().undelivered, 0);
        assert_eq!(workflow.ended().await, Ended::Stopped);
        assert_eq!(sink.count(), 440);
        assert_eq!(*sink.state.events.lock().unwrap(), ["flush", "close"]);
        let events = source.events();
        assert_eq!(events.last().map(String::as_str), Some("close"));
        assert_eq!(events[events.len() - 2], "acknowledge 440", "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_at_its_deadline_and_says_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let sink = MemorySink::new();
    sink.set_down(true);
    let mut plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    plan.acknowledge = Level::Durable;
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    let ingress = workflow.ingress().unwrap();
    ingress.submit(numbered(10)).await.unwrap();
    let drained = workflow.drain(Duration::from_millis(200)).await;
    assert_eq!(drained.undelivered, 10);
    let refused = ingress
        .submit(vec![Message::new("late", "")])
        .await
        .unwrap_err();
    let closed = matches!(
        refused,
        SubmitError::Draining | SubmitError::NotRunning { .. }
    );
    assert!(closed, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_ends_completes_the_workflow_after_the_last_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (source, sink) = (MemorySource::of(numbered(1000)).ending(), MemorySink::new());
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    assert_eq!(workflow.ended().await, Ended::Completed);
    assert_eq!((sink.count(), source.acknowledged()), (1000, 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_ends_at_once_even_if_a_sink_hangs() {
    let sink = MemorySink::new();
    sink.hold(true);
    let source = MemorySource::of(numbered(10));
    let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    plan.buffer = RING;
    let workflow = engine(None).start(plan).await.unwrap();
    until("runs", || workflow.status().state == State::Running).await;
    workflow.abort();
    assert_eq!(workflow.ended().await, Ended::Stopped);
    assert_eq!(source.acknowledged(), 0);
}
