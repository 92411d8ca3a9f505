use openraft::{
    CommittedLeaderId, EntryPayload, RaftLogReader,
    storage::{RaftLogStorage, RaftLogStorageExt},
    testing::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use super::*;
use crate::raft::{group::StorageError, machine::Machine};

struct Builder;

impl StoreBuilder<Group, LogStore, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let log = LogStore::open(&dir.path().join("log")).unwrap();
        let machine = Machine::open(&dir.path().join("snapshots"), log.clone(), None).unwrap();
        // The suite purges without snapshots. That a purge waits for one is tested below.
        log.snapshot_is_durable(u64::MAX);
        Ok((dir, log, machine))
    }
}

#[test]
fn openrafts_own_suite() {
    Suite::test_all(Builder).unwrap();
}

pub(crate) fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 7), index)
}

pub(crate) fn blank(index: u64) -> Entry {
    Entry {
        log_id: id(index),
        payload: EntryPayload::Blank,
    }
}

async fn indexes(log: &mut LogStore) -> Vec<u64> {
    let entries = log.try_get_log_entries(..).await.unwrap();
    entries.iter().map(|entry| entry.log_id.index).collect()
}

fn reopen(dir: &TempDir, log: LogStore) -> LogStore {
    log.close();
    drop(log);
    open(dir.path()).unwrap()
}

/// Opens a log. A process that another test starts holds every lock of this one until it runs its own program.
pub(crate) fn open(dir: &Path) -> Result<LogStore, RaftError> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match LogStore::open(dir) {
            Err(RaftError::Log(hermod_wal::OpenError::Locked { .. }))
                if std::time::Instant::now() < deadline =>
            {
                std::thread::yield_now();
            }
            other => return other,
        }
    }
}

#[tokio::test]
async fn vote_entries_truncation_and_committed_survive() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path()).unwrap();
    assert!(log.is_pristine());
    let vote = Vote::new(3, 7);
    log.save_vote(&vote).await.unwrap();
    log.blocking_append((0..10).map(blank)).await.unwrap();
    log.truncate(id(6)).await.unwrap();
    log.save_committed(Some(id(5))).await.unwrap();

    let mut log = reopen(&dir, log);
    assert!(!log.is_pristine());
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    assert_eq!(log.read_committed().await.unwrap(), Some(id(5)));
    assert_eq!(indexes(&mut log).await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(log.get_log_state().await.unwrap().last_log_id, Some(id(5)));

    log.truncate(id(0)).await.unwrap();
    let mut log = reopen(&dir, log);
    assert_eq!(log.get_log_state().await.unwrap().last_log_id, None);
    log.blocking_append([blank(0)]).await.unwrap();
    assert_eq!(indexes(&mut log).await, [0]);
}

#[tokio::test]
async fn i1_an_entry_is_on_disk_when_its_callback_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path()).unwrap();
    log.blocking_append((0..4).map(blank)).await.unwrap();
    let durable = log.shared.wal.bounds(log.shared.stream).unwrap().durable;
    assert_eq!(durable, Seq(4));
}

#[tokio::test]
async fn a_purge_waits_for_its_snapshot_to_be_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path()).unwrap();
    log.blocking_append((0..10).map(blank)).await.unwrap();
    log.purge(id(4)).await.unwrap();
    assert_eq!(indexes(&mut log).await, [5, 6, 7, 8, 9]);

    // The process dies before the snapshot is there: everything is as before.
    let mut log = reopen(&dir, log);
    assert_eq!(log.purged(), None);
    assert_eq!(indexes(&mut log).await.len(), 10);

    log.purge(id(4)).await.unwrap();
    log.snapshot_is_durable(5);
    let mut log = reopen(&dir, log);
    assert_eq!(log.purged(), Some(id(4)));
    assert_eq!(indexes(&mut log).await, [5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_purge_beyond_the_end_moves_the_log_forward() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path()).unwrap();
    log.blocking_append((0..3).map(blank)).await.unwrap();
    log.purge(id(20)).await.unwrap();
    let mut appending = log.clone();
    let appended = async move { appending.blocking_append([blank(21)]).await.unwrap() };
    let snapshot = async { log.snapshot_is_durable(21) };
    tokio::join!(appended, snapshot);

    let mut log = reopen(&dir, log);
    assert_eq!(log.purged(), Some(id(20)));
    assert_eq!(indexes(&mut log).await, [21]);
}

#[tokio::test]
async fn old_entries_come_from_the_segments_and_reads_are_capped() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(dir.path()).unwrap();
    log.blocking_append((0..100).map(blank)).await.unwrap();
    let mut log = reopen(&dir, log);
    assert!(log.shared.inner().tail.is_empty());
    log.blocking_append((100..200).map(blank)).await.unwrap();
    let all: Vec<u64> = (0..200).collect();
    assert_eq!(indexes(&mut log).await, all);
    let one = log.entries(50, 150, 1).await.unwrap();
    assert_eq!(one.len(), 1, "the first comes whatever its size");
    let one = log.entries(150, 200, 1).await.unwrap();
    assert_eq!(one[0].log_id.index, 150);
    assert!(log.entries(9, 3, usize::MAX).await.unwrap().is_empty());
}
