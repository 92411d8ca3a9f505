//! A node over its metadata store: the API, what a restart finds, and who may do what.

use std::{fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};

use crate::{
    documents::{directory_with, lines, webhook_to_file, write},
    http::{Answer, Client},
    process::{Node, run, text, wait_for},
};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A node with an administrator, and a token of his.
pub(crate) struct Platform {
    pub(crate) node: Node,
    token: String,
}

impl Platform {
    pub(crate) fn start(directory: &Path, more: &[&str]) -> Self {
        let node = Self::node(directory, more);
        fs::write(directory.join("password"), PASSWORD).unwrap();
        let made = run(directory, &["setup", "--password-file", "password"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let token = token(node.address, "admin", "Administrator");
        Self { node, token }
    }

    fn node(directory: &Path, more: &[&str]) -> Node {
        let arguments = [&["--mode=standalone", "--grpc-port", "off"], more].concat();
        Node::start(directory, &arguments)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        call(self.node.address, &self.token, method, path, body)
    }

    /// Makes a workflow of a bundle and lets it run.
    pub(crate) fn run(&self, bundle: &Value) {
        let made = self.call("POST", "/api/workflows/import", bundle);
        assert_eq!(made.status, 201, "{}", text(&made.body));
        let id = bundle["workflow"]["id"].as_str().unwrap();
        let started = self.call("POST", &format!("/api/workflows/{id}/start"), &json!({}));
        assert_eq!(started.status, 200, "{}", text(&started.body));
        wait_for("the workflow runs", || {
            let status = self.call("GET", &format!("/api/workflows/{id}"), &Value::Null);
            (status.json()["status"]["state"] == "running").then_some(())
        });
    }
}

pub(crate) fn call(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    let mut client = Client::connect(address).unwrap();
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    client
        .request(method, path, &headers, body.as_bytes())
        .unwrap()
}

/// Logs in and makes a token.
pub(crate) fn token(address: SocketAddr, user: &str, role: &str) -> String {
    let mut client = Client::connect(address).unwrap();
    let body = json!({"username": user, "password": PASSWORD}).to_string();
    let headers = "content-type: application/json\r\n";
    let login = client
        .request("POST", "/api/login", headers, body.as_bytes())
        .unwrap();
    assert_eq!(login.status, 200, "{}", text(&login.body));
    let cookie = login
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let csrf = login.json()["csrf_token"].as_str().unwrap().to_owned();
    let headers =
        format!("cookie: {cookie}\r\nx-csrf-token: {csrf}\r\ncontent-type: application/json\r\n");
    let body = json!({"name": "test", "role": role}).to_string();
    let mut client = Client::connect(address).unwrap();
    let made = client
        .request("POST", "/api/tokens", &headers, body.as_bytes())
        .unwrap();
    assert_eq!(made.status, 201, "{}", text(&made.body));
    made.json()["token"].as_str().unwrap().to_owned()
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> u16 {
    let mut client = Client::connect(address).unwrap();
    client.post(path, "", body).unwrap().status
}

#[test]
fn a_workflow_made_over_the_api_runs_and_survives_a_restart_of_the_node() {
    for store in [
        &["--db-type=raft"][..],
        &["--db-type=sqlite", "--db-conn=meta.db"],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let platform = Platform::start(directory.path(), store);
        platform.run(&webhook_to_file());
        assert_eq!(post(platform.node.address, "in", b"one"), 200);
        let Platform { mut node, token } = platform;
        node.kill();
        drop(node);
        let node = Platform::node(directory.path(), store);
        wait_for("the workflow runs again", || {
            (post(node.address, "in", b"two") == 200).then_some(())
        });
        wait_for("both are in the file", || {
            let found = lines(&directory.path().join("out.ndjson"));
            (found.contains(&"one".to_owned()) && found.contains(&"two".to_owned())).then_some(())
        });
        let epoch = |answer: Answer| answer.json()["epoch"].as_u64().unwrap();
        let seen = call(
            node.address,
            &token,
            "GET",
            "/api/workflows/orders",
            &Value::Null,
        );
        assert!(
            epoch(seen) > 1_700_000_000_000,
            "an epoch is a time at least"
        );
        node.stop();
    }
}

#[test]
fn an_edited_workflow_runs_its_new_version_and_a_stopped_one_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    platform.run(&webhook_to_file());
    let address = platform.node.address;
    assert_eq!(post(address, "in", b"before"), 200);
    let sink = platform.call("GET", "/api/sinks/file", &Value::Null);
    let mut document = sink.json();
    let etag = document["etag"].as_str().unwrap().to_owned();
    document["config"]["filename"] = json!("other.ndjson");
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\nif-match: {etag}\r\n",
        platform.token
    );
    for name in ["etag", "created_at", "changed_at"] {
        document.as_object_mut().unwrap().remove(name);
    }
    let put = |headers: &str| {
        let mut client = Client::connect(address).unwrap();
        let body = document.to_string();
        client
            .request("PUT", "/api/sinks/file", headers, body.as_bytes())
            .unwrap()
    };
    let saved = put(&headers);
    assert_eq!(saved.status, 200, "{}", text(&saved.body));
    assert_eq!(put(&headers).status, 412, "the second edit of one version");
    wait_for("the change has reached the engine", || {
        (post(address, "in", b"after") == 200 && directory.path().join("other.ndjson").exists())
            .then_some(())
    });
    let stopped = platform.call("POST", "/api/workflows/orders/stop", &json!({}));
    assert_eq!(stopped.status, 200, "{}", text(&stopped.body));
    wait_for("nothing is taken", || {
        (post(address, "in", b"late") == 404).then_some(())
    });
    platform.node.stop();
    // What came while the change was on its way was taken under the version of before.
    let (old, new) = ("out.ndjson", "other.ndjson");
    let old = lines(&directory.path().join(old));
    assert_eq!(old[0], "before");
    assert!(old[1..].iter().all(|line| line == "after"), "{old:?}");
    let new = lines(&directory.path().join(new));
    // A stop takes a moment too: what came before it was answered, and is there.
    assert_eq!(new.first().map(String::as_str), Some("after"), "{new:?}");
}

#[test]
fn i10_secrets_are_sealed_in_the_store_and_shown_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let platform = Platform::start(directory.path(), &[]);
    let mut bundle = webhook_to_file();
    bundle["sources"][0]["config"]["secret"] = json!("hunter2-hunter2");
    platform.run(&bundle);
    let shown = platform.call("GET", "/api/sources/hook", &Value::Null);
    assert!(
        !text(&shown.body).contains("hunter2"),
        "{}",
        text(&shown.body)
    );
    let exported = platform.call("GET", "/api/workflows/orders/export", &Value::Null);
    assert!(!text(&exported.body).contains("hunter2"));
    assert_eq!(post(platform.node.address, "in", b"unsigned"), 401);
    let errors = platform.node.errors();
    platform.node.stop();
    assert!(!errors.contains("hunter2"), "{errors}");
    for path in walk(directory.path()) {
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(7).any(|part| part == b"hunter2");
        assert!(!found, "the secret stands in {}", path.display());
    }
}

pub(crate) fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[test]
fn another_store_under_the_same_data_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Platform::start(directory.path(), &["--db-type=sqlite", "--db-conn=a.db"])
        .node
        .stop();
    let arguments = [
        "--mode=standalone",
        "--db-type=sqlite",
        "--db-conn=b.db",
        "--port=0",
        "--grpc-port=off",
    ];
    let output = run(directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("HMD-0020") && errors.contains("an empty store"),
        "{errors}"
    );
}

#[test]
fn documents_of_the_directory_become_versions_and_what_is_gone_is_stopped() {
    let directory = directory_with(&json!({}));
    let workflows = directory.path().join("workflows");
    fs::create_dir(&workflows).unwrap();
    let mut document = webhook_to_file();
    write(&workflows, "a.json", &document);
    let platform = Platform::start(directory.path(), &[]);
    assert_eq!(post(platform.node.address, "in", b"one"), 200);
    let Platform { node, token } = platform;
    node.stop();
    let versions = |node: &Node| {
        let found = call(
            node.address,
            &token,
            "GET",
            "/api/workflows/orders/versions",
            &Value::Null,
        );
        found.json()["data"].as_array().unwrap().len()
    };
    let node = Platform::node(directory.path(), &[]);
    assert_eq!(
        versions(&node),
        1,
        "an unchanged document is no new version"
    );
    node.stop();
    document["workflow"]["name"] = json!("Renamed");
    write(&workflows, "a.json", &document);
    let node = Platform::node(directory.path(), &[]);
    assert_eq!(versions(&node), 2);
    assert_eq!(post(node.address, "in", b"two"), 200);
    node.stop();
    fs::remove_file(workflows.join("a.json")).unwrap();
    let node = Platform::node(directory.path(), &[]);
    let kept = call(
        node.address,
        &token,
        "GET",
        "/api/workflows/orders",
        &Value::Null,
    );
    assert_eq!(kept.json()["active"], false);
    wait_for("nothing is taken", || {
        (post(node.address, "in", b"three") == 404).then_some(())
    });
    node.stop();
    assert_eq!(lines(&directory.path().join("out.ndjson")), ["one", "two"]);
}

#[test]
fn a_node_remembers_which_store_it_has_worked_with() {
    let directory = tempfile::tempdir().unwrap();
    let first = Platform::start(directory.path(), &["--db-type=sqlite", "--db-conn=meta.db"]);
    first.run(&webhook_to_file());
    first.node.stop();
    let node = Platform::node(directory.path(), &[]);
    wait_for("it has its workflow", || {
        (post(node.address, "in", b"again") == 200).then_some(())
    });
    node.stop();
}
