//! The proof must hold for an honest node, find each planted fault, and refuse a verdict where there is none.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use hermod_chaos::prove::{Options, Report, run};

use crate::fake_node::{FAULT, LIFE};

/// Proves a fake node with a fault; the program is a script that becomes this test program again.
fn prove(fault: &str) -> anyhow::Result<Report> {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("node");
    let tests = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{FAULT}={fault} {LIFE}=\"$*\" exec '{}' --exact fake_node::life --nocapture\n",
        tests.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options {
        cycles: 3,
        seed: Some(11),
        stuck_after: Duration::from_secs(7),
        connections: 4,
        keys: 4,
        dir: Some(dir.path().join("run")),
        ..Options::new(program)
    };
    run(&options)
}

#[test]
fn an_honest_node_is_proved() {
    let report = prove("none").unwrap();
    assert!(report.holds(), "{report:?}");
    assert_eq!((report.cycles, report.kills, report.seed), (3, 3, 11));
    assert!(
        report.acknowledged > 0 && report.verdict.delivered >= report.acknowledged,
        "{report:?}"
    );
    assert!(report.sent >= report.verdict.delivered, "{report:?}");
}

#[test]
fn a_node_that_answers_before_it_writes_is_found() {
    let report = prove("forgets").unwrap();
    assert!(!report.holds());
    assert!(report.verdict.lost > 0, "{report:?}");
    assert!(!report.verdict.lost_ids.is_empty() && report.verdict.lost_ids.len() <= 20);
}

#[test]
fn a_node_that_turns_the_order_round_is_found() {
    let report = prove("swaps").unwrap();
    assert!(!report.holds());
    assert!(report.verdict.order_inversions > 0, "{report:?}");
}

#[test]
fn a_node_that_writes_twice_is_counted_and_may() {
    let report = prove("repeats").unwrap();
    assert!(report.holds(), "{report:?}");
    assert!(
        report.verdict.duplicated >= report.acknowledged,
        "{report:?}"
    );
}

#[test]
fn a_node_that_changes_a_message_is_found() {
    let report = prove("changes").unwrap();
    assert!(!report.holds());
    assert!(report.verdict.altered > 0, "{report:?}");
}

#[test]
fn a_node_that_refuses_leaves_no_verdict() {
    let error = prove("refuses").unwrap_err();
    assert!(format!("{error:#}").contains("422"), "{error:#}");
}

#[test]
fn a_node_that_does_not_start_leaves_no_verdict_and_its_log_is_shown() {
    let error = prove("ends").unwrap_err();
    assert!(format!("{error:#}").contains("planted end"), "{error:#}");
}

#[test]
fn a_node_that_never_delivers_leaves_no_verdict() {
    // What it holds is missing, but not lost.
    let error = prove("holds").unwrap_err();
    assert!(
        format!("{error:#}").contains("does not deliver"),
        "{error:#}"
    );
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("delivered.ndjson"), "").unwrap();
    let options = Options {
        dir: Some(dir.path().to_owned()),
        ..Options::new("/bin/true")
    };
    assert!(format!("{:#}", run(&options).unwrap_err()).contains("is not empty"));
    assert!(Path::new(dir.path()).join("delivered.ndjson").exists());
}
