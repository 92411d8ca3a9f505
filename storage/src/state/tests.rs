use bytes::Bytes;

use super::*;
use crate::{EntryDraft, Expect, Kind, Owner, Transaction, limits::ENTRIES_MAX};

const A: Owner = Owner { node: 1, start: 1 };
const B: Owner = Owner { node: 2, start: 1 };

fn key(id: &str) -> Key {
    Key::new(Kind::Workflow, id)
}

fn acquire(state: &mut State, now_ms: u64, owner: &Owner) -> Answer {
    let operation = Operation::Acquire {
        lease: "w".into(),
        owner: owner.clone(),
        ttl_ms: 10_000,
    };
    state.apply(now_ms, &operation).0
}

fn granted(answer: Answer) -> crate::Grant {
    match answer {
        Answer::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

fn commit(state: &mut State, transaction: Transaction) -> Answer {
    state.apply(1, &Operation::Commit(transaction)).0
}

#[test]
fn a_transaction_is_made_as_a_whole_or_not_at_all() {
    let mut state = State::new();
    let first = Transaction::new().put(key("a"), Expect::Absent, "1");
    let Answer::Committed { revision } = commit(&mut state, first) else {
        panic!("refused");
    };
    let second =
        Transaction::new()
            .put(key("b"), Expect::Absent, "2")
            .put(key("a"), Expect::Absent, "3");
    let refused = Answer::Refused(Refusal::Conflict {
        key: key("a"),
        found: Some(revision),
    });
    assert_eq!(commit(&mut state, second), refused);
    assert_eq!(state.get(&key("b")), None);
    assert_eq!(state.get(&key("a")).unwrap().document, "1");
    let third = Transaction::new()
        .delete(key("a"), Expect::Version(revision))
        .record(EntryDraft::default());
    assert!(matches!(
        commit(&mut state, third),
        Answer::Committed { .. }
    ));
    assert_eq!(state.get(&key("a")), None);
    assert_eq!(state.entry_count(), 1);
}

#[test]
fn i5_epochs_grow_over_steal_release_and_a_clock_that_goes_back() {
    let mut state = State::new();
    let first = granted(acquire(&mut state, 1_000, &A));
    assert_eq!((first.epoch, first.since), (1_000, 1_000));
    assert!(matches!(
        acquire(&mut state, 10_999, &B),
        Answer::Refused(Refusal::Held(_))
    ));
    let second = granted(acquire(&mut state, 11_000, &B));
    assert_eq!(second.stolen_from, Some(1));
    assert!(second.epoch > first.epoch);
    assert_eq!(second.since, second.epoch);
    let release = Operation::Release {
        lease: "w".into(),
        owner: B,
        epoch: second.epoch,
    };
    state.apply(5, &release);
    let third = granted(acquire(&mut state, 5, &A));
    assert!(third.epoch > second.epoch);
    assert_eq!(third.stolen_from, None);
}

#[test]
fn i5_the_same_node_keeps_its_tenure_and_gets_a_new_epoch() {
    let mut state = State::new();
    let first = granted(acquire(&mut state, 1_000, &A));
    let again = Owner { node: 1, start: 2 };
    let second = granted(acquire(&mut state, 1_001, &again));
    assert_eq!(second.since, first.since);
    assert!(second.epoch > first.epoch);
    // The process from before the restart gets nothing any more.
    assert!(matches!(
        acquire(&mut state, 1_002, &A),
        Answer::Refused(Refusal::Held(_))
    ));
    let renew = Operation::Renew {
        lease: "w".into(),
        owner: A,
        epoch: first.epoch,
        ttl_ms: 10_000,
    };
    assert!(matches!(
        state.apply(1_003, &renew).0,
        Answer::Refused(Refusal::Stale { .. })
    ));
}

#[test]
fn i5_a_guarded_transaction_of_a_stale_epoch_changes_nothing() {
    let mut state = State::new();
    let old = granted(acquire(&mut state, 1_000, &A)).epoch;
    let new = granted(acquire(&mut state, 20_000, &B)).epoch;
    let overtaken = Transaction::new()
        .guard("w", old)
        .put(key("c"), Expect::Any, "old");
    assert!(matches!(
        commit(&mut state, overtaken),
        Answer::Refused(Refusal::Stale { .. })
    ));
    assert_eq!(state.get(&key("c")), None);
    let fresh = Transaction::new()
        .guard("w", new)
        .put(key("c"), Expect::Any, "new");
    assert!(matches!(
        commit(&mut state, fresh),
        Answer::Committed { .. }
    ));
}

#[test]
fn i5_a_lease_that_was_never_granted_guards_nothing() {
    let mut state = State::new();
    for epoch in [0, 1] {
        let unguarded = Transaction::new()
            .guard("w", epoch)
            .put(key("c"), Expect::Any, "x");
        let refused = Answer::Refused(Refusal::Stale {
            lease: "w".into(),
            epoch: 0,
        });
        assert_eq!(commit(&mut state, unguarded), refused);
    }
    assert_eq!(state.get(&key("c")), None);
}

#[test]
fn lists_are_ordered_and_bounded_by_kind_prefix_and_page() {
    let mut state = State::new();
    for id in ["b", "a/1", "a/2", "a", "c"] {
        commit(
            &mut state,
            Transaction::new().put(key(id), Expect::Any, "x"),
        );
    }
    let other = Key::new(Kind::WorkflowVersion, "a");
    commit(&mut state, Transaction::new().put(other, Expect::Any, "x"));
    let ids = |prefix: &'static str, after: Option<&'static str>, limit| {
        let range = Range {
            kind: Kind::Workflow,
            prefix: prefix.into(),
            after: after.map(Into::into),
            limit,
        };
        let objects = state.list(&range);
        let ids = objects.iter().map(|object| object.key.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("", None, 100), ["a", "a/1", "a/2", "b", "c"]);
    assert_eq!(ids("a/", None, 100), ["a/1", "a/2"]);
    assert_eq!(ids("a/", Some("a/1"), 100), ["a/2"]);
    assert_eq!(ids("", Some("a/2"), 1), ["b"]);
}

#[test]
fn i9_a_full_journal_refuses_entries_until_it_is_trimmed() {
    let mut state = State::new();
    let entry = || Transaction::new().record(EntryDraft::default());
    for _ in 0..ENTRIES_MAX {
        commit(&mut state, entry());
    }
    assert!(matches!(
        commit(&mut state, entry()),
        Answer::Refused(Refusal::Full { .. })
    ));
    let trim = Operation::TrimJournal { first: 10 };
    assert_eq!(state.apply(1, &trim).0, Answer::Trimmed { first: 10 });
    assert!(matches!(
        commit(&mut state, entry()),
        Answer::Committed { .. }
    ));
    let newest = state.entries(&EntryQuery::default());
    assert_eq!((newest.len(), newest[0].sequence), (100, ENTRIES_MAX));
}

#[test]
fn i9_what_breaks_a_limit_is_refused() {
    let mut state = State::new();
    let large = Bytes::from(vec![0; crate::limits::DOCUMENT_BYTES_MAX + 1]);
    let twice = Transaction::new()
        .put(key("a"), Expect::Any, "1")
        .delete(key("a"), Expect::Any);
    for transaction in [
        Transaction::new().put(key("a"), Expect::Any, large),
        Transaction::new().put(key(""), Expect::Any, "1"),
        Transaction::new().put(key(&"i".repeat(513)), Expect::Any, "1"),
        twice,
    ] {
        assert!(matches!(
            commit(&mut state, transaction),
            Answer::Refused(Refusal::Invalid { .. })
        ));
    }
    assert_eq!(state.revision(), Revision(0));
}
