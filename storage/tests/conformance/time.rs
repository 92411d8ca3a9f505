//! Store time and health.

use hermod_storage::{Expect, Read, Transaction};

use super::{A, Fixture, LONG_MS, committed, entry, granted, key};

pub(super) async fn store_time_never_goes_back(fixture: &mut dyn Fixture) {
    let (mut last_ms, mut changed_ms) = (0, 0);
    for round in 0..40 {
        let store = fixture.store();
        let before_ms = store.now_ms();
        assert!(before_ms >= last_ms, "{before_ms} after {last_ms}");
        let put = Transaction::new().put(key("a"), Expect::Any, "x");
        committed(&*store, put).await;
        let object = store.get(&key("a"), Read::Latest).await.unwrap().unwrap();
        assert!(object.changed_ms >= changed_ms);
        changed_ms = object.changed_ms;
        let grant = granted(&*store, "l", &A, LONG_MS).await;
        assert!(grant.until_ms - LONG_MS >= changed_ms);
        // Never behind what was applied here.
        last_ms = store.now_ms();
        assert!(last_ms >= grant.until_ms - LONG_MS);
        drop(store);
        if round % 20 == 19 {
            fixture.reopen().await;
        }
    }
}

pub(super) async fn health_follows(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let health = store.health();
    assert!(health.writable, "{health:?}");
    assert_eq!(health.reason, None);
    let put = Transaction::new()
        .put(key("a"), Expect::Any, "x")
        .record(entry("u", "made", "a"));
    let revision = committed(&*store, put).await;
    let health = store.health();
    assert_eq!((health.revision, health.entries), (revision, 1));
}
