//! What a watch tells.

use std::time::Duration;

use hermod_storage::{
    Event, Expect, Operation, Transaction, Watch,
    limits::{CHANGES_MAX, FEED_EVENTS},
};

use super::{
    A, B, Fixture, LONG_MS, acquire, committed, granted, is_held, key, one, release, renew,
};

/// Waits for so many events.
async fn events(watch: &mut Watch, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let more = tokio::time::timeout(Duration::from_secs(20), watch.changed()).await;
        events.extend(more.expect("no event comes"));
    }
    events
}

pub(super) async fn changes_are_told(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    committed(
        &*store,
        Transaction::new().put(key("early"), Expect::Any, "1"),
    )
    .await;
    let mut watch = store.watch();
    let first = Transaction::new()
        .put(key("a"), Expect::Any, "1")
        .put(key("b"), Expect::Any, "1")
        .check(key("early"), Expect::Present)
        .delete(key("none"), Expect::Any);
    let first = committed(&*store, first).await;
    let grant = granted(&*store, "l", &A, LONG_MS).await;
    let second = committed(
        &*store,
        Transaction::new().delete(key("a"), Expect::Present),
    )
    .await;
    one(&*store, release("l", &A, grant.epoch)).await;
    let object = |revision, id| Event::Object {
        revision,
        key: key(id),
    };
    let lease = || Event::Lease { name: "l".into() };
    let wanted = [
        object(first, "a"),
        object(first, "b"),
        lease(),
        object(second, "a"),
        lease(),
    ];
    assert_eq!(events(&mut watch, wanted.len()).await, wanted);
}

pub(super) async fn renewals_are_no_news(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let grant = granted(&*store, "l", &A, LONG_MS).await;
    let mut watch = store.watch();
    one(&*store, renew("l", &A, grant.epoch, LONG_MS)).await;
    assert!(is_held(&one(&*store, acquire("l", &B, LONG_MS)).await));
    one(&*store, release("l", &B, grant.epoch)).await;
    one(&*store, Operation::TrimJournal { first: 0 }).await;
    let revision = committed(&*store, Transaction::new().put(key("a"), Expect::Any, "1")).await;
    let key = key("a");
    assert_eq!(
        events(&mut watch, 1).await,
        [Event::Object { revision, key }]
    );
}

pub(super) async fn who_lags_is_told(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let mut watch = store.watch();
    for round in 0..=FEED_EVENTS / CHANGES_MAX {
        let many = (0..CHANGES_MAX).fold(Transaction::new(), |transaction, at| {
            transaction.put(key(&format!("{at}")), Expect::Any, round.to_string())
        });
        committed(&*store, many).await;
    }
    assert_eq!(events(&mut watch, 1).await, [Event::Lagged]);
    let revision = committed(&*store, Transaction::new().put(key("a"), Expect::Any, "1")).await;
    let key = key("a");
    assert_eq!(
        events(&mut watch, 1).await,
        [Event::Object { revision, key }]
    );
}
