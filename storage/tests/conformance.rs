//! One suite for every store: what the contract says, case by case.
//!
//! A store joins with a [`Factory`]; [`run`] plays every case on a store of its own and names those that failed.

mod concurrency;
mod journal;
mod leases;
mod model;
mod objects;
mod time;
mod transactions;
mod watching;

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytestring::ByteString;
use hermod_storage::{
    Answer, EntryDraft, Grant, Key, Kind, Operation, Owner, Range, Read, Refusal, Revision, Store,
    Transaction,
};
use tokio::task::JoinSet;

/// Makes empty stores.
#[async_trait]
pub(crate) trait Factory: Send + Sync + 'static {
    async fn make(&self) -> Box<dyn Fixture>;
}

/// A store of a test's own.
#[async_trait]
pub(crate) trait Fixture: Send {
    /// Returns the store as it is open now.
    fn store(&self) -> Arc<dyn Store>;

    /// Closes the store and opens it again; does nothing and returns false where nothing is kept.
    async fn reopen(&mut self) -> bool;
}

type Run<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
type Case = (&'static str, for<'a> fn(&'a mut dyn Fixture) -> Run<'a>);

macro_rules! cases {
    ($($module:ident: $($name:ident),+;)+) => {
        const CASES: &[Case] = &[$($(
            (concat!(stringify!($module), "::", stringify!($name)), |fixture| Box::pin($module::$name(fixture))),
        )+)+];
    };
}

cases! {
    objects: what_is_put_is_read, every_expectation_holds_or_refuses, deleting_nothing_is_no_conflict,
        versions_grow_and_differ, lists_are_ordered_and_bounded, kinds_are_kept_apart, documents_are_any_bytes,
        ids_are_any_text, reopening_keeps_everything;
    transactions: all_or_none, each_operation_is_answered_by_itself, i5_a_stale_guard_changes_nothing,
        i9_what_breaks_a_limit_is_invalid, i9_a_submission_that_is_too_large_is_an_error, an_empty_submission_is_answered;
    leases: acquire_grants_and_holds, i5_an_expired_lease_is_stolen_under_a_higher_epoch,
        i5_renewing_needs_owner_and_epoch, renewing_after_the_end_works_until_another_takes_it, releasing_frees_it,
        i5_a_restarted_node_takes_its_own_lease_again, i5_epochs_grow_over_reopening, rows_are_never_deleted;
    journal: entries_are_numbered_and_newest_first, queries_filter, queries_filter_by_time, trimming_lets_the_oldest_go,
        a_refused_transaction_leaves_no_entry;
    watching: changes_are_told, renewals_are_no_news, who_lags_is_told;
    time: store_time_never_goes_back, health_follows;
    concurrency: one_of_sixteen_wins_each_round, one_of_sixteen_gets_the_lease, writers_read_their_own_writes,
        a_closed_store_says_so;
    model: random_operations_agree_with_the_state;
}

/// Plays every case, and panics with the names of those that failed.
pub(crate) async fn run(store: &str, factory: impl Factory) {
    let factory = Arc::new(factory);
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let factory = factory.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut fixture = factory.make().await;
            case(&mut *fixture).await;
            fixture.store().close().await;
        });
        if let Some(Err(error)) = tasks.join_next().await {
            eprintln!("{store}: case `{name}` failed: {error}");
            failed.push(*name);
        }
    }
    let all = CASES.len();
    assert!(
        failed.is_empty(),
        "{store}: {} of {all} cases failed: {failed:?}",
        failed.len()
    );
}

// What the cases say it with.

pub(super) const A: Owner = Owner { node: 1, start: 1 };
/// A node whose id needs all 64 bits.
pub(super) const B: Owner = Owner {
    node: u64::MAX - 1,
    start: 1,
};

/// Longer than any test takes.
pub(super) const LONG_MS: u64 = 600_000;

pub(super) fn key(id: &str) -> Key {
    Key::new(Kind::Workflow, id)
}

pub(super) async fn one(store: &dyn Store, operation: Operation) -> Answer {
    let mut answers = store.submit(vec![operation]).await.expect("submit");
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

pub(super) async fn commit(store: &dyn Store, transaction: Transaction) -> Answer {
    one(store, Operation::Commit(transaction)).await
}

/// Commits what must not be refused.
pub(super) async fn committed(store: &dyn Store, transaction: Transaction) -> Revision {
    match commit(store, transaction).await {
        Answer::Committed { revision } => revision,
        other => panic!("not committed: {other:?}"),
    }
}

pub(super) fn acquire(lease: &str, owner: &Owner, ttl_ms: u64) -> Operation {
    Operation::Acquire {
        lease: lease.into(),
        owner: owner.clone(),
        ttl_ms,
    }
}

pub(super) fn renew(lease: &str, owner: &Owner, epoch: u64, ttl_ms: u64) -> Operation {
    Operation::Renew {
        lease: lease.into(),
        owner: owner.clone(),
        epoch,
        ttl_ms,
    }
}

pub(super) fn release(lease: &str, owner: &Owner, epoch: u64) -> Operation {
    Operation::Release {
        lease: lease.into(),
        owner: owner.clone(),
        epoch,
    }
}

/// Acquires what must be granted.
pub(super) async fn granted(store: &dyn Store, lease: &str, owner: &Owner, ttl_ms: u64) -> Grant {
    match one(store, acquire(lease, owner, ttl_ms)).await {
        Answer::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

pub(super) fn is_stale(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Refusal::Stale { .. }))
}

pub(super) fn is_held(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Refusal::Held(_)))
}

pub(super) fn entry(user: &str, action: &str, id: &str) -> EntryDraft {
    EntryDraft {
        user: user.into(),
        action: action.into(),
        entity_kind: "workflow".into(),
        entity_id: id.into(),
        document: "{}".into(),
    }
}

pub(super) async fn ids(store: &dyn Store, range: &Range) -> Vec<ByteString> {
    let objects = store.list(range, Read::Latest).await.expect("list");
    objects.into_iter().map(|object| object.key.id).collect()
}

/// Tries until it is so, and fails when it takes too long.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
