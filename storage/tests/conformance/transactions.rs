//! Transactions: all or none, guards, limits.

use bytes::Bytes;
use hermod_storage::{
    Answer, Expect, Kind, Operation, Range, Read, Refusal, StoreErrorKind, Transaction,
    limits::{CHANGES_MAX, DOCUMENT_BYTES_MAX, NAME_BYTES_MAX, TTL_MS_MAX, TTL_MS_MIN},
};

use super::{
    A, B, Fixture, LONG_MS, acquire, commit, committed, entry, granted, ids, is_stale, key, one,
    release,
};

pub(super) async fn all_or_none(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let first = committed(
        &*store,
        Transaction::new().put(key("a"), Expect::Absent, "1"),
    )
    .await;
    let refused = Transaction::new()
        .put(key("b"), Expect::Absent, "2")
        .delete(key("a"), Expect::Present)
        .check(key("c"), Expect::Present);
    let conflict = Answer::Refused(Refusal::Conflict {
        key: key("c"),
        found: None,
    });
    assert_eq!(commit(&*store, refused).await, conflict);
    assert_eq!(ids(&*store, &Range::all(Kind::Workflow)).await, ["a"]);
    // What is refused takes no revision.
    let done = Transaction::new()
        .put(key("b"), Expect::Absent, "2")
        .delete(key("a"), Expect::Version(first))
        .check(key("c"), Expect::Absent);
    assert_eq!(committed(&*store, done).await.0, first.0 + 1);
    assert_eq!(ids(&*store, &Range::all(Kind::Workflow)).await, ["b"]);
}

pub(super) async fn each_operation_is_answered_by_itself(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let put = |id: &str, expect| Operation::Commit(Transaction::new().put(key(id), expect, "x"));
    let operations = vec![
        put("a", Expect::Absent),
        put("a", Expect::Absent),
        acquire("l", &A, LONG_MS),
        acquire("l", &B, LONG_MS),
        put("a", Expect::Present),
        Operation::TrimJournal { first: 7 },
    ];
    let answers = store.submit(operations).await.unwrap();
    // Each sees what those before it have done.
    assert!(
        matches!(
            &answers[..],
            [
                Answer::Committed { revision: first },
                Answer::Refused(Refusal::Conflict { found, .. }),
                Answer::Granted(_),
                Answer::Refused(Refusal::Held(held)),
                Answer::Committed { revision: second },
                Answer::Trimmed { first: 0 },
            ] if *found == Some(*first) && second > first && held.owner == Some(A)
        ),
        "{answers:?}"
    );
}

pub(super) async fn i5_a_stale_guard_changes_nothing(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let guarded = |epoch| {
        Transaction::new()
            .guard("l", epoch)
            .put(key("c"), Expect::Any, epoch.to_string())
            .record(entry("", "moved", "c"))
    };
    // A lease that was never granted has epoch 0 and guards nothing else.
    let answer = commit(&*store, guarded(1)).await;
    let lease = "l".into();
    assert_eq!(answer, Answer::Refused(Refusal::Stale { lease, epoch: 0 }));
    let old = granted(&*store, "l", &A, LONG_MS).await.epoch;
    committed(&*store, guarded(old)).await;
    one(&*store, release("l", &A, old)).await;
    // Released and not granted again, the epoch is still the last.
    committed(&*store, guarded(old)).await;
    let new = granted(&*store, "l", &B, LONG_MS).await.epoch;
    for stale in [old, new + 1] {
        let answer = commit(&*store, guarded(stale)).await;
        let lease = "l".into();
        let refused = Answer::Refused(Refusal::Stale { lease, epoch: new });
        assert_eq!(answer, refused);
    }
    let object = store.get(&key("c"), Read::Latest).await.unwrap().unwrap();
    assert_eq!(object.document, old.to_string());
    committed(&*store, guarded(new)).await;
    let two = Transaction::new().guard("l", new).guard("other", 3);
    assert!(is_stale(&commit(&*store, two).await));
    assert_eq!(store.health().entries, 3);
}

pub(super) async fn i9_what_breaks_a_limit_is_invalid(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let large = Bytes::from(vec![0; DOCUMENT_BYTES_MAX + 1]);
    let long = "i".repeat(NAME_BYTES_MAX + 1);
    let many = (0..=CHANGES_MAX).fold(Transaction::new(), |transaction, at| {
        transaction.put(key(&at.to_string()), Expect::Any, "x")
    });
    let twice = Transaction::new()
        .put(key("a"), Expect::Any, "1")
        .delete(key("a"), Expect::Any);
    let mut entry = entry("u", "made", "a");
    entry.user = long.clone().into();
    for operation in [
        Operation::Commit(Transaction::new().put(key("a"), Expect::Any, large)),
        Operation::Commit(Transaction::new().put(key(""), Expect::Any, "1")),
        Operation::Commit(Transaction::new().put(key(&long), Expect::Any, "1")),
        Operation::Commit(many),
        Operation::Commit(twice),
        Operation::Commit(Transaction::new().record(entry)),
        acquire("", &A, LONG_MS),
        acquire(&long, &A, LONG_MS),
        acquire("l", &A, TTL_MS_MIN - 1),
        acquire("l", &A, TTL_MS_MAX + 1),
    ] {
        let answer = one(&*store, operation).await;
        let invalid = matches!(answer, Answer::Refused(Refusal::Invalid { .. }));
        assert!(invalid, "{answer:?}");
    }
    assert_eq!(ids(&*store, &Range::all(Kind::Workflow)).await, [""; 0]);
    let most = Bytes::from(vec![7; DOCUMENT_BYTES_MAX]);
    committed(
        &*store,
        Transaction::new().put(key("a"), Expect::Any, most.clone()),
    )
    .await;
    let read = store.get(&key("a"), Read::Latest).await.unwrap().unwrap();
    assert!(read.document == most);
}

pub(super) async fn i9_a_submission_that_is_too_large_is_an_error(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let most = Bytes::from(vec![7; DOCUMENT_BYTES_MAX]);
    let put = |id| Operation::Commit(Transaction::new().put(key(id), Expect::Any, most.clone()));
    let error = store.submit(vec![put("a"), put("b")]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Invalid);
    assert_eq!(ids(&*store, &Range::all(Kind::Workflow)).await, [""; 0]);
}

pub(super) async fn an_empty_submission_is_answered(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    assert_eq!(store.submit(Vec::new()).await.unwrap(), []);
    let before = store.health().revision;
    let empty = committed(&*store, Transaction::new()).await;
    assert_eq!(empty.0, before.0 + 1);
}
