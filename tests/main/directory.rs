use std::fs;

use serde_json::json;

use crate::{
    documents::{directory_with, generator_to_file, lines, webhook_to_file},
    http::post,
    process::{Node, run, run_json, text},
};

#[test]
fn a_data_directory_in_use_is_a_clear_error_that_names_the_process() {
    let directory = directory_with(&webhook_to_file());
    let node = Node::run(directory.path(), "w.json");
    let arguments = ["run", "w.json", "--port", "0", "--log-format", "text"];
    let output = run(directory.path(), &arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    let pid = fs::read_to_string(directory.path().join("data/LOCK")).unwrap();
    assert!(errors.contains("HMD-0003"), "{errors}");
    assert!(
        errors.contains(&format!("process {}", pid.trim())),
        "{errors}"
    );
    node.stop();
}

#[test]
fn a_directory_of_a_newer_format_is_refused_and_left_as_it_is() {
    let directory = directory_with(&generator_to_file(1));
    let format = directory.path().join("data/FORMAT");
    fs::create_dir(directory.path().join("data")).unwrap();
    fs::write(&format, "99\n").unwrap();
    let arguments = ["run", "w.json", "--port", "0", "--log-format", "text"];
    let output = run(directory.path(), &arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in ["HMD-0004", "99", "data"] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    assert_eq!(fs::read_to_string(&format).unwrap(), "99\n");
    assert!(!directory.path().join("data/log").exists());
}

#[test]
fn i6_damage_is_named_by_verify_and_by_the_next_start() {
    let directory = directory_with(&webhook_to_file());
    let held = crate::documents::hold(&directory.path().join("out.ndjson"));
    let node = Node::start(
        directory.path(),
        &["run", "w.json", "--drain-timeout", "100ms"],
    );
    for number in 0..20 {
        assert_eq!(
            post(node.address, "in", format!("payload-{number}").as_bytes()).status,
            200
        );
    }
    node.stop();
    drop(held);

    let inspected = run_json(directory.path(), &["wal", "inspect", "--output", "json"]);
    assert_eq!(
        (&inspected["clean"], &inspected["damage"]),
        (&json!(true), &json!([]))
    );
    let stream = |found: &serde_json::Value| {
        let streams = found["streams"].as_array().unwrap().clone();
        streams
            .into_iter()
            .find(|s| s["name"].as_str().unwrap().starts_with("buf/"))
            .unwrap()
    };
    assert_eq!(stream(&inspected)["records"], 20);
    assert_eq!(stream(&inspected)["bytes"], json!(null), "nobody counted");
    let verified = run_json(directory.path(), &["wal", "verify", "--output", "json"]);
    assert_eq!(verified["healthy"], true);
    assert_eq!(stream(&verified)["records"], 20);
    assert!(stream(&verified)["bytes"].as_u64().unwrap() > 20 * 9);

    let segment = damage_payload(directory.path(), "payload-7");
    let output = run(directory.path(), &["wal", "verify", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let verified: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verified["healthy"], false);
    let damage = &verified["damage"][0];
    assert_eq!(damage["segment"], segment, "{damage}");
    assert!(
        damage["lost"][0]["stream"]
            .as_str()
            .unwrap()
            .starts_with("buf/"),
        "{damage}"
    );
    assert!(text(&output.stderr).contains("HMD-0012"));
    // Looking changes nothing.
    assert_eq!(
        run(directory.path(), &["wal", "inspect"]).status.code(),
        Some(1)
    );
}

#[test]
fn i6_damage_to_the_first_copy_of_a_header_is_found_and_the_node_goes_on_with_the_other() {
    let directory = directory_with(&webhook_to_file());
    let directory = directory.path();
    let node = Node::run(directory, "w.json");
    assert_eq!(post(node.address, "in", b"before").status, 200);
    node.stop();
    let path = directory.join("data/log/segment-0000000000000001.wal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[24] ^= 1;
    fs::write(&path, bytes).unwrap();
    let output = run(directory, &["wal", "verify", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let verified: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verified["healthy"], false);
    let damage = json!([{
        "segment": 1, "offset": 24, "bytes": 1, "part": "header copy", "lost": [],
        "text": "segment 1: header copy at offset 24, 1 bytes; the other copy was read; no record is lost",
    }]);
    assert_eq!(verified["damage"], damage);
    assert!(text(&output.stderr).contains("HMD-0012"));

    let node = Node::run(directory, "w.json");
    let logged =
        node.wait_for_log("a segment's header was read from its other copy; nothing is lost");
    assert_eq!(
        (&logged["segment"], &logged["offset"]),
        (&json!(1), &json!(24))
    );
    assert_eq!(post(node.address, "in", b"behind").status, 200);
    node.stop();
    assert_eq!(lines(&directory.join("out.ndjson")), ["before", "behind"]);
}

/// Flips a bit of a payload in the log's newest segment, and returns the segment's number.
fn damage_payload(directory: &std::path::Path, payload: &str) -> u64 {
    for entry in fs::read_dir(directory.join("data/log")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes
            .windows(payload.len())
            .position(|part| part == payload.as_bytes())
        {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let digits: String = name.chars().filter(char::is_ascii_digit).collect();
            return digits.parse().unwrap();
        }
    }
    panic!("{payload} is in no segment");
}

#[test]
fn a_directory_of_a_newer_format_is_refused_by_every_command() {
    let directory = directory_with(&webhook_to_file());
    let directory = directory.path();
    Node::run(directory, "w.json").stop();
    fs::write(directory.join("data/FORMAT"), "9\n").unwrap();
    for arguments in [["wal", "verify"], ["wal", "inspect"], ["dlq", "list"]] {
        let output = run(directory, &arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains("HMD-0004"), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_directory_without_a_log_is_said_so() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [["wal", "verify"], ["wal", "inspect"], ["dlq", "list"]] {
        let output = run(directory.path(), &arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(!directory.path().join("data").exists());
    }
}
