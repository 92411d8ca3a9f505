//! What an owner under a lease finds, keeps and leaves behind.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hermod_engine::{Ended, Level, Overtaken, Ownership, Replica, SetAside, StartError, State};
use hermod_sdk::Position;
use hermod_wal::Log;

use crate::kit::{
    Index, MemorySink, MemorySource, RING, engine, numbered, open_log, plan, pull_source,
    push_source, sink_plan, until,
};

/// A store's checkpoint of one workflow, shared by all its owners.
#[derive(Clone, Default)]
struct Shelf {
    position: Arc<Mutex<Option<Position>>>,
    away: Arc<AtomicBool>,
    refuses: Arc<AtomicBool>,
}

#[async_trait]
impl Replica for Shelf {
    async fn keep(&self, position: &Position) -> Result<(), Overtaken> {
        while self.away.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if self.refuses.load(Ordering::SeqCst) {
            let reason = "a newer owner has it".to_owned();
            return Err(Overtaken { reason });
        }
        *self.position.lock().unwrap() = Some(position.clone());
        Ok(())
    }
}

impl Shelf {
    fn index(&self) -> Option<u64> {
        let position = self.position.lock().unwrap().clone()?;
        Some(position.decode::<Index>().unwrap().0)
    }

    fn ownership(&self, epoch: u64, since: u64) -> Ownership {
        Ownership {
            store: "s1".into(),
            epoch,
            since,
            position: self.position.lock().unwrap().clone(),
            generation: 7,
            replica: Arc::new(self.clone()),
        }
    }
}

fn node() -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    (dir, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_source_hears_of_a_position_only_once_the_store_has_it() {
    for level in [Level::Delivered, Level::Durable] {
        let (_dir, log) = node();
        let (source, sink, shelf) = (
            MemorySource::of(numbered(50)),
            MemorySink::new(),
            Shelf::default(),
        );
        shelf.away.store(true, Ordering::SeqCst);
        let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
        plan.acknowledge = level;
        let workflow = engine(Some(&log))
            .start_owned(plan, shelf.ownership(100, 100))
            .await
            .unwrap();
        until("all is delivered", || sink.count() == 50).await;
        until("the log has the cursor", || workflow.status().buffered == 0).await;
        assert_eq!(source.acknowledged(), 0, "{level:?}");
        shelf.away.store(false, Ordering::SeqCst);
        until("the source has heard", || source.acknowledged() == 50).await;
        assert_eq!(shelf.index(), Some(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_goes_on_behind_the_position_of_the_store_in_the_same_generation() {
    for ring in [false, true] {
        let (shelf, sink) = (Shelf::default(), MemorySink::new());
        let source = MemorySource::of(numbered(20));
        let mut plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
        if ring {
            plan.buffer = RING;
        }
        let (_first_dir, first) = node();
        let workflow = engine(Some(&first))
            .start_owned(plan.clone(), shelf.ownership(100, 100))
            .await
            .unwrap();
        until("the store has the end", || shelf.index() == Some(20)).await;
        workflow.abort();
        workflow.ended().await;

        source.add(numbered(40).into_iter().skip(20));
        let (_second_dir, second) = node();
        let workflow = engine(Some(&second))
            .start_owned(plan, shelf.ownership(200, 200))
            .await
            .unwrap();
        until("the rest arrives", || sink.count() == 40).await;
        assert_eq!(workflow.status().epoch, 200);
        assert_eq!(
            sink.ids(),
            (0..40).map(|n| n.to_string()).collect::<Vec<_>>()
        );
        let tokens = sink.state.tokens.lock().unwrap();
        let generations: Vec<u64> = tokens
            .iter()
            .filter_map(|token| Some(token.position.as_ref()?.generation()))
            .collect();
        assert!(
            generations.iter().all(|generation| *generation == 7),
            "{generations:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_position_that_the_store_refuses_ends_the_workflow() {
    let (_dir, log) = node();
    let (source, sink, shelf) = (
        MemorySource::of(numbered(5)),
        MemorySink::new(),
        Shelf::default(),
    );
    shelf.refuses.store(true, Ordering::SeqCst);
    let plan = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let workflow = engine(Some(&log))
        .start_owned(plan, shelf.ownership(100, 100))
        .await
        .unwrap();
    let ended = workflow.ended().await;
    assert!(matches!(ended, Ended::Failed { error } if error.contains("newer owner")));
    assert_eq!(source.acknowledged(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_an_epoch_that_is_not_above_the_last_is_refused() {
    let (_dir, log) = node();
    let shelf = Shelf::default();
    let engine = engine(Some(&log));
    let plan = |sink: &MemorySink| plan("w", push_source(), vec![sink_plan("out", sink)]);
    let sink = MemorySink::new();
    let workflow = engine
        .start_owned(plan(&sink), shelf.ownership(100, 100))
        .await
        .unwrap();
    workflow.drain(Duration::from_secs(10)).await;
    for epoch in [99, 100] {
        let refused = engine
            .start_owned(plan(&sink), shelf.ownership(epoch, 50))
            .await;
        assert!(matches!(
            refused,
            Err(StartError::Stale { latest: 100, .. })
        ));
    }
}

/// Leaves `count` messages of level `durable` in the log of a node that is then overtaken.
async fn left_behind(log: &Log, shelf: &Shelf, count: usize) {
    let down = MemorySink::new();
    down.set_down(true);
    let mut plan = plan("w", push_source(), vec![sink_plan("out", &down)]);
    plan.acknowledge = Level::Durable;
    let workflow = engine(Some(log))
        .start_owned(plan, shelf.ownership(100, 100))
        .await
        .unwrap();
    let ingress = workflow.ingress().unwrap();
    ingress.submit(numbered(count)).await.unwrap();
    workflow.abort();
    workflow.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_an_overtaken_durable_buffer_is_stranded_and_drained_beside_the_new_one() {
    let ((_dir, log), shelf) = (node(), Shelf::default());
    left_behind(&log, &shelf, 30).await;
    // Another node had it in between; this one has it again, in a new tenure.
    let (engine, sink) = (engine(Some(&log)), MemorySink::new());
    let mut plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    plan.acknowledge = Level::Durable;
    let workflow = engine
        .start_owned(plan.clone(), shelf.ownership(300, 300))
        .await
        .unwrap();
    let ingress = workflow.ingress().unwrap();
    ingress
        .submit(numbered(35).into_iter().skip(30).collect())
        .await
        .unwrap();
    until("what is new arrives", || sink.count() == 5).await;
    let stranded: Vec<_> = engine
        .backlogs()
        .into_iter()
        .filter(hermod_engine::Backlog::is_set_aside)
        .collect();
    assert_eq!(stranded.len(), 1);
    assert_eq!((stranded[0].messages(), stranded[0].epoch), (30, 100));
    assert_eq!(stranded[0].workflow, "w");

    let drain = engine
        .drain_stranded(plan, &stranded[0].scope, 400)
        .await
        .unwrap();
    assert_eq!(drain.ended().await, Ended::Completed);
    let mut drained = sink.ids().split_off(5);
    drained.truncate(30);
    assert_eq!(drained, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(workflow.status().state, State::Running);
    engine.discard_stranded(&stranded[0].scope).await.unwrap();
    assert_eq!(engine.backlogs().len(), 1, "only the buffer in use is left");
    assert_eq!(engine.workflows().len(), 1, "a drain is no workflow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_own_the_workflow_sets_its_buffer_aside() {
    let ((dir, log), shelf) = (node(), Shelf::default());
    left_behind(&log, &shelf, 3).await;
    let engine = engine(Some(&log));
    let same = engine.set_aside("w", "s1", 100).await.unwrap();
    assert_eq!(same, SetAside::Nothing, "nobody has overtaken it");
    let aside = engine.set_aside("w", "s1", 150).await.unwrap();
    assert!(matches!(&aside, SetAside::Stranded(backlog) if backlog.messages() == 3));
    drop(engine);
    log.close().unwrap();
    drop(log);
    // It is all in the log: another process finds the same.
    let log = open_log(dir.path());
    let engine = crate::kit::engine(Some(&log));
    let found = engine.backlogs();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_set_aside());
    let sink = MemorySink::new();
    let plan = plan("w", push_source(), vec![sink_plan("out", &sink)]);
    let drain = engine.drain_stranded(plan, &found[0].scope, 160).await;
    assert_eq!(drain.unwrap().ended().await, Ended::Completed);
    assert_eq!(sink.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_buffer_of_level_delivered_is_discarded_for_the_source_has_it() {
    let ((_dir, log), shelf) = (node(), Shelf::default());
    let (source, down) = (MemorySource::of(numbered(10)), MemorySink::new());
    down.set_down(true);
    let first = plan("w", pull_source(&source), vec![sink_plan("out", &down)]);
    let engine = engine(Some(&log));
    let workflow = engine
        .start_owned(first, shelf.ownership(100, 100))
        .await
        .unwrap();
    until("all is buffered", || workflow.status().next == 10).await;
    workflow.abort();
    workflow.ended().await;
    // The other node came to 4.
    *shelf.position.lock().unwrap() = Some(Position::encode(7, &Index(4)));
    let sink = MemorySink::new();
    let second = plan("w", pull_source(&source), vec![sink_plan("out", &sink)]);
    let _workflow = engine
        .start_owned(second, shelf.ownership(300, 300))
        .await
        .unwrap();
    until("the rest arrives", || sink.count() == 6).await;
    assert_eq!(sink.ids(), ["4", "5", "6", "7", "8", "9"]);
    assert_eq!(engine.backlogs().len(), 1);
}
