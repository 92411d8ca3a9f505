//! Dead letters, the fleet, the journal, settings, the log and events.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hermod_api::{
    LogLevel, LogLine,
    platform::{WorkflowState, WorkflowStatus},
};
use hermod_storage::{EntryQuery, Kind, registry::AccessRole};
use serde_json::{Value, json};

use super::desk::{Desk, Visitor};
use crate::wire::Client;

#[tokio::test]
async fn dead_letters_of_all_nodes_are_listed_shown_and_put_back() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let path = "/api/workflows/w/dead-letters";
    let page = desk
        .get(&ann, &format!("{path}?from=1&limit=1"))
        .await
        .json();
    assert_eq!(page["data"][0]["seq"], 1);
    assert!(
        page["data"][0].get("message").is_none(),
        "a list has no messages"
    );
    assert_eq!(page["nodes"][1], json!({"node": "n2", "answered": false}));
    let one = desk.get(&ann, &format!("{path}/n1/2")).await.json();
    assert_eq!(one["message"]["payload"], "private");
    assert_eq!(desk.get(&ann, &format!("{path}/n1/9")).await.status, 404);
    let silent = desk.get(&ann, &format!("{path}/n2/1")).await;
    assert_eq!((silent.status, silent.code()), (503, "HMD-0134".to_owned()));

    let replay = format!("{path}/replay");
    for wrong in [
        json!({}),
        json!({"seqs": [1]}),
        json!({"all": true, "seqs": [1], "node": "n1"}),
    ] {
        assert_eq!(
            desk.post(&ann, &replay, &wrong).await.status,
            422,
            "{wrong}"
        );
    }
    let some = json!({"node": "n1", "seqs": [1, 2]});
    assert_eq!(desk.post(&ann, &replay, &some).await.json()["changed"], 1);
    let all = json!({"all": true, "sink": "out"});
    assert_eq!(
        desk.post(&ann, &format!("{path}/discard"), &all)
            .await
            .status,
        200
    );
    let done = desk.platform.done.lock().unwrap().clone();
    assert_eq!(done, ["replay w Some([1, 2])", "discard w true"]);
    let query = EntryQuery {
        action: Some("dead_letter.discard".into()),
        ..EntryQuery::default()
    };
    let entries = desk.registry.entries(&query).await.unwrap();
    let details: Value = serde_json::from_slice(&entries[0].draft.document).unwrap();
    assert_eq!(
        (&*entries[0].draft.user, &details["sink"]),
        ("ann", &json!("out"))
    );
    let eve = desk.visitor("eve", AccessRole::Viewer).await;
    assert_eq!(desk.get(&eve, path).await.status, 200);
    assert_eq!(desk.get(&eve, &format!("{path}/n1/2")).await.status, 403);
}

#[tokio::test]
async fn the_cluster_is_shown_and_changed() {
    let (desk, ann) = Desk::administered().await;
    let cluster = desk.get(&ann, "/api/cluster").await.json();
    assert_eq!(cluster["members"][0]["role"], "leader");
    let gone = desk.send(&ann, "DELETE", "/api/cluster/nodes/n3", "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        desk.send(&ann, "POST", "/api/cluster/nodes/n2/lead", "")
            .await
            .status,
        204
    );
    assert_eq!(
        desk.send(&ann, "POST", "/api/cluster/nodes/nobody/lead", "")
            .await
            .status,
        404
    );
    let backlogs = desk.get(&ann, "/api/backlogs").await.json();
    assert!(
        backlogs["data"][0].get("messages").is_none(),
        "unknown is not 0"
    );
    let loss = json!({"workflow": "w", "stream": "s", "reason": "the disk is gone"});
    assert_eq!(
        desk.post(&ann, "/api/backlogs/declare-lost", &loss)
            .await
            .status,
        204
    );
    let done = desk.platform.done.lock().unwrap().clone();
    assert_eq!(done, ["remove n3", "lead n2", "lost s"]);
    let audit = desk.get(&ann, "/api/audit?entity_kind=stream").await.json();
    assert_eq!(audit["data"][0]["action"], "backlog.declare_lost");
    assert_eq!(audit["data"][0]["details"]["reason"], "the disk is gone");
}

#[tokio::test]
async fn the_journal_has_who_did_what_from_where() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    desk.send(&ann, "POST", "/api/workflows/w/start", "").await;
    let first = desk.get(&ann, "/api/audit?limit=2").await.json();
    assert_eq!(first["data"][0]["action"], "workflow.start");
    assert_eq!(first["data"][0]["user"], "ann");
    assert_eq!(first["data"][0]["details"]["address"], "127.0.0.1");
    let next = format!("/api/audit?limit=100&before={}", first["next"]);
    let rest = desk.get(&ann, &next).await.json();
    assert!(rest.get("next").is_none());
    let actions: Vec<_> = rest["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert!(
        actions.contains(&"user.login") && actions.contains(&"source.create"),
        "{actions:?}"
    );
    let one = desk
        .get(
            &ann,
            "/api/audit?action=workflow.start&entity_id=w&user=ann&from_ms=1",
        )
        .await;
    assert_eq!(one.json()["data"].as_array().unwrap().len(), 1);
    let trim = json!({"first": first["data"][0]["sequence"]});
    let trimmed = desk.post(&ann, "/api/audit/trim", &trim).await.json();
    assert_eq!(trimmed["first"], first["data"][0]["sequence"]);
    let left = desk.get(&ann, "/api/audit").await.json();
    assert_eq!(left["data"][0]["action"], "audit.trim");
    assert_eq!(left["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn i10_settings_hide_what_is_secret() {
    let (desk, ann) = Desk::administered().await;
    let new = ann.clone().with("if-match", "\"0\"");
    let value = json!({"value": {"smtp_host": "h", "smtp_password": "hunter2"}});
    let path = "/api/settings/notifications";
    let made = desk.put(&new, path, &value).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let shown = made.json()["value"].clone();
    assert_eq!(
        shown,
        json!({"smtp_host": "h", "smtp_password": {"$secret": "set"}})
    );
    assert_eq!(desk.put(&new, path, &value).await.status, 412);
    let back = desk
        .put(&ann.if_match(&made), path, &json!({"value": shown}))
        .await;
    assert_eq!(back.status, 200);
    let entity = desk
        .registry
        .get(Kind::Setting, "notifications")
        .await
        .unwrap();
    assert!(entity.document["value"]["smtp_password"]["$sealed"].is_string());
    let listed = desk.get(&ann, "/api/settings").await.json();
    assert_eq!(
        listed["data"].as_array().unwrap().len(),
        1,
        "its own do not show"
    );
    assert_eq!(
        desk.get(&ann, "/api/settings/.administrators").await.status,
        404
    );
    let gone = desk.send(&ann.if_match(&back), "DELETE", path, "").await;
    assert_eq!(gone.status, 204);
    let own = ann.if_match(&back);
    let own = desk
        .send(&own, "DELETE", "/api/settings/.administrators", "")
        .await;
    assert_eq!(own.status, 404);
}

#[tokio::test]
async fn the_node_says_what_it_is() {
    let (desk, ann) = Desk::administered().await;
    let version = desk.get(&Visitor::nobody(), "/api/version").await.json();
    assert_eq!(
        (&version["name"], &version["mode"]),
        (&json!("n1"), &json!("standalone"))
    );
    let database = desk.get(&ann, "/api/config/database").await.json();
    assert_eq!(database, json!({"type": "raft", "conn": ""}));
}

fn line(level: LogLevel, message: &str) -> LogLine {
    LogLine {
        sequence: 0,
        at_ms: 1,
        level,
        target: "test".to_owned(),
        workflow: Some("w".to_owned()),
        message: message.to_owned(),
    }
}

#[tokio::test]
async fn lines_of_the_log_are_filtered() {
    let (desk, ann) = Desk::administered().await;
    desk.platform.log.push(line(LogLevel::Info, "fine"));
    desk.platform.log.push(line(LogLevel::Error, "broken"));
    let all = desk.get(&ann, "/api/logs").await.json();
    assert_eq!(
        (all["data"].as_array().unwrap().len(), &all["next"]),
        (2, &json!(2))
    );
    let bad = desk
        .get(&ann, "/api/logs?level=warn&workflow=w")
        .await
        .json();
    assert_eq!(bad["data"][0]["message"], "broken");
    let none = desk.get(&ann, "/api/logs?workflow=other").await.json();
    assert_eq!(none["data"], json!([]));
}

/// Reads events until one has a name, and returns its data.
async fn event(client: &mut Client, name: &str) -> Value {
    loop {
        if client.line().await == format!("event: {name}") {
            let line = client.line().await;
            return serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn events_tell_of_what_changes() {
    let (desk, ann) = Desk::administered().await;
    let mut client = Client::connect(desk.server.address).await;
    client
        .send(ann.head("GET", "/api/events?logs=true&level=warn") + "\r\n")
        .await;
    let head = client.answer().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        event(&mut client, "status").await,
        json!([]),
        "what there is comes at once"
    );
    let status = WorkflowStatus::new("w", WorkflowState::Running, 1);
    desk.platform.statuses.lock().unwrap().push(status);
    let changed = event(&mut client, "status").await;
    assert_eq!(
        (&changed[0]["workflow"], &changed[0]["state"]),
        (&json!("w"), &json!("running"))
    );
    desk.platform.log.push(line(LogLevel::Info, "fine"));
    desk.platform.log.push(line(LogLevel::Warn, "careful"));
    let lines = event(&mut client, "logs").await;
    assert_eq!(lines.as_array().unwrap().len(), 1);
    assert_eq!(lines[0]["message"], "careful");
    desk.platform.statuses.lock().unwrap().clear();
    assert_eq!(event(&mut client, "gone").await, json!(["w"]));
}

#[tokio::test]
async fn a_stream_of_events_is_no_idle_connection() {
    let mut options = crate::node::options();
    options.head_timeout = Duration::from_millis(300);
    let store = Arc::new(hermod_storage::Memory::new());
    let desk = Desk::served(super::desk::api_options(), store, options).await;
    desk.add("ann", AccessRole::Administrator).await;
    let ann = desk.log_in("ann").await;
    let mut client = Client::connect(desk.server.address).await;
    client
        .send(ann.head("GET", "/api/events?logs=true") + "\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    event(&mut client, "status").await;
    let opened = Instant::now();
    while opened.elapsed() < 4 * Duration::from_millis(300) {
        desk.platform.log.push(line(LogLevel::Info, "still there"));
        let lines = event(&mut client, "logs").await;
        assert_eq!(lines[0]["message"], "still there");
    }
}

#[tokio::test]
async fn a_stop_ends_streams_of_events() {
    let mut options = super::desk::api_options();
    let stop = options.stop.clone();
    options.stop = stop.clone();
    let desk = Desk::with(options, std::sync::Arc::new(hermod_storage::Memory::new())).await;
    desk.add("ann", AccessRole::Administrator).await;
    let ann = desk.log_in("ann").await;
    let mut client = Client::connect(desk.server.address).await;
    client.send(ann.head("GET", "/api/events") + "\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    stop.cancel();
    desk.server.stop.cancel();
    client.rest().await;
    // The stop waits a minute for those who do not end by themselves; here nobody is waited for.
    desk.server.ended.await.unwrap();
}

/// The web interface's types are made from this file: `UPDATE=1` writes it.
#[test]
fn the_document_that_the_interface_is_built_from_is_current() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/openapi.json");
    let current = serde_json::to_string_pretty(&hermod_api::openapi()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    assert!(
        known == current,
        "ui/openapi.json is old: run this test with UPDATE=1, then `npm run api` in ui/"
    );
}
