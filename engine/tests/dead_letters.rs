//! Dead letters: durable, listed, replayed, discarded.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hermod_engine::{DeadLetterError, DeadLetters, Fate, Level, Origin, State};
use hermod_sdk::Message;
use serde_json::json;

use crate::kit::{
    Answer, MemorySink, RING, edge, engine, node, open_log, plan, push_source, sink_plan, straight,
    until,
};

fn refusing(id: &'static str) -> (MemorySink, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(true));
    let flag = refuses.clone();
    let sink = MemorySink::new().judging(move |message| {
        if &*message.id == id && flag.load(Ordering::SeqCst) {
            Answer::Reject
        } else {
            Answer::Write
        }
    });
    (sink, refuses)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_kept_with_its_reason_and_replayed_to_the_sink_that_refused_it() {
    for ring in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let (sink, refuses) = refusing("bad");
        let other = MemorySink::new();
        let sinks = vec![sink_plan("strict", &sink), sink_plan("other", &other)];
        let mut plan = plan("w", push_source(), sinks);
        if ring {
            plan.buffer = RING;
        }
        let workflow = engine(Some(&log)).start(plan).await.unwrap();
        until("runs", || workflow.status().state == State::Running).await;
        let ingress = workflow.ingress().unwrap();
        for id in ["a", "bad", "c"] {
            ingress.submit(vec![Message::new(id, "{}")]).await.unwrap();
        }
        let letters = workflow.dead_letters().unwrap();
        let letter = letters.get(0).unwrap();
        assert_eq!(letter.reason, "scripted rejection");
        assert_eq!(letter.origin, Origin::Sink("strict".into()));
        assert_eq!((letter.attempts, letter.state), (3, Fate::Open));
        assert_eq!(sink.ids(), ["a", "c"]);
        refuses.store(false, Ordering::SeqCst);
        assert_eq!(workflow.replay(&[0]).await.unwrap(), 1);
        until("the sink has it", || sink.count() == 3).await;
        assert_eq!(sink.ids(), ["a", "c", "bad"]);
        assert_eq!(
            other.ids(),
            ["a", "bad", "c"],
            "the other sink must not get it again"
        );
        assert_eq!(letters.count(), 0);
        let again = workflow.replay(&[0]).await.unwrap_err();
        let gone = matches!(
            again,
            DeadLetterError::Closed { .. } | DeadLetterError::Missing { .. }
        );
        assert!(gone, "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fails_dead_letters_for_its_own_path_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (mapped, whole) = (MemorySink::new(), MemorySink::new());
    let sinks = vec![sink_plan("mapped", &mapped), sink_plan("plain", &whole)];
    let mut plan = plan("w", push_source(), sinks);
    plan.acknowledge = Level::Durable;
    plan.graph = straight(&["mapped", "plain"]);
    plan.graph
        .nodes
        .push(node("set", "mapping", "", json!({"fields": {"x": 1}})));
    plan.graph.edges = vec![
        edge("source", "set", ""),
        edge("set", "to-mapped", ""),
        edge("source", "to-plain", ""),
    ];
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    let ingress = workflow.ingress().unwrap();
    ingress
        .submit(vec![Message::new("1", "not json"), Message::new("2", "{}")])
        .await
        .unwrap();
    until("both are through", || {
        whole.count() == 2 && mapped.count() == 1
    })
    .await;
    let letter = workflow.dead_letters().unwrap().get(0).unwrap();
    assert_eq!(letter.origin, Origin::Node("set".into()));
    assert_eq!(letter.sinks, ["mapped"]);
    assert_eq!(letter.message.payload.bytes(), "not json");
    assert_eq!(mapped.ids(), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_survive_a_restart_and_are_discarded_and_replayed_offline() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open_log(dir.path());
        let sink = MemorySink::new().judging(|_| Answer::Reject);
        let plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
        let workflow = engine(Some(&log)).start(plan).await.unwrap();
        until("runs", || workflow.status().state == State::Running).await;
        let ingress = workflow.ingress().unwrap();
        for id in ["a", "b", "c"] {
            ingress.submit(vec![Message::new(id, "{}")]).await.unwrap();
        }
        workflow.abort();
        workflow.ended().await;
        log.close().unwrap();
    }
    {
        let log = open_log(dir.path());
        assert_eq!(DeadLetters::workflows(&log), ["w"]);
        let letters = DeadLetters::open(&log, "w").unwrap();
        assert_eq!(letters.count(), 3);
        assert_eq!(letters.discard(&[1]).await.unwrap(), 1);
        assert_eq!(letters.get(1).unwrap().state, Fate::Discarded);
        assert_eq!(letters.replay_offline(&[0]).await.unwrap(), 1);
        assert!(
            letters.discard(&[0]).await.is_err(),
            "it is replayed already"
        );
        assert!(letters.get(9).is_err());
        assert_eq!(
            letters.bounds().0,
            2,
            "a prefix without open ones is trimmed"
        );
        log.close().unwrap();
    }
    let log = open_log(dir.path());
    let sink = MemorySink::new();
    let plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    until("the replayed one arrives", || sink.count() == 1).await;
    assert_eq!(sink.ids(), ["a"]);
    assert_eq!(workflow.status().dead_letters, Some(1));
}
