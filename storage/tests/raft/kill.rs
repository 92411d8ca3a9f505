//! SIGKILL of a process with a store, at random instants, on one directory.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use hermod_storage::{
    Expect, Key, Kind, Operation, Raft, RaftOptions, Range, Read, Store, Transaction,
};

use super::{network::Network, open_unlocked};

const CHILD: &str = "HERMOD_RAFT_TEST_CHILD";
const KILLS: &str = "HERMOD_KILLS";

async fn open(dir: &Path) -> Arc<Raft> {
    let network = Arc::new(Network::default());
    let options = RaftOptions {
        // Snapshots and trims all the time.
        snapshot_bytes: 32 << 10,
        log_bytes: 0,
        ..RaftOptions::new(dir, "one", network.end("one:1"))
    };
    open_unlocked(&options).await.unwrap()
}

fn key(number: u64) -> Key {
    Key::new(Kind::Setting, format!("{:02}", number % 50))
}

/// The child: writes numbers, and says which are answered.
#[tokio::test]
async fn child_of_the_kill_test() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let store = open(Path::new(&dir)).await;
    let mut number = highest(&store).await;
    loop {
        number += 1;
        let document = format!("{number:>2000}");
        let put = Transaction::new().put(key(number), Expect::Any, document);
        store.submit(vec![Operation::Commit(put)]).await.unwrap();
        println!("@ answered {number} .");
        if number % 20 == 0 {
            store.snapshot().await.unwrap();
        }
    }
}

async fn highest(store: &Arc<Raft>) -> u64 {
    let all = store.list(&Range::all(Kind::Setting), Read::Latest).await;
    let numbers = all.unwrap().into_iter().map(|object| {
        let text = String::from_utf8(object.document.to_vec()).unwrap();
        text.trim().parse().unwrap()
    });
    numbers.max().unwrap_or(0)
}

#[tokio::test]
async fn i1_what_was_answered_survives_sigkill_at_random_instants() {
    let dir = tempfile::tempdir().unwrap();
    let kills: u64 = std::env::var(KILLS).map_or(8, |kills| kills.parse().unwrap());
    let (mut answered, mut first) = (0, 0);
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["raft::kill::child_of_the_kill_test", "--exact"])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (more, got_more) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some(line) = line.strip_suffix(" .") else {
                    continue;
                };
                let number = line.rsplit("@ answered ").next();
                if let Some(Ok(number)) = number.map(str::parse::<u64>) {
                    answered = answered.max(number);
                    // Nobody waits for more than the first.
                    more.send(()).unwrap_or_default();
                }
            }
            answered
        });
        // Some rounds end while it starts.
        if round % 4 != 3 {
            got_more.recv().unwrap();
        }
        thread::sleep(Duration::from_micros(rand::random::<u64>() % 200_000));
        child.kill().unwrap();
        child.wait().unwrap();
        answered = reader.join().unwrap();

        let store = open(dir.path()).await;
        let found = highest(&store).await;
        // One more may have been written, and not answered.
        assert!(
            (answered..=answered + 1).contains(&found),
            "round {round}: {found} {answered}"
        );
        if first == 0 {
            first = found;
        }
        store.close().await;
    }
    assert!(answered > first);
}
