//! SIGKILL of a writing process at random instants, again and again, on one directory.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hermod_wal::{Batch, Log, Options, Seq};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::basics::{read_all, run};

const CHILD: &str = "HERMOD_WAL_TEST_CHILD";
const KILLS: u64 = 20;

fn options(dir: &Path) -> Options {
    Options {
        segment_bytes: 256 << 10,
        reserve_bytes: 0,
        tail_bytes_max: 16 << 10,
        ..Options::new(dir)
    }
}

fn record(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(1 + (n % 90) as usize)
}

/// The child: appends numbered records with a position in the same batch, and says which are durable.
#[test]
fn child_of_the_kill_test() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let log = Log::open(options(Path::new(&dir))).unwrap();
    let stream = log.stream("records").unwrap();
    let mut tickets = std::collections::VecDeque::new();
    loop {
        let mut batch = Batch::new();
        let next = log.bounds(stream).unwrap().next.0;
        for n in next..next + 1 + next % 3 {
            batch.append(stream, &record(n));
            batch.set("position", &n.to_le_bytes());
        }
        if next % 500 < 3 && next > 2000 {
            batch.trim(stream, Seq(next - 2000));
        }
        let until = next + batch.len() as u64;
        tickets.push_back((until, log.append(batch).unwrap()));
        if tickets.len() > 16 {
            let (until, ticket) = tickets.pop_front().unwrap();
            ticket.wait().unwrap();
            println!("durable {until}");
        }
    }
}

#[test]
fn i1_what_was_confirmed_survives_sigkill_at_random_instants() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let mut confirmed = 0;
    for cycle in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "kill::child_of_the_kill_test",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = thread::spawn(move || {
            let mut durable = 0;
            for line in lines.map_while(Result::ok) {
                // The last line may have been cut by the kill: only whole ones with a number count.
                if let Some(until) = line.rsplit("durable ").next().and_then(|n| n.parse().ok()) {
                    durable = durable.max(until);
                }
            }
            durable
        });
        thread::sleep(Duration::from_micros(random.random_range(20_000..120_000)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "the child ended by itself in cycle {cycle}"
        );
        confirmed = reader.join().unwrap().max(confirmed);
        let log = Log::open(options(dir.path())).unwrap();
        assert!(log.recovery().damage.is_empty(), "{:?}", log.recovery());
        let Some(stream) = log.find_stream("records") else {
            assert_eq!(confirmed, 0);
            continue;
        };
        let bounds = log.bounds(stream).unwrap();
        assert!(bounds.durable.0 >= confirmed, "{bounds:?} {confirmed}");
        let records = read_all(&log, stream, bounds.first);
        assert_eq!(records.len() as u64, bounds.next.0 - bounds.first.0);
        for found in &records {
            assert_eq!(found.payload, record(found.seq.0));
        }
        // I2: the position is that of the last record, exactly.
        if let Some(position) = log.register("position") {
            assert_eq!(position[..], (bounds.next.0 - 1).to_le_bytes());
        }
        if cycle % 5 == 4 {
            run(&log, |batch| batch.trim(stream, bounds.next)).unwrap();
        }
    }
    assert!(confirmed > 0);
}
