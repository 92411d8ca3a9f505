use serde_json::{Value, json};

use crate::{
    documents::{directory_with, lines, webhook_to_file, write},
    http::{get, post},
    process::{Node, run, run_json, text, wait_for},
};

const LIST: &[&str] = &["dlq", "list", "--output", "json"];

/// Posts text of two lines, which the file sink's format cannot put on one.
fn post_rejected(node: &Node, count: usize) {
    for number in 0..count {
        assert_eq!(
            post(node.address, "in", format!("{number}\nx").as_bytes()).status,
            200
        );
    }
}

fn open(directory: &std::path::Path) -> Vec<u64> {
    let list = run_json(directory, LIST);
    let seqs: Vec<_> = list["letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(list["open"], seqs.len());
    seqs
}

fn wait_for_open(directory: &std::path::Path, count: usize) -> Vec<u64> {
    wait_for("dead letters", || {
        Some(open(directory)).filter(|seqs| seqs.len() == count)
    })
}

/// The same document with a format that takes everything.
fn lenient() -> Value {
    let mut document = webhook_to_file();
    document["sinks"][0]["config"]["format"] = json!("json");
    document
}

#[test]
fn i3_what_the_sink_refuses_is_listed_shown_and_discarded_on_a_running_node() {
    let directory = directory_with(&webhook_to_file());
    let directory = directory.path();
    let node = Node::run(directory, "w.json");
    post_rejected(&node, 3);
    assert_eq!(post(node.address, "in", b"good").status, 200);
    let seqs = wait_for_open(directory, 3);
    wait_for("the good one", || {
        (lines(&directory.join("out.ndjson")) == ["good"]).then_some(())
    });

    let metrics = get(node.address, "/metrics");
    let metrics = text(&metrics.body);
    for name in [
        "hermod_engine_message_errors_total{source_id=\"hook\",stage=\"sink\",workflow_id=\"orders\"} 3",
        "hermod_engine_dead_letter_total{sink_id=\"file\",workflow_id=\"orders\"} 3",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }

    let table = run(directory, &["dlq", "list"]);
    let table = text(&table.stdout);
    assert!(
        table.contains("sink file") && table.contains("rejected"),
        "{table}"
    );
    let shown = run_json(directory, &["dlq", "show", &seqs[1].to_string()]);
    assert_eq!(shown["message"]["payload_text"], "1\nx");
    assert!(
        shown["reason"].as_str().unwrap().contains("line break"),
        "{shown}"
    );

    let chosen = seqs[0].to_string();
    let done = run_json(directory, &["dlq", "discard", &chosen, "--output", "json"]);
    assert_eq!((&done["done"], &done["open"]), (&json!(1), &json!(2)));
    // It is not open any more, so it can be neither discarded nor replayed again.
    for order in ["discard", "replay"] {
        let again = run(directory, &["dlq", order, &chosen]);
        assert_eq!(again.status.code(), Some(1));
        assert!(
            text(&again.stderr).contains("HMD-0015"),
            "{}",
            text(&again.stderr)
        );
    }
    assert_eq!(open(directory), seqs[1..]);
    node.stop();
    assert_eq!(open(directory), seqs[1..]);
}

#[test]
fn a_replayed_dead_letter_is_delivered_offline_and_online() {
    let directory = directory_with(&webhook_to_file());
    let directory = directory.path();
    let node = Node::run(directory, "w.json");
    post_rejected(&node, 4);
    let seqs = wait_for_open(directory, 4);
    node.stop();

    // Offline: into the buffer, delivered after the next start.
    let first = seqs[0].to_string();
    let done = run_json(directory, &["dlq", "replay", &first, "--output", "json"]);
    assert_eq!((&done["done"], &done["open"]), (&json!(1), &json!(3)));
    write(directory, "w.json", &lenient());
    let node = Node::run(directory, "w.json");
    let out = directory.join("out.ndjson");
    wait_for("the replayed message", || {
        (lines(&out).len() == 1).then_some(())
    });
    assert!(lines(&out)[0].contains("0\\nx"));

    // Online: through the control socket.
    let range = format!("{}-{}", seqs[1], seqs[2]);
    let done = run_json(directory, &["dlq", "replay", &range, "--output", "json"]);
    assert_eq!((&done["done"], &done["open"]), (&json!(2), &json!(1)));
    let done = run_json(directory, &["dlq", "replay", "--all", "--output", "json"]);
    assert_eq!((&done["done"], &done["open"]), (&json!(1), &json!(0)));
    wait_for("the replayed messages", || {
        (lines(&out).len() == 4).then_some(())
    });
    assert_eq!(open(directory), Vec::<u64>::new());
    let closed = run_json(directory, &["dlq", "list", "--closed", "--output", "json"]);
    assert!(
        closed["letters"]
            .as_array()
            .unwrap()
            .iter()
            .all(|l| l["state"] == "replayed")
    );
    node.stop();
}

#[test]
fn a_replayed_message_that_fails_again_is_a_new_dead_letter() {
    let directory = directory_with(&webhook_to_file());
    let directory = directory.path();
    let node = Node::run(directory, "w.json");
    post_rejected(&node, 1);
    let seqs = wait_for_open(directory, 1);
    run_json(directory, &["dlq", "replay", "--all", "--output", "json"]);
    let again = wait_for("it to fail again", || {
        Some(open(directory)).filter(|o| *o != seqs && o.len() == 1)
    });
    assert!(again[0] > seqs[0]);
    node.stop();
}

#[test]
fn a_workflow_must_be_named_where_there_are_several() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::create_dir(directory.join("workflows")).unwrap();
    for id in ["one", "two"] {
        let mut document = webhook_to_file();
        document["workflow"]["id"] = json!(id);
        document["sources"][0]["config"]["path"] = json!(id);
        document["sinks"][0]["config"]["filename"] = json!(format!("{id}.ndjson"));
        write(
            &directory.join("workflows"),
            &format!("{id}.json"),
            &document,
        );
    }
    let node = Node::start(directory, &["--mode=standalone"]);
    assert_eq!(post(node.address, "two", b"a\nb").status, 200);
    let unnamed = run(directory, LIST);
    assert_eq!(unnamed.status.code(), Some(2));
    let errors = text(&unnamed.stderr);
    assert!(
        errors.contains("HMD-0014") && errors.contains("`one`, `two`"),
        "{errors}"
    );
    assert!(
        errors.contains("`hermod dlq list --workflow one`"),
        "the command to type: {errors}"
    );
    let named = [LIST, &["--workflow", "two"]].concat();
    wait_for("a dead letter", || {
        (run_json(directory, &named)["open"] == 1).then_some(())
    });
    assert_eq!(
        run_json(directory, &[LIST, &["--workflow", "one"]].concat())["open"],
        0
    );
    let unknown = run(directory, &[LIST, &["--workflow", "three"]].concat());
    assert_eq!(unknown.status.code(), Some(2));
    node.stop();
}

#[test]
fn where_no_workflow_has_dead_letters_the_list_is_empty_and_the_rest_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::create_dir(directory.join("workflows")).unwrap();
    let node = Node::start(directory, &["--mode=standalone"]);
    let check = || {
        let empty =
            json!({"workflow": null, "open": 0, "letters": [], "next": null, "damaged": []});
        assert_eq!(run_json(directory, LIST), empty);
        let table = run(directory, &["dlq", "list"]);
        assert_eq!(table.status.code(), Some(0));
        assert_eq!(text(&table.stdout), "no workflow has dead letters\n");
        let show = run(directory, &["dlq", "show", "0"]);
        assert_eq!(show.status.code(), Some(2));
        assert!(text(&show.stderr).contains("HMD-0014"));
    };
    check();
    node.stop();
    check();
}

#[test]
fn the_control_socket_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory_with(&webhook_to_file());
    let node = Node::run(directory.path(), "w.json");
    let socket = directory.path().join("data/control.sock");
    assert_eq!(
        std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    node.stop();
    assert!(!socket.exists());
}

#[test]
fn a_deep_data_directory_is_reached_too() {
    let directory = directory_with(&webhook_to_file());
    let deep = "d".repeat(120);
    let node = Node::start(directory.path(), &["run", "w.json", "--data-dir", &deep]);
    let list = run_json(directory.path(), &[LIST, &["--data-dir", &deep]].concat());
    assert_eq!(list["open"], 0);
    node.stop();
}

#[test]
fn i3_a_mapping_carries_numbers_as_written_and_drops_no_key_that_stands_twice() {
    let mut document = webhook_to_file();
    document["workflow"]["nodes"] = json!([
        {"id": "in", "type": "source", "ref_id": "hook"},
        {"id": "map", "type": "mapping", "config": {"fields": {"set": "NUMBER"}}},
        {"id": "out", "type": "sink", "ref_id": "file"},
    ]);
    document["workflow"]["edges"] = json!([
        {"id": "a", "source_id": "in", "target_id": "map"},
        {"id": "b", "source_id": "map", "target_id": "out"},
    ]);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let text = document.to_string().replace("\"NUMBER\"", "1e400");
    std::fs::write(directory.join("w.json"), text).unwrap();
    for round in 0..2 {
        let node = Node::run(directory, "w.json");
        let twice = br#"{"a": {"k": 1, "k": 2}}"#;
        assert_eq!(post(node.address, "in", twice).status, 200);
        let exact = br#"{"n": 2E5, "m": 0.10}"#;
        assert_eq!(post(node.address, "in", exact).status, 200);
        wait_for_open(directory, round + 1);
        let out = directory.join("out.ndjson");
        wait_for("the mapped messages", || {
            (lines(&out).len() == round + 1).then_some(())
        });
        assert_eq!(lines(&out)[round], r#"{"n":2E5,"m":0.10,"set":1e400}"#);
        node.stop();
    }
    let list = run_json(directory, LIST);
    let letter = &list["letters"][0];
    assert_eq!(letter["at"], "node map");
    assert!(
        letter["reason"].as_str().unwrap().contains("`/a/k`"),
        "{letter}"
    );
}
