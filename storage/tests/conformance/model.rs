//! Random operations on the store and on [`State`], the meaning of all of them.

use hermod_storage::{
    Answer, EntryQuery, Expect, Kind, Lease, Object, Operation, Owner, Range, Read, Refusal,
    Revision, State, Store, Transaction,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use super::{Fixture, LONG_MS, acquire, entry, key, release, renew};

const CALLS: usize = 150;
const REOPEN_EVERY: usize = 50;

/// What is to be done; versions and epochs are filled in from the model, right or wrong.
#[derive(Clone, Debug)]
enum Action {
    Commit {
        changes: Vec<(u8, u8, u8)>,
        guard: Option<(u8, bool)>,
        entries: u8,
    },
    Acquire(u8, Owner),
    Renew(u8, Owner, bool),
    Release(u8, Owner, bool),
    Trim(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let owner = || (1..4_u64, 1..3_u64).prop_map(|(node, start)| Owner { node, start });
    let changes = prop::collection::vec((0..8_u8, 0..3_u8, 0..5_u8), 0..4);
    let commit = (
        changes,
        prop::option::weighted(0.3, (0..3_u8, prop::bool::weighted(0.8))),
        0..3_u8,
    );
    let action = prop_oneof![
        6 => commit.prop_map(|(changes, guard, entries)| Action::Commit { changes, guard, entries }),
        2 => (0..3_u8, owner()).prop_map(|(lease, owner)| Action::Acquire(lease, owner)),
        1 => (0..3_u8, owner(), any::<bool>()).prop_map(|(l, o, right)| Action::Renew(l, o, right)),
        1 => (0..3_u8, owner(), any::<bool>()).prop_map(|(l, o, right)| Action::Release(l, o, right)),
        1 => (0..200_u64).prop_map(Action::Trim),
    ];
    prop::collection::vec(action, 1..5)
}

fn epoch(model: &State, lease: &str, right: bool) -> u64 {
    let epoch = model.lease(lease).map_or(0, |row| row.epoch);
    if right { epoch } else { epoch + 1 }
}

fn operation(action: &Action, model: &State) -> Operation {
    let name = |lease: u8| format!("l{lease}");
    match action {
        Action::Commit {
            changes,
            guard,
            entries,
        } => {
            let mut transaction = Transaction::new();
            for (id, change, expect) in changes {
                let key = key(&format!("{}", id % 8));
                let version = model.get(&key).map_or(Revision(0), |object| object.version);
                let expect = match expect {
                    0 => Expect::Absent,
                    1 => Expect::Present,
                    2 => Expect::Version(version),
                    3 if *id == 0 => Expect::Version(Revision(version.0 + 1)),
                    _ => Expect::Any,
                };
                transaction = match change {
                    0 => transaction.put(key, expect, "x".repeat(usize::from(*id))),
                    1 => transaction.delete(key, expect),
                    _ => transaction.check(key, expect),
                };
            }
            if let Some((lease, right)) = guard {
                let lease = name(*lease);
                let epoch = epoch(model, &lease, *right);
                transaction = transaction.guard(lease, epoch);
            }
            for at in 0..*entries {
                transaction = transaction.record(entry("u", "made", &at.to_string()));
            }
            Operation::Commit(transaction)
        }
        Action::Acquire(lease, owner) => acquire(&name(*lease), owner, LONG_MS),
        Action::Renew(lease, owner, right) => {
            let lease = name(*lease);
            renew(&lease, owner, epoch(model, &lease, *right), LONG_MS)
        }
        Action::Release(lease, owner, right) => {
            let lease = name(*lease);
            release(&lease, owner, epoch(model, &lease, *right))
        }
        Action::Trim(first) => Operation::TrimJournal { first: *first },
    }
}

/// Returns the store time at which an answer was given, where it says so.
fn stamp(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Granted(grant) => Some(grant.until_ms - LONG_MS),
        Answer::Renewed { until_ms } => Some(until_ms - LONG_MS),
        _ => None,
    }
}

/// Takes out what depends on the clock.
fn timeless(answer: Answer) -> Answer {
    match answer {
        Answer::Refused(Refusal::Held(row)) => {
            Answer::Refused(Refusal::Held(Lease { until_ms: 0, ..row }))
        }
        other => other,
    }
}

pub(super) async fn random_operations_agree_with_the_state(fixture: &mut dyn Fixture) {
    let mut runner = TestRunner::new(Config::default());
    let mut model = State::new();
    let first = fixture.store().health().revision;
    assert_eq!(first, Revision(0), "a fixture's store is empty");
    for call in 0..CALLS {
        let store = fixture.store();
        let actions = actions().new_tree(&mut runner).unwrap().current();
        // Right versions and epochs are those before the call: within it they may be wrong, and must be refused.
        let operations: Vec<_> = actions.iter().map(|a| operation(a, &model)).collect();
        let before_ms = store.now_ms();
        let answers = store.submit(operations.clone()).await.unwrap();
        assert_eq!(answers.len(), operations.len());
        let now_ms = answers.iter().find_map(stamp).unwrap_or(before_ms);
        for (operation, answer) in operations.iter().zip(answers) {
            let expected = model.apply(now_ms, operation).0;
            assert_eq!(
                timeless(answer),
                timeless(expected),
                "call {call}: {operation:?} in {operations:?}"
            );
        }
        drop(store);
        if call % REOPEN_EVERY == REOPEN_EVERY - 1 {
            fixture.reopen().await;
            compare(&*fixture.store(), &model).await;
        }
    }
    compare(&*fixture.store(), &model).await;
}

async fn compare(store: &dyn Store, model: &State) {
    let timeless = |objects: Vec<Object>| {
        let objects = objects.into_iter().map(|object| Object {
            created_ms: 0,
            changed_ms: 0,
            ..object
        });
        objects.collect::<Vec<_>>()
    };
    let range = Range::all(Kind::Workflow);
    let objects = store.list(&range, Read::Latest).await.unwrap();
    assert!(
        objects
            .iter()
            .all(|object| object.created_ms <= object.changed_ms)
    );
    assert_eq!(timeless(objects), timeless(model.list(&range)));
    let leases = store.leases(Read::Latest).await.unwrap();
    let endless = |row: &Lease| Lease {
        until_ms: 0,
        ..row.clone()
    };
    assert_eq!(
        leases.iter().map(endless).collect::<Vec<_>>(),
        model.leases().map(endless).collect::<Vec<_>>()
    );
    let query = EntryQuery {
        limit: 1_000,
        ..EntryQuery::default()
    };
    let drafts = |entries: Vec<hermod_storage::Entry>| {
        let drafts = entries
            .into_iter()
            .map(|entry| (entry.sequence, entry.draft));
        drafts.collect::<Vec<_>>()
    };
    let entries = store.entries(&query, Read::Latest).await.unwrap();
    assert_eq!(drafts(entries), drafts(model.entries(&query)));
    let health = store.health();
    assert_eq!(health.revision, model.revision());
    assert_eq!(health.entries, model.entry_count());
}
