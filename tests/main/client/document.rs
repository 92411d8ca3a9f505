//! Workflows, sources and sinks: made, looked at, changed, tried, removed.

use std::{fs, io::Read, process::Stdio};

use serde_json::{Value, json};

use super::{Platform, bundle};
use crate::{
    http,
    process::{hermod, text, wait_for},
};

#[test]
fn a_workflow_is_made_started_watched_and_stopped() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    let said = platform.ok(&["workflow", "create", "-f", "orders.json", "--start"]);
    assert!(
        said.contains("workflow `orders` is made and is to run"),
        "{said}"
    );
    wait_for("a workflow that runs", || {
        let status = platform.json(&["workflow", "status", "orders"]);
        (status["state"] == "running").then_some(())
    });
    let table = platform.ok(&["workflow", "status"]);
    assert!(
        table.starts_with("WORKFLOW") && table.contains("running"),
        "{table}"
    );
    assert_eq!(
        http::post(platform.node.address, "in", b"{\"n\":1}").status,
        200
    );

    let mut watch = hermod(platform.path())
        .args([
            "workflow", "status", "orders", "--watch", "--output", "json",
        ])
        .stdout(fs::File::create(platform.path().join("watched")).unwrap())
        .spawn()
        .unwrap();
    let watched = || fs::read_to_string(platform.path().join("watched")).unwrap();
    wait_for("a first status", || {
        watched().contains("\"running\"").then_some(())
    });
    platform.ok(&["workflow", "stop", "orders"]);
    wait_for("a status that has changed", || {
        watched().contains("\"stopped\"").then_some(())
    });
    watch.kill().unwrap();
    watch.wait().unwrap();
    for line in watched().lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        assert_eq!(status["workflow"], "orders");
    }

    let list = platform.json(&["workflow", "list"]);
    assert_eq!(list["data"][0]["active"], false);
    wait_for("a workflow that can be removed", || {
        let gone = platform.run(&["workflow", "delete", "orders", "--discard"]);
        gone.status.success().then_some(())
    });
    let said = platform.fails(2, &["workflow", "show", "orders"]);
    assert!(said.contains("HMD-0132"), "{said}");
    platform.ok(&["source", "delete", "hook"]);
    assert_eq!(platform.json(&["source", "list"]), json!({"data": []}));
}

#[test]
fn a_change_that_is_based_on_an_old_version_is_refused() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    platform.ok(&["workflow", "create", "-f", "orders.json"]);
    let shown = platform.ok(&["workflow", "show", "orders"]);
    let mut mine: Value = serde_json::from_str(&shown).unwrap();
    let mut theirs = mine.clone();
    theirs["max_retries"] = json!(7);
    mine["max_retries"] = json!(9);
    platform.write("theirs.json", &theirs);
    platform.write("mine.json", &mine);
    let said = platform.ok(&[
        "workflow",
        "update",
        "-f",
        "theirs.json",
        "--message",
        "seven",
    ]);
    assert!(said.contains("saved as version 2"), "{said}");
    let said = platform.fails(1, &["workflow", "update", "-f", "mine.json"]);
    assert!(
        said.contains("HMD-0124") && said.contains("read it again"),
        "{said}"
    );
    let now = platform.json(&["workflow", "show", "orders"]);
    assert_eq!(now["max_retries"], 7);

    // Without a version of its own the document is written over what is there, as one asks for.
    mine.as_object_mut().unwrap().remove("etag");
    platform.write("mine.json", &mine);
    platform.ok(&["workflow", "update", "-f", "mine.json"]);
    let versions = platform.json(&["workflow", "versions", "orders"]);
    assert_eq!(versions["data"][1]["message"], "seven", "{versions}");
    platform.ok(&["workflow", "rollback", "orders", "2"]);
    assert_eq!(
        platform.json(&["workflow", "show", "orders"])["max_retries"],
        7
    );
    let old = platform.json(&["workflow", "show", "orders", "--version", "3"]);
    assert_eq!(old["document"]["max_retries"], 9, "{old}");

    let sink = platform.json(&["sink", "show", "file"]);
    platform.write("sink.json", &sink);
    platform.ok(&["sink", "update", "-f", "sink.json"]);
    let said = platform.fails(1, &["sink", "update", "-f", "sink.json"]);
    assert!(said.contains("HMD-0124"), "{said}");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line_and_nothing_is_changed() {
    let platform = Platform::signed_in();
    let yaml = "\
workflow:
  id: orders
  nodes:
    - {id: in, type: source, ref_id: hook}
    - {id: out, type: sink, ref_id: nowhere}
  edges:
    - {id: e, source_id: in, target_id: out}
sources:
  - id: hook
    type: webhook
    config:
      paht: in
";
    fs::write(platform.path().join("bad.yaml"), yaml).unwrap();
    let said = platform.fails(2, &["apply", "-f", "bad.yaml"]);
    assert!(said.contains("error HMD-0125"), "{said}");
    assert!(
        said.contains("bad.yaml:12: /sources/0/config/paht"),
        "{said}"
    );
    assert!(
        said.contains("bad.yaml:5: /workflow/nodes/1/ref_id"),
        "{said}"
    );
    assert_eq!(platform.json(&["source", "list"]), json!({"data": []}));
    let said = platform.fails(2, &["workflow", "create", "-f", "bad.yaml"]);
    assert!(
        said.contains("bad.yaml:12: /sources/0/config/paht"),
        "{said}"
    );
    let output = platform.run(&["workflow", "validate", "-f", "bad.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stdout).contains("bad.yaml:12: "),
        "{}",
        text(&output.stdout)
    );

    let alone = "id: hook\n\ntype: webhook\nconfig:\n  path: [1]\n";
    fs::write(platform.path().join("source.yaml"), alone).unwrap();
    let said = platform.fails(2, &["source", "create", "-f", "source.yaml"]);
    assert!(said.contains("source.yaml:5: /config/path"), "{said}");

    fs::write(platform.path().join("broken.yaml"), "workflow: [\n").unwrap();
    let said = platform.fails(2, &["apply", "-f", "broken.yaml", "bad.yaml"]);
    assert!(
        said.contains("HMD-0002") && said.contains("broken.yaml:"),
        "{said}"
    );
    fs::write(
        platform.path().join("none.yaml"),
        "workflow: {nodes: []}\nsink: []\n",
    )
    .unwrap();
    let said = platform.fails(2, &["apply", "-f", "none.yaml"]);
    assert!(
        said.contains("none.yaml:1: /workflow: `id` is missing"),
        "{said}"
    );
    assert!(said.contains("none.yaml:2: /sink: is none of"), "{said}");

    let mut one = bundle();
    platform.write("one.json", &one);
    one["workflow"]["id"] = json!("two");
    one["sources"][0]["config"]["path"] = json!("elsewhere");
    platform.write("two.json", &one);
    let said = platform.fails(2, &["apply", "-f", "one.json", "two.json"]);
    assert!(
        said.contains("source `hook` is another one in `one.json`"),
        "{said}"
    );
}

#[test]
fn a_source_or_sink_can_be_tried() {
    let platform = Platform::signed_in();
    platform.write(
        "sink.json",
        &json!({"id": "file", "type": "file", "config": {"filename": "out.ndjson"}}),
    );
    platform.ok(&["sink", "create", "-f", "sink.json"]);
    let said = platform.ok(&["sink", "test", "file"]);
    assert!(said.contains("the sink works"), "{said}");
    let away = json!({"id": "away", "type": "http", "config": {"url": "http://127.0.0.1:1/"}});
    platform.write("away.json", &away);
    let output = platform.run(&["sink", "test", "-f", "away.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("the sink does not work"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(
        platform.json(&["sink", "list"])["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn lists_are_whole_however_long_they_are() {
    let platform = Platform::signed_in();
    let source =
        |n: u32| json!({"id": format!("g{n:03}"), "type": "generator", "config": {"count": n}});
    let sources: Vec<_> = (0..203).map(source).collect();
    platform.write("sources.json", &json!({ "sources": sources }));
    let said = platform.ok(&["apply", "-f", "sources.json"]);
    assert!(
        said.contains("203 created, 0 updated, 0 unchanged"),
        "{said}"
    );
    let list = platform.json(&["source", "list"]);
    assert_eq!(list["data"].as_array().unwrap().len(), 203);
}

#[test]
fn a_watch_ends_with_its_reader() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    platform.ok(&["workflow", "create", "-f", "orders.json", "--start"]);
    let mut watch = hermod(platform.path())
        .args(["workflow", "status", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 2];
    let mut out = watch.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"AT");
    drop(out);
    platform.ok(&["workflow", "stop", "orders"]);
    wait_for("a watch that ends", || watch.try_wait().unwrap());
}
