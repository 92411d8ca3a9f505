//! What a node over its store refuses, and what it keeps to itself.

use std::fs;

use serde_json::{Value, json};

use crate::{
    documents::{lines, webhook_to_file},
    http::Client,
    platform::{Platform, call, post},
    process::{text, wait_for},
};

const STORE_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A signed webhook that leads to a file.
fn signed() -> Value {
    let mut bundle = webhook_to_file();
    bundle["sources"][0]["config"]["secret"] = json!("a secret of the sender");
    bundle
}

#[test]
fn testing_a_webhook_leaves_the_one_that_runs_open() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    platform.run(&webhook_to_file());
    let address = platform.node.address;
    let source = json!({"id": "hook", "type": "webhook", "config": {"path": "in"}});
    for (path, body) in [
        ("/api/sources/hook/test", &json!({})),
        ("/api/sources/test", &source),
    ] {
        assert_eq!(post(address, "in", b"before"), 200);
        let tested = platform.call("POST", path, body);
        assert_eq!(tested.status, 200, "{path}: {}", text(&tested.body));
        assert_eq!(tested.json()["ok"], true, "{path}");
        assert_eq!(post(address, "in", b"after"), 200);
    }
    wait_for("all four are there", || {
        (lines(&directory.path().join("out.ndjson")).len() == 4).then_some(())
    });
    platform.node.stop();
}

#[test]
fn the_key_of_the_store_opens_no_door() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &["--store-key", STORE_KEY]);
    let address = platform.node.address;
    for token in [STORE_KEY, &format!("hmd_{STORE_KEY}")] {
        let answer = call(address, token, "GET", "/api/workers", &Value::Null);
        assert_eq!(answer.status, 401, "{}", text(&answer.body));
    }
    let mut client = Client::connect(address).unwrap();
    let header =
        format!("x-worker-registration-token: {STORE_KEY}\r\ncontent-type: application/json\r\n");
    let answer = client.request("POST", "/api/workers", &header, b"{\"id\":\"w\"}");
    assert_eq!(answer.unwrap().status, 401);
    platform.node.stop();
}

#[test]
fn what_is_not_signed_is_kept_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    platform.run(&signed());
    let body = b"a body that nobody has signed";
    let unsigned = post(platform.node.address, "in", body);
    assert_eq!(unsigned, 401);
    let mut client = Client::connect(platform.node.address).unwrap();
    let signature = format!("x-hub-signature-256: sha256={}\r\n", "0".repeat(64));
    let forged = client.post("in", &signature, body).unwrap();
    assert_eq!(forged.status, 401);
    platform.node.stop();
    assert!(lines(&directory.path().join("out.ndjson")).is_empty());
    for file in crate::platform::walk(directory.path()) {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(body.len()).any(|window| window == body);
        assert!(!found, "{}", file.display());
    }
}

#[test]
fn a_workflow_runs_no_script_and_no_sql_of_its_editor() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    for node in [
        json!({"id": "bad", "type": "transformation", "config": {"transType": "lua", "script": "os.exit()"}}),
        json!({"id": "bad", "type": "transformation", "config": {"transType": "sql", "query": "DROP TABLE x"}}),
        json!({"id": "bad", "type": "wasm", "config": {}}),
    ] {
        let mut bundle = webhook_to_file();
        let nodes = bundle["workflow"]["nodes"].as_array_mut();
        nodes.unwrap().push(node.clone());
        let made = platform.call("POST", "/api/workflows/import", &bundle);
        assert_eq!(made.status, 422, "{node}: {}", text(&made.body));
        let pointer = made.json()["errors"][0]["pointer"].to_string();
        assert!(pointer.contains("/nodes/2"), "{node}: {pointer}");
    }
    platform.node.stop();
}

#[test]
fn messages_are_no_writes_to_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    platform.run(&webhook_to_file());
    // An object's version is the number of the write that made it.
    let write = |id: &str| -> u64 {
        let source = json!({"id": id, "type": "webhook", "config": {"path": id}});
        let made = platform.call("POST", "/api/sources", &source);
        let etag = made.json()["etag"]
            .as_str()
            .map(|etag| etag.trim_matches('"').to_owned());
        etag.and_then(|etag| etag.parse().ok())
            .unwrap_or_else(|| panic!("{}", text(&made.body)))
    };
    let before = write("before");
    for number in 0..500 {
        let status = post(platform.node.address, "in", format!("{number}").as_bytes());
        assert_eq!(status, 200);
    }
    wait_for("all are there", || {
        (lines(&directory.path().join("out.ndjson")).len() == 500).then_some(())
    });
    // Renewals of the lease, what the worker says of itself, a status each second.
    let writes = write("after") - before;
    assert!(writes < 100, "{writes} writes for 500 messages");
    platform.node.stop();
}
