//! A cluster of one.

use std::{path::Path, sync::Arc};

use hermod_storage::{
    Answer, EntryDraft, EntryQuery, Event, Expect, Key, Kind, Operation, Owner, Raft, RaftOptions,
    Range, Read, Role, Store, StoreErrorKind, Transaction,
};

use super::{network::Network, open_unlocked};

async fn open(dir: &Path) -> Arc<Raft> {
    let network = Arc::new(Network::default());
    let options = RaftOptions::new(dir, "one", network.end("one:1"));
    open_unlocked(&options).await.unwrap()
}

fn put(id: &str, document: &'static str) -> Operation {
    let key = Key::new(Kind::Workflow, id);
    let draft = EntryDraft {
        action: "workflow.put".into(),
        ..EntryDraft::default()
    };
    Operation::Commit(
        Transaction::new()
            .put(key, Expect::Any, document)
            .record(draft),
    )
}

#[tokio::test]
async fn what_is_answered_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let id = (store.id(), store.cluster());
    assert_eq!(store.health().role, Role::Leader);
    assert!(store.health().writable);
    let mut watch = store.watch();
    let owner = Owner { node: 1, start: 1 };
    let acquire = Operation::Acquire {
        lease: "w".into(),
        owner: owner.clone(),
        ttl_ms: 10_000,
    };
    let answers = store
        .submit(vec![put("a", "1"), acquire.clone(), put("b", "2")])
        .await
        .unwrap();
    let Answer::Granted(grant) = &answers[1] else {
        panic!("not granted: {answers:?}");
    };
    assert_eq!(watch.changed().await.len(), 3);
    store.close().await;
    let closed = store.submit(vec![put("c", "3")]).await.unwrap_err();
    assert_eq!(closed.kind(), StoreErrorKind::Stopped);
    drop(store);

    let store = open(dir.path()).await;
    assert_eq!((store.id(), store.cluster()), id);
    let range = Range::all(Kind::Workflow);
    let objects = store.list(&range, Read::Latest).await.unwrap();
    let documents: Vec<_> = objects.iter().map(|object| &*object.document).collect();
    assert_eq!(documents, [b"1", b"2"]);
    let lease = store.lease("w", Read::Latest).await.unwrap().unwrap();
    assert_eq!((lease.epoch, lease.owner), (grant.epoch, Some(owner)));
    let entries = store.entries(&EntryQuery::default(), Read::Local).await;
    assert_eq!(entries.unwrap().len(), 2);
    let again = store.submit(vec![acquire]).await.unwrap();
    assert!(matches!(&again[0], Answer::Granted(next) if next.epoch > grant.epoch));
    store.close().await;
}

#[tokio::test]
async fn it_ends_as_in_a_crash_when_it_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3_u32 {
        // The dropped one's tasks let go of the directory a moment later.
        let store = open(dir.path()).await;
        let all = store.list(&Range::all(Kind::Workflow), Read::Latest).await;
        assert_eq!(all.unwrap().len() as u32, round);
        let id = format!("w{round}");
        store.submit(vec![put(&id, "x")]).await.unwrap();
    }
}

#[tokio::test]
async fn many_writers_are_answered_each_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..20 {
                let key = Key::new(Kind::Setting, format!("{writer}/{round}"));
                let put = Transaction::new().put(key.clone(), Expect::Absent, "x");
                let answers = store.submit(vec![Operation::Commit(put)]).await.unwrap();
                let Answer::Committed { revision } = answers[0] else {
                    panic!("refused: {answers:?}");
                };
                let object = store.get(&key, Read::Local).await.unwrap().unwrap();
                assert_eq!(object.version, revision);
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let log = store.status().last_log.unwrap();
    assert!(log < 64 * 20, "commands were batched into {log} entries");
    store.close().await;
}

#[tokio::test]
async fn snapshots_let_the_log_go_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let options = RaftOptions {
        snapshot_bytes: 1 << 20,
        log_bytes: 1 << 20,
        ..RaftOptions::new(dir.path(), "one", network.end("one:1"))
    };
    let store = open_unlocked(&options).await.unwrap();
    let document = vec![b'x'; 200 << 10];
    for round in 0..40 {
        let key = Key::new(Kind::Setting, format!("{}", round % 8));
        let put = Transaction::new().put(key, Expect::Any, document.clone());
        store.submit(vec![Operation::Commit(put)]).await.unwrap();
    }
    super::until("the log is let go of", || {
        store.status().purged.is_some_and(|purged| purged > 10)
    })
    .await;
    store.close().await;
    drop(store);
    let store = open_unlocked(&options).await.unwrap();
    let all = store.list(&Range::all(Kind::Setting), Read::Latest).await;
    let all = all.unwrap();
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|object| object.document == document));
    store.close().await;
}

#[tokio::test]
async fn i9_too_much_at_once_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let many = vec![put("a", "x"); 1_025];
    let refused = store.submit(many).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Invalid);
    assert!(store.submit(Vec::new()).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn news_is_of_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.submit(vec![put("a", "1")]).await.unwrap();
    let mut watch = store.watch();
    store.submit(vec![put("b", "1")]).await.unwrap();
    let events = watch.changed().await;
    assert!(
        matches!(&events[..], [Event::Object { key, .. }] if key.id == "b"),
        "{events:?}"
    );
    store.close().await;
}
