//! A short run of `hermod prove`: the built binary is killed while it works.

use std::process::Command;

use serde_json::Value;

fn prove(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_hermod"))
        .arg("prove")
        .args(arguments)
        .output()
        .expect("the binary was built for this test")
}

#[test]
fn i1_nothing_acknowledged_is_lost_when_the_node_is_killed_again_and_again() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let place = dir.path().join("run");
    let output = prove(&[
        "--cycles",
        "5",
        "--seed",
        "7",
        "--data-dir",
        place.to_str().expect("the path is text"),
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no report ({error}): {errors}"));
    assert!(output.status.success(), "{report:#} {errors}");
    for (field, expected) in [
        ("cycles", 5),
        ("kills", 5),
        ("seed", 7),
        ("lost", 0),
        ("order_inversions", 0),
        ("altered", 0),
    ] {
        assert_eq!(report[field], expected, "{field} in {report:#}");
    }
    let acknowledged = report["acknowledged"].as_u64().expect("a count");
    let delivered = report["delivered"].as_u64().expect("a count");
    assert!(acknowledged > 0 && delivered >= acknowledged, "{report:#}");
    // The report's counts against the file itself.
    let file = std::fs::read_to_string(place.join("delivered.ndjson")).expect("the sink's file");
    let duplicated = report["duplicated"].as_u64().expect("a count");
    assert_eq!(file.lines().count() as u64, delivered + duplicated);
}

#[test]
fn a_proof_that_cannot_be_run_has_no_verdict_and_an_error_code() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(dir.path().join("something"), "").expect("a file can be made");
    let output = prove(&["--data-dir", dir.path().to_str().expect("the path is text")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("HMD-0018") && errors.contains("is not empty"),
        "{errors}"
    );
}
