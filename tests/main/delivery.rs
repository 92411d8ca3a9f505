use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::json;

use crate::{
    documents::{directory_with, generator_to_file, lines, missing, webhook_to_file, write},
    http::{Client, get, post},
    process::{Node, run, text, wait_for},
};

/// Senders that post without pause until they are told to stop, and what was acknowledged to them.
pub(crate) struct Load {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(address: std::net::SocketAddr, round: usize) -> Self {
        let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let sender = |number: usize| {
            let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
            thread::spawn(move || {
                let Ok(mut client) = Client::connect(address) else {
                    return;
                };
                for message in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let body = format!("{{\"m\":\"{round}-{number}-{message}\"}}");
                    match client.post("in", "", body.as_bytes()) {
                        Ok(answer) if answer.status == 200 => {
                            acknowledged.lock().unwrap().insert(body);
                        }
                        Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                        Err(_) => return,
                    }
                }
            })
        };
        let threads = (0..8).map(sender).collect();
        Self {
            acknowledged,
            stop,
            threads,
        }
    }

    pub(crate) fn wait_for(&self, count: usize) {
        wait_for("acknowledgements", || (self.count() >= count).then_some(()));
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Ends the senders and returns what was acknowledged.
    pub(crate) fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.acknowledged.lock().unwrap().clone()
    }
}

#[test]
fn a_message_goes_from_the_webhook_to_the_file() {
    let directory = directory_with(&webhook_to_file());
    let out = directory.path().join("out.ndjson");
    let node = Node::run(directory.path(), "w.json");
    let answer = post(node.address, "in", b"{\"total\": 12.50}");
    assert_eq!(answer.status, 200);
    assert!(answer.json()["id"].is_string());
    wait_for("the message", || {
        (lines(&out) == ["{\"total\": 12.50}"]).then_some(())
    });

    assert_eq!(get(node.address, "/livez").status, 200);
    let ready = get(node.address, "/readyz");
    assert_eq!(
        (
            ready.status,
            &ready.json()["checks"]["registry"]["engines_running"]
        ),
        (200, &json!(1))
    );
    // The line stands in the file before the sink has confirmed it.
    let written = "hermod_engine_sink_writes_total{sink_id=\"file\",workflow_id=\"orders\"} 1";
    let metrics = wait_for("the sink's confirmation", || {
        let metrics = text(&get(node.address, "/metrics").body);
        metrics.contains(written).then_some(metrics)
    });
    for name in [
        "hermod_worker_active_workflows_total{worker_id=\"0\"} 1",
        "hermod_worker_sync_duration_seconds_count{worker_id=\"0\"} 1",
        "hermod_worker_sync_errors_total{worker_id=\"0\"} 0",
        // What has not happened yet is there at 0.
        "hermod_engine_message_errors_total{source_id=\"hook\",stage=\"read\",workflow_id=\"orders\"} 0",
        "hermod_engine_message_errors_total{source_id=\"hook\",stage=\"sink\",workflow_id=\"orders\"} 0",
        "hermod_engine_dead_letter_total{sink_id=\"file\",workflow_id=\"orders\"} 0",
        "hermod_workflow_node_errors_total{node_id=\"out\",node_type=\"sink\",workflow_id=\"orders\"} 0",
        "hermod_log_syncs",
        "hermod_readiness_status{component=\"db\"} 1",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    // Each key stands in a line once: a parser would keep the last.
    let runs = node.wait_for_log("workflow runs");
    assert_eq!(
        (&runs["level"], &runs["acknowledge"]),
        (&json!("INFO"), &json!("durable"))
    );
    for line in node.errors().lines() {
        assert_eq!(line.matches("\"level\":").count(), 1, "{line}");
    }
    node.stop();
}

#[test]
fn a_body_that_is_not_json_is_delivered_as_it_came() {
    let directory = directory_with(&webhook_to_file());
    let out = directory.path().join("out.ndjson");
    let node = Node::run(directory.path(), "w.json");
    for body in ["{\"broken\": ", "plain text", "1e999"] {
        assert_eq!(post(node.address, "in", body.as_bytes()).status, 200);
    }
    node.stop();
    assert_eq!(lines(&out), ["{\"broken\": ", "plain text", "1e999"]);
}

#[test]
fn i1_nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = directory_with(&webhook_to_file());
    let out = directory.path().join("out.ndjson");
    let mut acknowledged = BTreeSet::new();
    for round in 0..5 {
        let mut node = Node::run(directory.path(), "w.json");
        let load = Load::start(node.address, round);
        load.wait_for(200);
        node.kill();
        acknowledged.extend(load.end());
    }
    let node = Node::run(directory.path(), "w.json");
    node.stop();
    assert_eq!(missing(&out, &acknowledged), Vec::<String>::new());
}

#[test]
fn a_run_ends_by_itself_when_its_source_does() {
    let directory = directory_with(&generator_to_file(1000));
    let output = run(directory.path(), &["run", "w.json", "--port", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = lines(&directory.path().join("out.ndjson"));
    assert_eq!(out.len(), 1000);
    // Nothing is left to do, and the source goes on where it stood: no message comes twice.
    let output = run(directory.path(), &["run", "w.json", "--port", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(lines(&directory.path().join("out.ndjson")), out);
}

#[test]
fn standard_output_stays_clean_where_a_sink_writes_to_it() {
    let mut document = generator_to_file(3);
    document["sinks"] = json!([{"id": "file", "type": "stdout", "config": {"format": "json"}}]);
    let directory = directory_with(&document);
    let output = run(directory.path(), &["run", "w.json", "--port", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert_eq!(out.lines().count(), 3, "{out}");
    for line in out.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn a_failed_workflow_ends_the_run_with_its_error() {
    let mut document = generator_to_file(3);
    document["sources"] = json!([{"id": "hook", "type": "file", "config": {"local_path": "in.ndjson", "mode": "once"}}]);
    let directory = directory_with(&document);
    std::fs::write(directory.path().join("in.ndjson"), "{\"a\":1}\n").unwrap();
    let output = run(directory.path(), &["run", "w.json", "--port", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    // The log remembers a position of another kind of source, which must never be taken for none.
    write(directory.path(), "w.json", &generator_to_file(3));
    let output = run(
        directory.path(),
        &["run", "w.json", "--port", "0", "--log-format", "text"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("HMD-0010"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn standalone_runs_every_document_of_its_directory_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let workflows = directory.path().join("workflows");
    std::fs::create_dir(&workflows).unwrap();
    let mut one = webhook_to_file();
    one["workflow"]["id"] = json!("one");
    one["sinks"][0]["config"]["filename"] = json!("one.ndjson");
    one["sources"][0]["config"]["path"] = json!("one");
    let mut two = one.clone();
    two["workflow"]["id"] = json!("two");
    two["sinks"][0]["config"]["filename"] = json!("two.ndjson");
    two["sources"][0]["config"]["path"] = json!("deep/two");
    let mut idle = generator_to_file(5);
    idle["workflow"]["id"] = json!("idle");
    idle["workflow"]["active"] = json!(false);
    write(&workflows, "one.json", &one);
    write(&workflows, "two.yaml", &two);
    write(&workflows, "idle.yml", &idle);
    write(&workflows, "notes.txt", &json!("not a document"));

    let node = Node::start(directory.path(), &["--mode=standalone"]);
    assert_eq!(post(node.address, "one", b"to one").status, 200);
    assert_eq!(post(node.address, "deep/two", b"to two").status, 200);
    assert_eq!(post(node.address, "in", b"to nobody").status, 404);
    node.stop();
    assert_eq!(lines(&directory.path().join("one.ndjson")), ["to one"]);
    assert_eq!(lines(&directory.path().join("two.ndjson")), ["to two"]);
    assert!(!directory.path().join("out.ndjson").exists());
}

#[test]
fn a_missing_idempotency_key_is_warned_about_where_keys_are_required() {
    let directory = directory_with(&webhook_to_file());
    let arguments = ["run", "w.json", "--idempotency-required"];
    let node = Node::start(directory.path(), &arguments);
    let mut client = Client::connect(node.address).unwrap();
    let answer = client
        .post("in", "Idempotency-Key: k-1\r\n", b"with")
        .unwrap();
    assert_eq!(answer.json()["id"], "k-1");
    assert!(!node.errors().contains("idempotency"), "{}", node.errors());
    assert_eq!(client.post("in", "", b"without").unwrap().status, 200);
    wait_for("the warning", || {
        node.errors().contains("idempotency key").then_some(())
    });
    let metrics = text(&get(node.address, "/metrics").body);
    for name in [
        "hermod_idempotency_keys_total",
        "hermod_idempotency_missing_total",
    ] {
        let line = format!("{name}{{workflow_id=\"orders\"}} 1");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    node.stop();
}
