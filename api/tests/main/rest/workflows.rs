use std::sync::atomic::Ordering;

use hermod_api::platform::{WorkflowState, WorkflowStatus};
use hermod_storage::{Answer, Operation, Owner};
use serde_json::{Value, json};

use super::desk::{Desk, workflow};

#[tokio::test]
async fn each_save_is_a_version_and_old_ones_come_back() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let first = desk.get(&ann, "/api/workflows/w").await;
    assert_eq!(
        (&first.json()["version"], &first.json()["active"]),
        (&json!(1), &json!(false))
    );
    let mut body = first.json();
    body["name"] = "Renamed".into();
    let path = "/api/workflows/w?message=new%20name";
    let second = desk.put(&ann.if_match(&first), path, &body).await;
    assert_eq!(second.status, 200, "{}", second.json());
    assert_eq!(second.json()["version"], 2);
    let stale = desk.put(&ann.if_match(&first), path, &body).await;
    assert_eq!(stale.status, 412);
    assert_eq!(stale.header("etag"), second.header("etag"));

    let started = desk.send(&ann, "POST", "/api/workflows/w/start", "").await;
    assert_eq!(started.json()["active"], true);
    let listed = desk.get(&ann, "/api/workflows/w/versions").await.json();
    let first_listed = &listed["data"][0];
    assert_eq!(
        (&first_listed["version"], &first_listed["message"]),
        (&json!(2), &json!("new name"))
    );
    assert_eq!(first_listed["author"], "ann");
    let shown = desk.get(&ann, "/api/workflows/w/versions/1").await.json();
    assert_eq!(shown["document"]["name"], "Orders");
    let back = "/api/workflows/w/rollback/1";
    assert_eq!(desk.send(&ann, "POST", back, "").await.status, 428);
    let third = desk.send(&ann.if_match(&started), "POST", back, "").await;
    assert_eq!(third.status, 200, "{}", third.json());
    let third = third.json();
    assert_eq!(
        (&third["version"], &third["name"]),
        (&json!(3), &json!("Orders"))
    );
    assert_eq!(third["active"], true, "a rollback does not stop it");
    assert_eq!(
        desk.get(&ann, "/api/workflows/w/versions/9").await.status,
        404
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once_with_pointers() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "w", "nodes": [
        {"id": "a", "type": "source", "ref_id": "nowhere"},
        {"id": "b", "type": "wrong"},
    ], "dead_letter_sink_id": "gone"});
    let answer = desk.post(&ann, "/api/workflows", &body).await;
    assert_eq!((answer.status, answer.code()), (422, "HMD-0125".to_owned()));
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let pointers: Vec<_> = errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        ["/nodes/0/ref_id", "/dead_letter_sink_id", "/nodes/1/type"]
    );
    let checked = json!({"workflow": {"nodes": []}});
    let checked = desk
        .post(&ann, "/api/workflows/validate", &checked)
        .await
        .json();
    assert_eq!(checked["valid"], false);
    assert_eq!(checked["problems"][0]["pointer"], "/workflow/nodes");
    desk.furnish(&ann).await;
    let saved = json!({"workflow": workflow("new")});
    let saved = desk
        .post(&ann, "/api/workflows/validate", &saved)
        .await
        .json();
    assert_eq!(saved, json!({"valid": true, "problems": []}));
    let mut wrong = json!({"workflow": workflow("new")});
    wrong["workflow"]["nodes"][1]["ref_id"] = "gone".into();
    let wrong = desk
        .post(&ann, "/api/workflows/validate", &wrong)
        .await
        .json();
    assert_eq!(wrong["problems"][0]["pointer"], "/workflow/nodes/1/ref_id");
}

#[tokio::test]
async fn a_workflow_starts_where_somebody_runs_it() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    desk.platform.runs_workflows.store(false, Ordering::Relaxed);
    let start = "/api/workflows/w/start";
    let alone = desk.send(&ann, "POST", start, "").await;
    assert_eq!(alone.status, 409);
    assert!(
        alone.json()["detail"]
            .as_str()
            .unwrap()
            .contains("--mode=standalone")
    );
    let Value::Object(members) = json!({"seen_ms": desk.registry.store().now_ms()}) else {
        unreachable!()
    };
    desk.registry
        .report_worker("w1", &members, None)
        .await
        .unwrap();
    assert_eq!(desk.send(&ann, "POST", start, "").await.status, 200);
    let drained = desk.send(&ann, "POST", "/api/workers/w1/drain", "").await;
    assert_eq!(drained.json()["draining"], true);
    assert_eq!(desk.send(&ann, "POST", start, "").await.status, 409);
}

#[tokio::test]
async fn an_active_workflow_or_one_with_messages_is_not_removed() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let path = "/api/workflows/w";
    let started = desk.send(&ann, "POST", "/api/workflows/w/start", "").await;
    let active = desk.send(&ann.if_match(&started), "DELETE", path, "").await;
    assert_eq!(active.status, 409);
    let stopped = desk.send(&ann, "POST", "/api/workflows/w/stop", "").await;
    let again = desk.send(&ann, "POST", "/api/workflows/w/stop", "").await;
    assert_eq!(
        stopped.header("etag"),
        again.header("etag"),
        "a second stop changes nothing"
    );
    let who = ann.if_match(&stopped);

    let mut status = WorkflowStatus::new("w", WorkflowState::Stopped, 1);
    status.buffered = Some(7);
    desk.platform.statuses.lock().unwrap().push(status);
    let holds = desk.send(&who, "DELETE", path, "").await;
    assert_eq!(holds.status, 409);
    assert!(holds.json()["detail"].as_str().unwrap().contains('7'));

    let owner = Owner { node: 1, start: 1 };
    let acquire = Operation::Acquire {
        lease: "workflow/w".into(),
        owner: owner.clone(),
        ttl_ms: 60_000,
    };
    let answers = desk.registry.store().submit(vec![acquire]).await.unwrap();
    let Answer::Granted(grant) = &answers[0] else {
        panic!("no lease: {answers:?}");
    };
    let discard = "/api/workflows/w?discard=true";
    assert_eq!(
        desk.send(&who, "DELETE", discard, "").await.status,
        409,
        "it is still stopping"
    );
    let release = Operation::Release {
        lease: "workflow/w".into(),
        owner,
        epoch: grant.epoch,
    };
    desk.registry.store().submit(vec![release]).await.unwrap();
    assert_eq!(desk.send(&who, "DELETE", discard, "").await.status, 204);
    assert_eq!(desk.get(&ann, path).await.status, 404);
}

#[tokio::test]
async fn i5_owner_lease_and_epoch_are_shown() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let before = desk.get(&ann, "/api/workflows/w").await.json();
    assert!(before.get("owner_id").is_none());
    let acquire = Operation::Acquire {
        lease: "workflow/w".into(),
        owner: Owner {
            node: 0xab,
            start: 2,
        },
        ttl_ms: 60_000,
    };
    desk.registry.store().submit(vec![acquire]).await.unwrap();
    let Value::Object(members) = json!({"name": "north", "node": "00000000000000ab"}) else {
        unreachable!()
    };
    desk.registry
        .report_worker("w1", &members, None)
        .await
        .unwrap();
    let mut status = WorkflowStatus::new("w", WorkflowState::Running, 1);
    status.dead_letters = Some(3);
    desk.platform.statuses.lock().unwrap().push(status);
    let shown = desk.get(&ann, "/api/workflows/w").await.json();
    assert_eq!(shown["owner_id"], "00000000000000ab.2");
    assert_eq!(shown["owner"], "north");
    assert!(shown["epoch"].as_u64().unwrap() > 0);
    assert!(shown["lease_until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(shown["status"]["state"], "running");
    let listed = desk.get(&ann, "/api/workflows?search=ord").await.json();
    assert_eq!(listed["data"][0], shown);
    let workers = desk.get(&ann, "/api/workers").await.json();
    assert_eq!(workers["data"][0]["workflows"], 1);
    let status = desk.get(&ann, "/api/workflows/w/status").await.json();
    assert_eq!(status["dead_letters"], 3);
    // What is only shown is not taken when it is sent back.
    let read = desk.get(&ann, "/api/workflows/w").await;
    let saved = desk
        .put(&ann.if_match(&read), "/api/workflows/w", &read.json())
        .await;
    assert_eq!(saved.status, 200, "{}", saved.json());
    let kept = desk.registry.version("w", 2).await.unwrap().document;
    assert!(kept.get("status").is_none() && kept.get("owner_id").is_none());
}

#[tokio::test]
async fn bundles_go_out_without_secrets_and_come_in_whole() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let sink = desk.get(&ann, "/api/sinks/out").await;
    let secret = json!({"type": "http", "config": {"url": "http://x", "token": "hunter2"}});
    desk.put(&ann.if_match(&sink), "/api/sinks/out", &secret)
        .await;
    let bundle = desk.get(&ann, "/api/workflows/w/export").await.json();
    assert_eq!(bundle["workflow"]["id"], "w");
    assert_eq!(
        bundle["sinks"][0]["config"]["token"],
        json!({"$secret": "set"})
    );

    let again = desk.post(&ann, "/api/workflows/import", &bundle).await;
    assert_eq!(again.status, 409, "nothing is replaced without being asked");
    let replaced = desk
        .post(&ann, "/api/workflows/import?replace=true", &bundle)
        .await;
    assert_eq!(replaced.status, 201, "{}", replaced.json());
    assert_eq!(replaced.json()["version"], 2);

    let (other, bob) = Desk::administered().await;
    let asked = other.post(&bob, "/api/workflows/import", &bundle).await;
    assert_eq!(asked.status, 422);
    assert_eq!(
        asked.json()["errors"][0]["pointer"],
        "/sinks/0/config/token"
    );
    assert_eq!(
        other.get(&bob, "/api/sources/in").await.status,
        404,
        "all or nothing"
    );
    let mut given = bundle;
    given["sinks"][0]["config"]["token"] = "hunter3".into();
    given["workflow"]["active"] = true.into();
    let imported = other.post(&bob, "/api/workflows/import", &given).await;
    assert_eq!(imported.status, 201, "{}", imported.json());
    assert_eq!(
        imported.json()["active"],
        false,
        "what is imported does not start by itself"
    );
    assert_eq!(other.get(&bob, "/api/sources/in").await.status, 200);
}

#[tokio::test]
async fn a_thousand_workflows_are_listed_a_page_at_a_time() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    for number in 0..1000 {
        let Value::Object(document) = workflow("w") else {
            unreachable!()
        };
        let draft = hermod_storage::registry::Draft {
            document,
            expect: hermod_storage::Expect::Absent,
            message: String::new(),
            audit: super::platform::audit(),
        };
        let id = format!("many-{number:04}");
        desk.registry.save_workflow(&id, draft).await.unwrap();
    }
    let page = desk
        .get(&ann, "/api/workflows?search=many&page=5&limit=200")
        .await
        .json();
    assert_eq!(page["total"], 1000);
    let data = page["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[199]["id"]), (200, &json!("many-0999")));
}
