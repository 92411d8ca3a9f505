//! A process that is killed while it writes, again and again, on one file.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::*;

const PLACE: &str = "HERMOD_TEST_KILLED";
const LINES_PER_BATCH: usize = 300;

fn line(cycle: usize, number: usize) -> String {
    format!(
        "{{\"cycle\":{cycle},\"line\":{number},\"pad\":\"{}\"}}",
        "x".repeat(number % 700)
    )
}

#[test]
fn i1_what_was_reported_written_is_there_whole_after_kills() {
    if let Some(place) = std::env::var_os(PLACE) {
        return write_until_killed(Path::new(&place));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.ndjson");
    let name = std::thread::current().name().unwrap().to_owned();
    let mut confirmed = Vec::new();
    for cycle in 0..8 {
        let place = directory.path().join(format!("{cycle}"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reports = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("written ")?.parse::<usize>().ok());
        // Another place in its work each time.
        confirmed.push(reports.take(1 + cycle * 3).last().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async { open(&config(&path)).await.close().await.unwrap() });
    let written = text(&path);
    assert!(written.ends_with('\n'));
    let mut lines = written.lines();
    let mut next = lines.next();
    for (cycle, confirmed) in confirmed.into_iter().enumerate() {
        let mut number = 0;
        while next == Some(&line(cycle, number)) {
            number += 1;
            next = lines.next();
        }
        assert!(
            number >= confirmed,
            "cycle {cycle}: {number} of {confirmed} lines are there"
        );
    }
    assert_eq!(next, None, "a line is not whole, or not in order");
}

/// The half that is killed. It says how many lines were reported written.
fn write_until_killed(place: &Path) {
    let path = place.with_file_name("out.ndjson");
    let cycle: usize = place
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let mut sink = open(&config(&path)).await;
        for number in 1.. {
            let from = (number - 1) * LINES_PER_BATCH;
            let lines: Vec<_> = (from..from + LINES_PER_BATCH)
                .map(|n| line(cycle, n))
                .collect();
            assert_eq!(sink.write(&batch(&lines)).await.unwrap(), Written::All);
            println!("written {}", number * LINES_PER_BATCH);
        }
    });
}
