//! Many at once.

use std::sync::Arc;

use hermod_storage::{Answer, Expect, Owner, Read, Refusal, StoreErrorKind, Transaction};
use tokio::{sync::Barrier, task::JoinSet};

use super::{Fixture, LONG_MS, acquire, commit, committed, key, one};

const TASKS: u64 = 16;

pub(super) async fn one_of_sixteen_wins_each_round(fixture: &mut dyn Fixture) {
    const ROUNDS: usize = 20;
    let store = fixture.store();
    committed(&*store, Transaction::new().put(key("a"), Expect::Any, "")).await;
    let barrier = Arc::new(Barrier::new(TASKS as usize));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, barrier) = (store.clone(), barrier.clone());
        tasks.spawn(async move {
            let mut won = Vec::new();
            for round in 0..ROUNDS {
                barrier.wait().await;
                let before = store.get(&key("a"), Read::Latest).await.unwrap().unwrap();
                barrier.wait().await;
                let put = Transaction::new().put(
                    key("a"),
                    Expect::Version(before.version),
                    format!("{task}"),
                );
                match commit(&*store, put).await {
                    Answer::Committed { .. } => {
                        // A writer reads its own writes: nobody else could win this round.
                        let read = store.get(&key("a"), Read::Local).await.unwrap().unwrap();
                        assert_eq!(read.document, format!("{task}"));
                        won.push(round);
                    }
                    Answer::Refused(Refusal::Conflict { found, .. }) => {
                        assert!(found > Some(before.version));
                    }
                    other => panic!("{other:?}"),
                }
            }
            won
        });
    }
    let mut won: Vec<_> = tasks.join_all().await.concat();
    won.sort_unstable();
    assert_eq!(won, (0..ROUNDS).collect::<Vec<_>>());
}

pub(super) async fn one_of_sixteen_gets_the_lease(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let mut tasks = JoinSet::new();
    for node in 1..=TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let owner = Owner { node, start: 1 };
            one(&*store, acquire("l", &owner, LONG_MS)).await
        });
    }
    let answers = tasks.join_all().await;
    let granted = |answer: &&Answer| matches!(answer, Answer::Granted(_));
    assert_eq!(answers.iter().filter(granted).count(), 1, "{answers:?}");
    let held = |answer: &&Answer| matches!(answer, Answer::Refused(Refusal::Held(_)));
    assert_eq!(answers.iter().filter(held).count(), TASKS as usize - 1);
}

pub(super) async fn writers_read_their_own_writes(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let key = key(&format!("{task}"));
                let text = format!("{round}");
                let put = Transaction::new().put(key.clone(), Expect::Any, text.clone());
                let revision = committed(&*store, put).await;
                let read = store.get(&key, Read::Local).await.unwrap().unwrap();
                assert_eq!((read.version, &*read.document), (revision, text.as_bytes()));
            }
        });
    }
    tasks.join_all().await;
}

pub(super) async fn a_closed_store_says_so(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    committed(&*store, Transaction::new().put(key("a"), Expect::Any, "1")).await;
    drop(store);
    // Only stores that can be opened again have something to close.
    if !fixture.reopen().await {
        return;
    }
    let store = fixture.store();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let operation = acquire(&format!("l{task}"), &super::A, LONG_MS);
            store.submit(vec![operation]).await
        });
    }
    store.close().await;
    // What was taken was brought to an end.
    for answer in tasks.join_all().await {
        match answer {
            Ok(answers) => assert!(matches!(answers[..], [Answer::Granted(_)])),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Stopped),
        }
    }
    let submitted = store.submit(Vec::new()).await.unwrap_err();
    assert_eq!(submitted.kind(), StoreErrorKind::Stopped);
    let read = store.get(&key("a"), Read::Latest).await.unwrap_err();
    assert_eq!(read.kind(), StoreErrorKind::Stopped);
    assert!(!store.health().writable);
}
