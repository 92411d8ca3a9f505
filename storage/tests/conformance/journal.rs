//! The journal.

use hermod_storage::{Answer, Entry, EntryQuery, Expect, Operation, Read, Store, Transaction};

use super::{Fixture, commit, committed, entry, key, one};

async fn numbers(store: &dyn Store, query: &EntryQuery) -> Vec<u64> {
    let entries = store.entries(query, Read::Latest).await.unwrap();
    entries.iter().map(|entry| entry.sequence).collect()
}

/// Records six entries: users `u`, `v` in turn, actions `made`, `made`, `gone`, ids 0 to 5.
async fn six(store: &dyn Store) -> Vec<Entry> {
    for at in 0..3 {
        let first = entry("u", ["made", "gone", "made"][at], &(2 * at).to_string());
        let second = entry("v", ["made", "made", "gone"][at], &(2 * at + 1).to_string());
        // Two in one transaction keep their order.
        committed(store, Transaction::new().record(first).record(second)).await;
    }
    let query = EntryQuery::default();
    store.entries(&query, Read::Latest).await.unwrap()
}

pub(super) async fn entries_are_numbered_and_newest_first(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let before_ms = store.now_ms();
    let entries = six(&*store).await;
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.sequence, &*entry.draft.entity_id))
        .collect();
    assert_eq!(
        found,
        [(5, "5"), (4, "4"), (3, "3"), (2, "2"), (1, "1"), (0, "0")]
    );
    assert_eq!(entries[5].draft, entry("u", "made", "0"));
    assert!(entries.is_sorted_by(|newer, older| newer.at_ms >= older.at_ms));
    assert!(entries[5].at_ms >= before_ms);
    assert_eq!(store.health().entries, 6);
}

pub(super) async fn queries_filter(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let entries = six(&*store).await;
    let last_ms = entries[0].at_ms;
    let all = EntryQuery::default;
    for (query, wanted) in [
        (EntryQuery { before: 3, ..all() }, vec![2, 1, 0]),
        (EntryQuery { before: 0, ..all() }, vec![]),
        (EntryQuery { limit: 2, ..all() }, vec![5, 4]),
        (EntryQuery { limit: 0, ..all() }, vec![]),
        (
            EntryQuery {
                user: Some("v".into()),
                ..all()
            },
            vec![5, 3, 1],
        ),
        (
            EntryQuery {
                action: Some("gone".into()),
                ..all()
            },
            vec![5, 2],
        ),
        (
            EntryQuery {
                entity_id: Some("4".into()),
                ..all()
            },
            vec![4],
        ),
        (
            EntryQuery {
                entity_kind: Some("sink".into()),
                ..all()
            },
            vec![],
        ),
        (
            EntryQuery {
                entity_kind: Some("workflow".into()),
                user: Some("v".into()),
                action: Some("made".into()),
                before: 3,
                limit: 1,
                ..all()
            },
            vec![1],
        ),
        (
            EntryQuery {
                from_ms: last_ms + 1,
                ..all()
            },
            vec![],
        ),
        (
            EntryQuery {
                until_ms: 0,
                ..all()
            },
            vec![],
        ),
    ] {
        assert_eq!(numbers(&*store, &query).await, wanted, "{query:?}");
    }
}

pub(super) async fn queries_filter_by_time(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let entries = six(&*store).await;
    let all = EntryQuery::default;
    // Times are from and before.
    for at_ms in entries.iter().map(|entry| entry.at_ms) {
        let query = EntryQuery {
            from_ms: at_ms,
            until_ms: at_ms + 1,
            ..all()
        };
        let wanted: Vec<_> = entries
            .iter()
            .filter(|entry| entry.at_ms == at_ms)
            .map(|entry| entry.sequence)
            .collect();
        assert_eq!(numbers(&*store, &query).await, wanted);
    }
}

pub(super) async fn trimming_lets_the_oldest_go(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let trim = |first| Operation::TrimJournal { first };
    assert_eq!(one(&*store, trim(3)).await, Answer::Trimmed { first: 0 });
    six(&*store).await;
    assert_eq!(one(&*store, trim(2)).await, Answer::Trimmed { first: 2 });
    assert_eq!(numbers(&*store, &EntryQuery::default()).await, [5, 4, 3, 2]);
    assert_eq!(one(&*store, trim(1)).await, Answer::Trimmed { first: 2 });
    assert_eq!(store.health().entries, 4);
    assert_eq!(
        one(&*store, trim(u64::MAX)).await,
        Answer::Trimmed { first: 6 }
    );
    assert_eq!(numbers(&*store, &EntryQuery::default()).await, [0; 0]);
    // Numbers go on, also over a restart.
    fixture.reopen().await;
    let store = fixture.store();
    committed(&*store, Transaction::new().record(entry("u", "made", "x"))).await;
    assert_eq!(numbers(&*store, &EntryQuery::default()).await, [6]);
}

pub(super) async fn a_refused_transaction_leaves_no_entry(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let refused = Transaction::new()
        .check(key("a"), Expect::Present)
        .record(entry("u", "made", "a"));
    let answer = commit(&*store, refused).await;
    assert!(matches!(answer, Answer::Refused(_)));
    assert_eq!(numbers(&*store, &EntryQuery::default()).await, [0; 0]);
    assert_eq!(store.health().entries, 0);
}
