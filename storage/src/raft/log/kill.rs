//! SIGKILL of a process that appends, rewinds, votes and purges, at random instants, on one directory.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use openraft::{
    CommittedLeaderId, EntryPayload, RaftLogReader,
    storage::{RaftLogStorage, RaftLogStorageExt},
};

use super::{Entry, LogId, Vote, next_index, tests::open};

const CHILD: &str = "HERMOD_RAFT_LOG_TEST_CHILD";
const KILLS: &str = "HERMOD_KILLS";

fn id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term, 1), index)
}

fn entry(term: u64, index: u64) -> Entry {
    Entry {
        log_id: id(term, index),
        payload: EntryPayload::Blank,
    }
}

/// What the parent knows for certain.
#[derive(Debug, Default)]
struct Known {
    term: u64,
    /// Everything before it was confirmed.
    durable: u64,
    /// From this index on nothing of an older term may be seen again.
    cut: Option<(u64, u64)>,
}

impl Known {
    fn hear(&mut self, line: &str) -> Option<()> {
        // The test harness may have begun the line.
        let line = line.rsplit("@ ").next()?;
        let mut words = line.split(' ');
        let what = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        match what {
            "voted" => self.term = number()?,
            "durable" => self.durable = number()?,
            "cutting" => self.durable = self.durable.min(number()?),
            "cut" => self.cut = Some((number()?, number()?)),
            _ => {}
        }
        Some(())
    }
}

/// The child: a term after the other, each with appends, a purge and a rewind, and says what is durable.
#[tokio::test]
async fn child_of_the_kill_test() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let mut log = open(Path::new(&dir)).unwrap();
    let mut term = log
        .read_vote()
        .await
        .unwrap()
        .map_or(0, |vote| vote.leader_id.term);
    loop {
        term += 1;
        log.save_vote(&Vote::new(term, 1)).await.unwrap();
        println!("@ voted {term} .");
        let state = log.get_log_state().await.unwrap();
        let next = next_index(state.last_log_id.as_ref());
        let from = next_index(state.last_purged_log_id.as_ref());
        let at = next - (next - from).min(term % 7);
        if at < next {
            println!("@ cutting {at} .");
            log.truncate(id(term, at)).await.unwrap();
            println!("@ cut {at} {term} .");
        }
        for step in 0..=(term % 11) {
            let first = at + step * 3;
            let entries = (first..first + 3).map(|index| entry(term, index));
            log.save_committed(Some(id(term, first))).await.unwrap();
            log.blocking_append(entries).await.unwrap();
            println!("@ durable {} .", first + 3);
        }
        if term % 5 == 0 && at > from + 20 {
            let purged = log.try_get_log_entries(at - 10..at - 9).await.unwrap();
            log.purge(purged[0].log_id).await.unwrap();
            log.snapshot_is_durable(purged[0].log_id.index + 1);
        }
    }
}

#[tokio::test]
async fn i1_a_log_killed_at_random_instants_is_always_legal() {
    let dir = tempfile::tempdir().unwrap();
    let kills: u64 = std::env::var(KILLS).map_or(15, |kills| kills.parse().unwrap());
    let mut known = Known::default();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["raft::log::kill::child_of_the_kill_test", "--exact"])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that was cut by the kill lacks its end.
                if line.ends_with('.') {
                    known.hear(&line);
                }
            }
            known
        });
        thread::sleep(Duration::from_micros(
            20_000 + rand::random::<u64>() % 100_000,
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        known = reader.join().unwrap();

        let mut log = open(dir.path()).unwrap();
        let vote = log
            .read_vote()
            .await
            .unwrap()
            .map_or(0, |vote| vote.leader_id.term);
        assert!(vote >= known.term, "round {round}: {vote} {known:?}");
        let state = log.get_log_state().await.unwrap();
        let next = next_index(state.last_log_id.as_ref());
        assert!(next >= known.durable, "round {round}: {next} {known:?}");
        let committed = log.read_committed().await.unwrap();
        assert!(next_index(committed.as_ref()) <= next, "round {round}");
        let entries = log.try_get_log_entries(..).await.unwrap();
        let first = next_index(state.last_purged_log_id.as_ref());
        let indexes: Vec<u64> = entries.iter().map(|entry| entry.log_id.index).collect();
        assert_eq!(indexes, (first..next).collect::<Vec<_>>(), "round {round}");
        for entry in &entries {
            let LogId { leader_id, index } = entry.log_id;
            if let Some((cut, term)) = known.cut
                && index >= cut
            {
                assert!(leader_id.term >= term, "round {round}: {index} {known:?}");
            }
        }
        log.close();
    }
    assert!(known.term > 0 && known.durable > 0, "{known:?}");
}
