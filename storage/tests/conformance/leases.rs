//! Leases (I5).

use hermod_storage::{Answer, Owner, Read, Refusal};

use super::{
    A, B, Fixture, LONG_MS, acquire, granted, is_held, is_stale, one, release, renew, until,
};

const SHORT_MS: u64 = 1_000;

pub(super) async fn acquire_grants_and_holds(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    assert_eq!(store.lease("l", Read::Latest).await.unwrap(), None);
    let before_ms = store.now_ms();
    let grant = granted(&*store, "l", &A, LONG_MS).await;
    // The epoch is at least the time of the grant, so that a store set up anew does not begin below the old one.
    assert!(grant.epoch >= before_ms);
    assert_eq!((grant.since, grant.stolen_from), (grant.epoch, None));
    assert!(grant.until_ms >= before_ms + LONG_MS);
    let row = store.lease("l", Read::Local).await.unwrap().unwrap();
    assert_eq!(
        (&*row.name, row.owner.as_ref(), row.node),
        ("l", Some(&A), A.node)
    );
    assert_eq!(
        (row.epoch, row.since, row.until_ms),
        (grant.epoch, grant.since, grant.until_ms)
    );
    let answer = one(&*store, acquire("l", &B, LONG_MS)).await;
    assert_eq!(answer, Answer::Refused(Refusal::Held(row)));
    granted(&*store, "other", &B, LONG_MS).await;
}

pub(super) async fn i5_an_expired_lease_is_stolen_under_a_higher_epoch(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let first = granted(&*store, "l", &A, SHORT_MS).await;
    let second = loop {
        match one(&*store, acquire("l", &B, LONG_MS)).await {
            Answer::Granted(grant) => break grant,
            // Never before its end.
            answer => assert!(is_held(&answer), "{answer:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(
        second.until_ms - LONG_MS >= first.until_ms,
        "stolen before its end"
    );
    assert!(second.epoch > first.epoch);
    assert_eq!(
        (second.since, second.stolen_from),
        (second.epoch, Some(A.node))
    );
    assert!(is_stale(
        &one(&*store, renew("l", &A, first.epoch, LONG_MS)).await
    ));
    // Who does not hold it gives nothing back.
    assert_eq!(
        one(&*store, release("l", &A, first.epoch)).await,
        Answer::Released
    );
    let row = store.lease("l", Read::Latest).await.unwrap().unwrap();
    assert_eq!(row.owner, Some(B));
}

pub(super) async fn i5_renewing_needs_owner_and_epoch(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let absent = one(&*store, renew("l", &A, 1, LONG_MS)).await;
    let lease = "l".into();
    assert_eq!(absent, Answer::Refused(Refusal::Stale { lease, epoch: 0 }));
    let grant = granted(&*store, "l", &A, LONG_MS / 2).await;
    let Answer::Renewed { until_ms } = one(&*store, renew("l", &A, grant.epoch, LONG_MS)).await
    else {
        panic!("not renewed");
    };
    assert!(until_ms > grant.until_ms);
    // A shorter renewal does not shorten.
    let shorter = one(&*store, renew("l", &A, grant.epoch, SHORT_MS)).await;
    assert_eq!(shorter, Answer::Renewed { until_ms });
    let later = Owner { start: 2, ..A };
    for (owner, epoch) in [
        (&A, grant.epoch - 1),
        (&A, grant.epoch + 1),
        (&B, grant.epoch),
        (&later, grant.epoch),
    ] {
        let answer = one(&*store, renew("l", owner, epoch, LONG_MS)).await;
        let lease = "l".into();
        let epoch = grant.epoch;
        assert_eq!(answer, Answer::Refused(Refusal::Stale { lease, epoch }));
    }
    let row = store.lease("l", Read::Latest).await.unwrap().unwrap();
    assert_eq!((row.epoch, row.until_ms), (grant.epoch, until_ms));
}

pub(super) async fn renewing_after_the_end_works_until_another_takes_it(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let grant = granted(&*store, "l", &A, SHORT_MS).await;
    until("the lease ends", || async {
        store.now_ms() > grant.until_ms
    })
    .await;
    let answer = one(&*store, renew("l", &A, grant.epoch, LONG_MS)).await;
    assert!(matches!(answer, Answer::Renewed { until_ms } if until_ms > grant.until_ms));
    assert!(is_held(&one(&*store, acquire("l", &B, LONG_MS)).await));
}

pub(super) async fn releasing_frees_it(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    assert_eq!(one(&*store, release("l", &A, 1)).await, Answer::Released);
    assert_eq!(store.lease("l", Read::Latest).await.unwrap(), None);
    let first = granted(&*store, "l", &A, LONG_MS).await;
    for (owner, epoch) in [(&B, first.epoch), (&A, first.epoch + 1)] {
        assert_eq!(
            one(&*store, release("l", owner, epoch)).await,
            Answer::Released
        );
        assert!(is_held(&one(&*store, acquire("l", &B, LONG_MS)).await));
    }
    assert_eq!(
        one(&*store, release("l", &A, first.epoch)).await,
        Answer::Released
    );
    let row = store.lease("l", Read::Latest).await.unwrap().unwrap();
    assert_eq!(
        (row.owner, row.node, row.epoch),
        (None, A.node, first.epoch)
    );
    assert!(is_stale(
        &one(&*store, renew("l", &A, first.epoch, LONG_MS)).await
    ));
    let second = granted(&*store, "l", &B, LONG_MS).await;
    // It was given, not stolen.
    assert_eq!(second.stolen_from, None);
    assert!(second.epoch > first.epoch);
    assert_eq!(second.since, second.epoch);
}

pub(super) async fn i5_a_restarted_node_takes_its_own_lease_again(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let first = granted(&*store, "l", &A, LONG_MS).await;
    let restarted = Owner { start: 2, ..A };
    let second = granted(&*store, "l", &restarted, LONG_MS).await;
    assert!(second.epoch > first.epoch);
    assert_eq!((second.since, second.stolen_from), (first.since, None));
    // The process from before the restart gets nothing any more.
    assert!(is_held(&one(&*store, acquire("l", &A, LONG_MS)).await));
    assert!(is_stale(
        &one(&*store, renew("l", &A, first.epoch, LONG_MS)).await
    ));
    // Given back and taken again by the same node, its tenure is unbroken; by another, it is not.
    one(&*store, release("l", &restarted, second.epoch)).await;
    let third = granted(&*store, "l", &restarted, LONG_MS).await;
    assert_eq!(third.since, first.since);
    one(&*store, release("l", &restarted, third.epoch)).await;
    let other = granted(&*store, "l", &B, LONG_MS).await;
    one(&*store, release("l", &B, other.epoch)).await;
    let back = granted(&*store, "l", &restarted, LONG_MS).await;
    assert_eq!(back.since, back.epoch);
    assert!(back.epoch > other.epoch && other.epoch > third.epoch);
}

pub(super) async fn i5_epochs_grow_over_reopening(fixture: &mut dyn Fixture) {
    let mut last = 0;
    for round in 0..3 {
        let store = fixture.store();
        let grant = granted(&*store, "l", &A, LONG_MS).await;
        assert!(grant.epoch > last, "round {round}");
        last = grant.epoch;
        assert!(is_held(&one(&*store, acquire("l", &B, LONG_MS)).await));
        drop(store);
        if !fixture.reopen().await {
            return;
        }
        let row = fixture
            .store()
            .lease("l", Read::Latest)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((row.owner, row.epoch), (Some(A), last));
    }
}

pub(super) async fn rows_are_never_deleted(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    for name in ["b", "a", "ü/1", "c\0d"] {
        let grant = granted(&*store, name, &A, LONG_MS).await;
        one(&*store, release(name, &A, grant.epoch)).await;
    }
    for read in [Read::Local, Read::Latest] {
        let rows = store.leases(read).await.unwrap();
        let names: Vec<_> = rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["a", "b", "c\0d", "ü/1"]);
        assert!(
            rows.iter()
                .all(|row| row.owner.is_none() && row.node == A.node)
        );
    }
}
