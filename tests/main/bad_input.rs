use std::net::TcpListener;

use serde_json::json;

use crate::{
    documents::{directory_with, lines, webhook_to_file, write},
    http::{Client, get, post},
    process::{Node, run, text},
};

#[test]
fn a_body_of_100_mb_is_413_and_the_next_request_is_taken() {
    let directory = directory_with(&webhook_to_file());
    let node = Node::run(directory.path(), "w.json");
    let answer = post(node.address, "in", &vec![b'x'; 100 << 20]);
    assert_eq!((answer.status, answer.code().as_str()), (413, "HMD-0102"));
    assert_eq!(post(node.address, "in", b"small").status, 200);
    node.stop();
    assert_eq!(lines(&directory.path().join("out.ndjson")), ["small"]);
}

#[test]
fn a_wrong_or_missing_signature_is_401_and_shows_no_secret() {
    let mut document = webhook_to_file();
    document["sources"][0]["config"]["secret"] = json!("hunter2");
    let directory = directory_with(&document);
    let node = Node::run(directory.path(), "w.json");
    let wrong = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    for headers in ["", &wrong, "X-Hub-Signature-256: sha256=zz\r\n"] {
        let mut client = Client::connect(node.address).unwrap();
        let answer = client.post("in", headers, b"the payload").unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "HMD-0104"),
            "{headers}"
        );
        let body = text(&answer.body);
        assert!(
            !body.contains("hunter2") && !body.contains("the payload"),
            "{body}"
        );
    }
    // HMAC-SHA256 of `the payload` under `hunter2`, as `openssl dgst -sha256 -hmac` prints it.
    let right = "X-Hub-Signature-256: \
                 sha256=4b9535794c4a04bf08af534708dd181a91e31051a79f18cb476f99cda53e90d5\r\n";
    let mut client = Client::connect(node.address).unwrap();
    assert_eq!(
        client.post("in", right, b"the payload").unwrap().status,
        200
    );
    let errors = node.errors();
    node.stop();
    assert!(!errors.contains("hunter2"), "{errors}");
    assert_eq!(lines(&directory.path().join("out.ndjson")), ["the payload"]);
}

#[test]
fn unknown_paths_and_wrong_methods_are_problems() {
    let directory = directory_with(&webhook_to_file());
    let node = Node::run(directory.path(), "w.json");
    let unknown = post(node.address, "other", b"x");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "HMD-0100"));
    assert_eq!(
        unknown.header("content-type"),
        Some("application/problem+json")
    );
    let wrong = get(node.address, "/api/webhooks/in");
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "HMD-0101"));
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert_eq!(get(node.address, "/").status, 404);
    node.stop();
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let directory = directory_with(&webhook_to_file());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments = ["run", "w.json", "--log-format", "text", "--port", &port];
    let output = run(directory.path(), &arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("HMD-0006") && errors.contains(&port),
        "{errors}"
    );
}

#[test]
fn two_workflows_that_want_one_path_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for id in ["one", "two"] {
        let mut document = webhook_to_file();
        document["workflow"]["id"] = json!(id);
        write(directory.path(), &format!("{id}.json"), &document);
    }
    let arguments = [
        "--mode=standalone",
        "--workflows",
        ".",
        "--port",
        "0",
        "--log-format",
        "text",
    ];
    let output = run(directory.path(), &arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in ["HMD-0016", "`one`", "`two`", "`in`"] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
}
