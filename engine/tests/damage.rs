//! I6: what damage of the log takes is named, and everything else is delivered.

use std::{fs, path::Path, time::Duration};

use hermod_engine::{DeadLetterError, Fate, Level, Origin};
use hermod_sdk::Message;

use crate::kit::{MemorySink, engine, open_log, plan, push_source, sink_plan, until};

const COUNT: u64 = 1000;

fn marked(number: u64) -> Message {
    Message::new(
        number.to_string(),
        format!("<<{number:06}>>{}", "x".repeat(200)),
    )
}

/// Leaves a backlog of [`COUNT`] messages for two sinks, and flips one bit of message `victim`.
async fn backlog_with_damage(dir: &Path, victim: u64) {
    let log = open_log(dir);
    let (down, also) = (MemorySink::new(), MemorySink::new());
    down.set_down(true);
    also.set_down(true);
    let mut plan = plan(
        "w",
        push_source(),
        vec![sink_plan("a", &down), sink_plan("b", &also)],
    );
    plan.acknowledge = Level::Durable;
    let workflow = engine(Some(&log)).start(plan).await.unwrap();
    let ingress = workflow.ingress().unwrap();
    for first in (0..COUNT).step_by(100) {
        let messages = (first..first + 100).map(marked).collect();
        ingress.submit(messages).await.unwrap();
    }
    workflow.abort();
    workflow.ended().await;
    log.close().unwrap();
    drop((workflow, log));
    let needle = format!("<<{victim:06}>>").into_bytes();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(needle.len()).position(|part| part == needle) {
            bytes[at + 100] ^= 4;
            fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("message {victim} is in no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_damaged_message_becomes_a_dead_letter_and_all_others_are_delivered() {
    let dir = tempfile::tempdir().unwrap();
    backlog_with_damage(dir.path(), 500).await;
    let log = open_log(dir.path());
    let (a, b) = (MemorySink::new(), MemorySink::new());
    let sinks = vec![sink_plan("a", &a), sink_plan("b", &b)];
    let mut plan = plan("w", push_source(), sinks);
    plan.acknowledge = Level::Durable;
    let engine = engine(Some(&log));
    let workflow = engine.start(plan.clone()).await.unwrap();
    until("the backlog is delivered", || {
        workflow.status().sinks.iter().all(|sink| sink.backlog == 0)
    })
    .await;
    let expected: Vec<String> = (0..COUNT)
        .filter(|number| *number != 500)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(a.ids(), expected, "in order, without the one that is lost");
    assert_eq!(b.ids(), expected);

    let letters = workflow.dead_letters().unwrap();
    let found = letters.list(0, 10).unwrap();
    let mut sinks: Vec<_> = found.iter().map(|letter| letter.sinks.concat()).collect();
    sinks.sort();
    assert_eq!(sinks, ["a", "b"], "one for each sink that did not get it");
    for letter in &found {
        assert!(matches!(&letter.origin, Origin::Log(place) if place.starts_with("segment ")));
        assert_eq!(&*letter.kind, "damaged");
        assert!(letter.reason.contains("500"), "{}", letter.reason);
        let refused = workflow.replay(&[letter.seq]).await;
        assert!(matches!(refused, Err(DeadLetterError::Lost { .. })));
    }
    assert!(
        engine
            .metrics_text()
            .contains("hermod_engine_messages_lost_total{sink_id=\"a\",workflow_id=\"w\"} 1")
    );

    // The next start begins behind it: nothing is named or delivered twice.
    workflow.drain(Duration::from_secs(10)).await;
    let workflow = engine.start(plan).await.unwrap();
    workflow
        .ingress()
        .unwrap()
        .submit(vec![marked(COUNT)])
        .await
        .unwrap();
    until("the new message arrives", || {
        a.count() == expected.len() + 1
    })
    .await;
    assert_eq!(letters.count(), 2);
    let seqs: Vec<_> = found.iter().map(|letter| letter.seq).collect();
    letters.discard(&seqs).await.unwrap();
    assert_eq!(letters.list(0, 10).unwrap().len(), 0);
    assert_eq!(found[0].state, Fate::Open);
}
