//! Objects: put, get, list, delete, expectations.

use bytes::Bytes;
use hermod_storage::{
    Answer, Expect, Key, Kind, Range, Read, Refusal, Revision, Transaction, limits::NAME_BYTES_MAX,
};

use super::{Fixture, commit, committed, entry, granted, ids, key};

fn put(id: &str, expect: Expect, document: &str) -> Transaction {
    Transaction::new().put(key(id), expect, document.to_owned())
}

pub(super) async fn what_is_put_is_read(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    assert_eq!(store.get(&key("a"), Read::Latest).await.unwrap(), None);
    let first = committed(&*store, put("a", Expect::Any, "1")).await;
    let made = store.get(&key("a"), Read::Local).await.unwrap().unwrap();
    assert_eq!((&made.key, made.version), (&key("a"), first));
    assert_eq!(made.document, "1");
    assert_eq!(made.created_ms, made.changed_ms);
    let second = committed(&*store, put("a", Expect::Any, "2")).await;
    for read in [Read::Local, Read::Latest] {
        let changed = store.get(&key("a"), read).await.unwrap().unwrap();
        assert_eq!((changed.version, &*changed.document), (second, &b"2"[..]));
        assert_eq!(changed.created_ms, made.created_ms);
        assert!(changed.changed_ms >= made.changed_ms);
    }
}

pub(super) async fn every_expectation_holds_or_refuses(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let there = committed(&*store, put("there", Expect::Any, "0")).await;
    let other = Revision(there.0 + 100);
    for (id, found, fitting, refused) in [
        (
            "there",
            Some(there),
            vec![Expect::Any, Expect::Present, Expect::Version(there)],
            vec![Expect::Absent, Expect::Version(other)],
        ),
        (
            "gone",
            None,
            vec![Expect::Any, Expect::Absent],
            vec![Expect::Present, Expect::Version(there)],
        ),
    ] {
        for expect in fitting {
            let check = Transaction::new().check(key(id), expect);
            let answer = commit(&*store, check).await;
            assert!(
                matches!(answer, Answer::Committed { .. }),
                "{id} {expect:?}: {answer:?}"
            );
        }
        for expect in refused {
            let conflict = Answer::Refused(Refusal::Conflict {
                key: key(id),
                found,
            });
            for transaction in [
                Transaction::new().check(key(id), expect),
                Transaction::new().delete(key(id), expect),
                put(id, expect, "never"),
            ] {
                assert_eq!(
                    commit(&*store, transaction).await,
                    conflict,
                    "{id} {expect:?}"
                );
            }
        }
    }
    let kept = store
        .get(&key("there"), Read::Latest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.version, &*kept.document), (there, &b"0"[..]));
}

pub(super) async fn deleting_nothing_is_no_conflict(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    committed(&*store, Transaction::new().delete(key("a"), Expect::Any)).await;
    let first = committed(&*store, put("a", Expect::Absent, "1")).await;
    committed(
        &*store,
        Transaction::new().delete(key("a"), Expect::Version(first)),
    )
    .await;
    assert_eq!(store.get(&key("a"), Read::Latest).await.unwrap(), None);
    // Made anew, it is another object: its version is new, and so is its birthday.
    let again = committed(&*store, put("a", Expect::Absent, "2")).await;
    assert!(again > first);
    let made = store.get(&key("a"), Read::Latest).await.unwrap().unwrap();
    assert_eq!(made.created_ms, made.changed_ms);
}

pub(super) async fn versions_grow_and_differ(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let mut last = Revision(0);
    for round in 0..50 {
        // The same document again is a new version all the same.
        let revision = committed(&*store, put(["a", "b"][round % 2], Expect::Any, "x")).await;
        assert!(revision > last, "{revision} after {last}");
        last = revision;
    }
    let both = Transaction::new()
        .put(key("a"), Expect::Any, "1")
        .put(key("b"), Expect::Any, "2");
    let revision = committed(&*store, both).await;
    for id in ["a", "b"] {
        let object = store.get(&key(id), Read::Latest).await.unwrap().unwrap();
        assert_eq!(object.version, revision);
    }
}

pub(super) async fn lists_are_ordered_and_bounded(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    for id in ["b", "a/1", "a/2", "a", "c", "a0", "ä", "a/\u{10ffff}", "B"] {
        committed(&*store, put(id, Expect::Any, "x")).await;
    }
    let range = |prefix: &'static str, after: Option<&'static str>, limit| Range {
        kind: Kind::Workflow,
        prefix: prefix.into(),
        after: after.map(Into::into),
        limit,
    };
    for (range, wanted) in [
        (
            range("", None, 100),
            vec!["B", "a", "a/1", "a/2", "a/\u{10ffff}", "a0", "b", "c", "ä"],
        ),
        (range("a/", None, 100), vec!["a/1", "a/2", "a/\u{10ffff}"]),
        (range("a/", Some("a/1"), 100), vec!["a/2", "a/\u{10ffff}"]),
        (range("a/", Some("A"), 1), vec!["a/1"]),
        (range("a/", Some("b"), 100), vec![]),
        (range("", Some("a/2"), 2), vec!["a/\u{10ffff}", "a0"]),
        (range("", Some("a/15"), 1), vec!["a/2"]),
        (range("ä", None, 100), vec!["ä"]),
        (range("", None, 0), vec![]),
        (range("z", None, 100), vec![]),
    ] {
        assert_eq!(ids(&*store, &range).await, wanted, "{range:?}");
    }
    let local = store.list(&Range::all(Kind::Workflow), Read::Local).await;
    assert_eq!(local.unwrap().len(), 9);
}

pub(super) async fn kinds_are_kept_apart(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    for kind in Kind::ALL {
        let name = kind.as_str();
        let put = Transaction::new().put(Key::new(*kind, "same"), Expect::Absent, name);
        committed(&*store, put).await;
    }
    for kind in Kind::ALL {
        let listed = store.list(&Range::all(*kind), Read::Latest).await.unwrap();
        assert_eq!(listed.len(), 1, "{kind}");
        assert_eq!(listed[0].document, kind.as_str());
    }
    let gone = Transaction::new().delete(Key::new(Kind::Source, "same"), Expect::Present);
    committed(&*store, gone).await;
    assert!(ids(&*store, &Range::all(Kind::Source)).await.is_empty());
    assert_eq!(ids(&*store, &Range::all(Kind::Sink)).await, ["same"]);
}

pub(super) async fn documents_are_any_bytes(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let all: Vec<u8> = (0..=255).collect();
    let documents: [&[u8]; 6] = [
        b"",
        &all,
        b"text\0and more",
        "{\"n\": 0.10, \"ü\": \"\u{10ffff}\"}".as_bytes(),
        b"\xff\xfe",
        b"12345",
    ];
    for (at, document) in documents.iter().enumerate() {
        let put = Transaction::new().put(
            key(&at.to_string()),
            Expect::Any,
            Bytes::copy_from_slice(document),
        );
        committed(&*store, put).await;
    }
    for (at, document) in documents.iter().enumerate() {
        let read = store.get(&key(&at.to_string()), Read::Latest).await;
        assert_eq!(read.unwrap().unwrap().document, *document, "{at}");
    }
}

pub(super) async fn ids_are_any_text(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let long = "i".repeat(NAME_BYTES_MAX);
    let texts = [
        "a\0b",
        "a\0c",
        "a",
        "%",
        "_",
        "'; DROP TABLE objects; --",
        "ünï",
        " ",
        &long,
    ];
    for text in texts {
        committed(&*store, put(text, Expect::Absent, text)).await;
    }
    for text in texts {
        let read = store.get(&key(text), Read::Latest).await.unwrap().unwrap();
        assert_eq!(read.document, text);
    }
    let range = Range {
        prefix: "a\0".into(),
        ..Range::all(Kind::Workflow)
    };
    assert_eq!(ids(&*store, &range).await, ["a\0b", "a\0c"]);
    let range = Range {
        prefix: "%".into(),
        ..range
    };
    assert_eq!(ids(&*store, &range).await, ["%"]);
}

pub(super) async fn reopening_keeps_everything(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    let put = put("a", Expect::Any, "1").record(entry("u", "made", "a"));
    let revision = committed(&*store, put).await;
    committed(&*store, Transaction::new().delete(key("b"), Expect::Any)).await;
    granted(&*store, "l", &super::B, super::LONG_MS).await;
    let before = everything(&*store).await;
    let health = store.health();
    let now_ms = store.now_ms();
    drop(store);
    if !fixture.reopen().await {
        return;
    }
    let store = fixture.store();
    assert_eq!(everything(&*store).await, before);
    assert!(store.now_ms() >= now_ms);
    assert!(store.health().revision >= health.revision);
    let next = committed(&*store, self::put("a", Expect::Version(revision), "2")).await;
    assert!(next > health.revision);
}

async fn everything(
    store: &dyn hermod_storage::Store,
) -> (
    Vec<hermod_storage::Object>,
    Vec<hermod_storage::Lease>,
    Vec<hermod_storage::Entry>,
) {
    let range = Range::all(Kind::Workflow);
    let objects = store.list(&range, Read::Latest).await.unwrap();
    let leases = store.leases(Read::Latest).await.unwrap();
    let query = hermod_storage::EntryQuery::default();
    let entries = store.entries(&query, Read::Latest).await.unwrap();
    assert!(!objects.is_empty() && !leases.is_empty() && !entries.is_empty());
    (objects, leases, entries)
}
