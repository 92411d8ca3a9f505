use std::fs;

use openraft::{CommittedLeaderId, storage::RaftLogStorageExt};
use tempfile::TempDir;

use super::*;
use crate::{
    Answer, Expect, Key, Kind, Revision, Transaction,
    raft::{codec, group::Command},
};

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 7), index)
}

fn put(serial: u64, key: &str) -> Command {
    let key = Key::new(Kind::Setting, key);
    Command {
        proposer: 9,
        serial,
        operations: vec![Operation::Commit(Transaction::new().put(
            key,
            Expect::Any,
            "x",
        ))],
    }
}

fn entry(index: u64, commands: Vec<Command>) -> Entry {
    Entry {
        log_id: id(index),
        payload: EntryPayload::Normal(Proposal {
            now_ms: 1_000 + index,
            commands: Arc::new(commands),
        }),
    }
}

fn open(dir: &TempDir) -> Result<(LogStore, Machine), RaftError> {
    let log = crate::raft::log::tests::open(&dir.path().join("log"))?;
    let machine = Machine::open(&dir.path().join("snapshots"), log.clone(), None)?;
    Ok((log, machine))
}

fn snapshots(dir: &TempDir, suffix: &str) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(dir.path().join("snapshots")).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(suffix));
    paths.sort();
    paths
}

#[tokio::test]
async fn a_retried_command_is_answered_and_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut machine) = open(&dir).unwrap();
    let first = machine.apply([entry(0, vec![put(0, "a")])]).await.unwrap();
    let again = machine
        .apply([entry(1, vec![put(0, "a"), put(1, "b")])])
        .await
        .unwrap();
    assert_eq!(first[0][0], again[0][0]);
    assert_eq!(machine.state().revision(), Revision(2));

    // The answers travel with the snapshot.
    machine
        .get_snapshot_builder()
        .await
        .build_snapshot()
        .await
        .unwrap();
    drop((log, machine));
    let (_log, mut machine) = open(&dir).unwrap();
    let once_more = machine.apply([entry(2, vec![put(0, "a")])]).await.unwrap();
    assert_eq!(first[0][0], once_more[0][0]);
    assert_eq!(machine.state().revision(), Revision(2));
}

#[tokio::test]
async fn a_retry_that_comes_too_late_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_log, mut machine) = open(&dir).unwrap();
    let many = (0..=WINDOW).map(|serial| put(serial, "a")).collect();
    machine.apply([entry(0, many)]).await.unwrap();
    let revision = machine.state().revision();
    let late = machine.apply([entry(1, vec![put(0, "a")])]).await.unwrap();
    assert_eq!(late[0], [Outcome::Expired]);
    assert_eq!(machine.state().revision(), revision);
    let kept = machine.apply([entry(2, vec![put(1, "a")])]).await.unwrap();
    assert!(
        matches!(&kept[0][0], Outcome::Answers(answers) if matches!(answers[0], Answer::Committed { .. }))
    );
}

#[tokio::test]
async fn a_log_purged_beyond_the_snapshot_is_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, mut machine) = open(&dir).unwrap();
    let entries: Vec<_> = (0..4)
        .map(|index| entry(index, vec![put(index, "a")]))
        .collect();
    log.blocking_append(entries.clone()).await.unwrap();
    machine.apply(entries).await.unwrap();
    let mut builder = machine.get_snapshot_builder().await;
    builder.build_snapshot().await.unwrap();
    openraft::storage::RaftLogStorage::purge(&mut log, id(3))
        .await
        .unwrap();
    log.close();
    drop((log, machine, builder));

    let path = snapshots(&dir, ".snapshot").pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = open(&dir).map(drop).unwrap_err();
    assert!(matches!(
        refused,
        RaftError::SnapshotMissing {
            purged: 4,
            snapshot: 0
        }
    ));
    // I6: it is set aside and not deleted.
    assert_eq!(snapshots(&dir, ".damaged").len(), 1);
}

#[tokio::test]
async fn a_damaged_snapshot_falls_back_to_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut machine) = open(&dir).unwrap();
    for index in 0..3 {
        machine
            .apply([entry(index, vec![put(index, "a")])])
            .await
            .unwrap();
        let mut builder = machine.get_snapshot_builder().await;
        builder.build_snapshot().await.unwrap();
    }
    assert_eq!(snapshots(&dir, ".snapshot").len(), 2);
    drop((log, machine));
    let path = snapshots(&dir, ".snapshot").pop().unwrap();
    fs::write(&path, b"HM").unwrap();
    let (_log, machine) = open(&dir).unwrap();
    assert_eq!(machine.held().applied, Some(id(1)));
}

#[tokio::test]
async fn a_snapshot_that_is_torn_older_or_other_is_not_installed() {
    let dir = tempfile::tempdir().unwrap();
    let (_log, mut machine) = open(&dir).unwrap();
    machine.apply([entry(0, vec![put(0, "a")])]).await.unwrap();
    let built = machine.get_snapshot_builder().await.build_snapshot().await;
    let built = built.unwrap();
    let older = machine.install_snapshot(&built.meta, built.snapshot.clone());
    older.await.unwrap_err();

    let other = tempfile::tempdir().unwrap();
    let (_log, mut fresh) = open(&other).unwrap();
    let mut meta = built.meta.clone();
    meta.last_log_id = Some(id(5));
    let wrong = fresh.install_snapshot(&meta, built.snapshot.clone());
    wrong.await.unwrap_err();
    let mut torn = built.snapshot.clone().into_inner();
    torn.pop();
    let torn = fresh.install_snapshot(&built.meta, Box::new(Cursor::new(torn)));
    torn.await.unwrap_err();
    assert!(snapshots(&other, ".snapshot").is_empty());

    let mut watch = fresh.feed().watch();
    fresh
        .install_snapshot(&built.meta, built.snapshot)
        .await
        .unwrap();
    assert_eq!(watch.changed().await, [Event::Lagged]);
    assert_eq!(fresh.state(), machine.state());
}

#[test]
fn what_is_on_disk_is_read_by_later_versions() {
    let entry = entry(3, vec![put(5, "k")]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/raft-entry-v1.bin");
    let written = codec::encode(&entry).unwrap();
    if std::env::var_os("HERMOD_WRITE_GOLDEN").is_some() {
        fs::write(path, &written).unwrap();
    }
    let golden = fs::read(path).unwrap();
    assert_eq!(written, golden);
    assert_eq!(codec::decode::<Entry>(&golden).unwrap(), entry);

    let mut held = Held::default();
    held.apply(&entry, &mut Vec::new(), None);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/raft-held-v1.bin");
    let written = codec::encode(&held).unwrap();
    if std::env::var_os("HERMOD_WRITE_GOLDEN").is_some() {
        fs::write(path, &written).unwrap();
    }
    let golden = fs::read(path).unwrap();
    assert_eq!(written, golden);
    assert_eq!(codec::decode::<Held>(&golden).unwrap(), held);
    let newer = [&[2], &golden[1..]].concat();
    assert!(matches!(
        codec::decode::<Held>(&newer),
        Err(codec::CodecError::Newer { found: 2 })
    ));
}
