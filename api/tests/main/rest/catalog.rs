//! Sources, sinks, and their secrets.

use std::sync::atomic::Ordering;

use hermod_storage::{EntryQuery, Kind, registry::AccessRole};
use serde_json::json;

use super::desk::{Desk, workflow};

const SECRET: &str = "hunter2-hunter2";

#[tokio::test]
async fn sources_and_sinks_are_made_read_changed_and_removed() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "s", "name": "S", "type": "http", "config": {"url": "u"}, "later": 9_007_199_254_740_993_u64});
    let made = desk.post(&ann, "/api/sinks", &body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let tag = made.header("etag").unwrap().to_owned();
    assert_eq!(made.json()["etag"], tag);
    assert_eq!(made.json()["later"].to_string(), "9007199254740993");
    assert_eq!(desk.post(&ann, "/api/sinks", &body).await.status, 409);

    let without = desk.put(&ann, "/api/sinks/s", &body).await;
    assert_eq!(
        (without.status, without.code()),
        (428, "HMD-0123".to_owned())
    );
    let changed = desk
        .put(&ann.if_match(&made), "/api/sinks/s", &made.json())
        .await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    let stale = desk.put(&ann.if_match(&made), "/api/sinks/s", &body).await;
    assert_eq!((stale.status, stale.code()), (412, "HMD-0124".to_owned()));
    assert_eq!(stale.header("etag"), changed.header("etag"));
    let stale = desk
        .send(&ann.if_match(&made), "DELETE", "/api/sinks/s", "")
        .await;
    assert_eq!(stale.status, 412);
    let star = desk
        .put(&ann.clone().with("if-match", "*"), "/api/sinks/s", &body)
        .await;
    assert_eq!(star.status, 400, "it does not say what was seen");
    let renamed = json!({"id": "t", "type": "http"});
    let renamed = desk
        .put(&ann.if_match(&changed), "/api/sinks/s", &renamed)
        .await;
    assert_eq!(renamed.json()["errors"][0]["pointer"], "/id");
    let gone = desk
        .send(&ann.if_match(&changed), "DELETE", "/api/sinks/s", "")
        .await;
    assert_eq!(gone.status, 204);
    let missing = desk.get(&ann, "/api/sinks/s").await;
    assert_eq!(
        (missing.status, missing.code()),
        (404, "HMD-0132".to_owned())
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_searched() {
    let (desk, ann) = Desk::administered().await;
    for number in 0..7 {
        let name = if number % 2 == 0 { "Even" } else { "Odd" };
        let body = json!({"id": format!("s{number}"), "name": name, "type": "webhook"});
        assert_eq!(desk.post(&ann, "/api/sources", &body).await.status, 201);
    }
    let page = desk.get(&ann, "/api/sources?page=2&limit=3").await.json();
    let ids: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["id"].clone())
        .collect();
    assert_eq!(
        (ids, &page["total"]),
        (vec![json!("s3"), json!("s4"), json!("s5")], &json!(7))
    );
    let even = desk
        .get(&ann, "/api/sources?search=even&limit=2")
        .await
        .json();
    assert_eq!(
        (even["data"].as_array().unwrap().len(), &even["total"]),
        (2, &json!(4))
    );
    for wrong in [
        "page=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "sort=name",
    ] {
        let answer = desk.get(&ann, &format!("/api/sources?{wrong}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "HMD-0105".to_owned()),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn i10_secrets_are_sealed_and_never_answered() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "s", "type": "http", "config": {
        "url": "u", "token": SECRET, "headers": {"x-key": SECRET, "x-env": "${env:KEY}"},
    }});
    let made = desk.post(&ann, "/api/sinks", &body).await;
    let config = &made.json()["config"];
    assert_eq!(config["token"], json!({"$secret": "set"}));
    assert_eq!(config["headers"]["x-key"], json!({"$secret": "set"}));
    assert_eq!(
        config["headers"]["x-env"], "${env:KEY}",
        "a reference is no secret"
    );

    // Sent back as it was shown, it is as it was; so is what is left out.
    let shown = desk
        .put(&ann.if_match(&made), "/api/sinks/s", &made.json())
        .await;
    assert_eq!(shown.status, 200, "{}", shown.json());
    let part = json!({"type": "http", "config": {"url": "v", "headers": {}}});
    let part = desk.put(&ann.if_match(&shown), "/api/sinks/s", &part).await;
    assert_eq!(part.status, 200, "{}", part.json());
    assert_eq!(
        desk.send(&ann, "POST", "/api/sinks/s/test", "")
            .await
            .status,
        200
    );
    let tested = desk.platform.tested.lock().unwrap().pop().unwrap();
    assert_eq!(tested["config"]["token"], SECRET, "a probe has it unsealed");
    assert_eq!(tested["config"]["headers"]["x-key"], SECRET);
    let null = json!({"type": "http", "config": {"url": "v", "token": null, "headers": {}}});
    let null = desk.put(&ann.if_match(&part), "/api/sinks/s", &null).await;
    assert!(
        null.json()["config"].get("token").is_none(),
        "null removes it"
    );

    // Neither the store nor the journal nor any answer has it.
    for kind in Kind::ALL {
        for object in desk.registry.all(*kind).await.unwrap() {
            let text = String::from_utf8_lossy(&object.document).into_owned();
            assert!(!text.contains(SECRET), "{}", object.key);
        }
    }
    for entry in desk.registry.entries(&EntryQuery::default()).await.unwrap() {
        assert!(!String::from_utf8_lossy(&entry.draft.document).contains(SECRET));
    }
    for path in ["/api/sinks", "/api/sinks/s", "/api/audit", "/api/logs"] {
        let text = desk.get(&ann, path).await.json().to_string();
        assert!(
            !text.contains(SECRET) && !text.contains("$sealed"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn i10_a_secret_that_is_not_valid_is_not_quoted() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"type": "http", "config": SECRET});
    let answer = desk.post(&ann, "/api/sinks", &body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/config");
    assert!(!answer.json().to_string().contains(SECRET));
    let login = format!("{{\"username\": \"ann\", \"password\": {SECRET}}}");
    let answer = desk.send(&ann, "POST", "/api/login", &login).await;
    assert_eq!((answer.status, answer.code()), (400, "HMD-0105".to_owned()));
    assert!(!answer.json().to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_secret_that_was_never_given_cannot_be_kept() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "s", "type": "http", "config": {"token": {"$secret": "set"}}});
    let answer = desk.post(&ann, "/api/sinks", &body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/config/token");
    let misplaced = json!({"id": "s", "type": "http", "config": {"url": {"$secret": "set"}}});
    assert_eq!(desk.post(&ann, "/api/sinks", &misplaced).await.status, 422);
}

#[tokio::test]
async fn i10_a_secret_in_a_list_does_not_go_over_to_its_neighbour() {
    let (desk, ann) = Desk::administered().await;
    let hosts = json!([{"name": "a", "key": "key of a"}, {"name": "b", "key": "key of b"}]);
    let body = json!({"id": "s", "type": "http", "config": {"hosts": hosts}});
    let made = desk.post(&ann, "/api/sinks", &body).await;
    let mut shown = made.json();
    let same = desk.put(&ann.if_match(&made), "/api/sinks/s", &shown).await;
    assert_eq!(same.status, 200, "{}", same.json());
    shown["config"]["hosts"].as_array_mut().unwrap().swap(0, 1);
    let sorted = desk.put(&ann.if_match(&same), "/api/sinks/s", &shown).await;
    assert_eq!(sorted.status, 422);
    let errors = sorted.json()["errors"].as_array().unwrap().len();
    assert_eq!(errors, 2, "both have to be given again");
    let absent = json!({"type": "http", "config": {"hosts": [{"name": "b"}, {"name": "a"}]}});
    let absent = desk
        .put(&ann.if_match(&same), "/api/sinks/s", &absent)
        .await;
    assert_eq!(absent.status, 200);
    assert!(absent.json()["config"]["hosts"][0].get("key").is_none());
}

#[tokio::test]
async fn sealed_values_of_others_are_refused() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "s", "type": "http", "config": {"url": {"$sealed": "stolen"}}});
    assert_eq!(desk.post(&ann, "/api/sinks", &body).await.status, 422);
}

#[tokio::test]
async fn an_unsaved_sink_is_tested_with_the_secrets_of_the_saved_one() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"id": "s", "type": "http", "config": {"token": SECRET}});
    desk.post(&ann, "/api/sinks", &body).await;
    let draft = json!({"id": "s", "type": "http", "config": {"url": "new"}});
    let probe = desk.post(&ann, "/api/sinks/test", &draft).await;
    assert_eq!(probe.json()["ok"], true);
    let tested = desk.platform.tested.lock().unwrap().pop().unwrap();
    assert_eq!(tested["config"], json!({"url": "new", "token": SECRET}));
    let saved = desk.get(&ann, "/api/sinks/s").await.json();
    assert!(saved["config"].get("url").is_none(), "a test saves nothing");
}

#[tokio::test]
async fn what_a_workflow_names_is_not_removed() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let sink = desk.get(&ann, "/api/sinks/out").await;
    let refused = desk
        .send(&ann.if_match(&sink), "DELETE", "/api/sinks/out", "")
        .await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("`w`"));
    let users = desk.get(&ann, "/api/sinks/out/workflows").await.json();
    assert_eq!(users, json!({"workflows": ["w"]}));
}

#[tokio::test]
async fn bodies_are_checked_and_bounded() {
    let (desk, ann) = Desk::administered().await;
    let unknown =
        json!({"username": "bob", "role": "Editor", "password": "p", "admin": true, "email": 1});
    let answer = desk.post(&ann, "/api/users", &unknown).await;
    assert_eq!((answer.status, answer.code()), (422, "HMD-0125".to_owned()));
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    assert!(errors.len() >= 2, "everything at once: {errors:?}");
    assert!(errors.iter().any(|error| error["pointer"] == "/email"));
    let text = ann.clone().with("content-type", "text/plain");
    let answer = desk.send(&text, "POST", "/api/sources", "{}").await;
    assert_eq!((answer.status, answer.code()), (415, "HMD-0106".to_owned()));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let answer = desk.send(&ann, "POST", "/api/sources", &deep).await;
    assert_eq!(answer.status, 400);
    for number in ["1e999", "123456789012345678901234567890", "-0.0"] {
        let body = format!("{{\"type\": \"webhook\", \"config\": {{}}, \"n\": {number}}}");
        let answer = desk.send(&ann, "POST", "/api/sources", &body).await;
        assert_eq!(answer.status, 201, "{number}");
    }
    let mut client = crate::wire::Client::connect(desk.server.address).await;
    let head = ann.head("POST", "/api/sources");
    client
        .send(format!(
            "{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
        .await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..5 {
        if client.try_send(&chunk).await.is_err() {
            break;
        }
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code()), (413, "HMD-0102".to_owned()));
    let large = json!({"id": "l", "type": "webhook", "config": {"path": "x".repeat(3 << 20)}});
    let answer = desk.post(&ann, "/api/sources", &large).await;
    assert_eq!(
        answer.status, 413,
        "a document is smaller than a body may be"
    );
}

#[tokio::test]
async fn without_a_store_key_nothing_is_saved() {
    let (desk, ann) = Desk::administered().await;
    desk.platform.sealing_fails.store(true, Ordering::Relaxed);
    let body = json!({"id": "s", "type": "http", "config": {"token": SECRET}});
    let answer = desk.post(&ann, "/api/sinks", &body).await;
    assert_eq!((answer.status, answer.code()), (503, "HMD-0134".to_owned()));
    assert!(answer.header("retry-after").is_some());
    assert!(desk.registry.all(Kind::Sink).await.unwrap().is_empty());
}

#[tokio::test]
async fn ids_are_plain_and_no_words_of_the_api() {
    let (desk, ann) = Desk::administered().await;
    for id in ["a/b", "", ".uses", "ä", "import"] {
        let mut body = workflow(id);
        body["nodes"] = json!([{"id": "n", "type": "note"}]);
        let answer = desk.post(&ann, "/api/workflows", &body).await;
        assert_eq!(answer.status, 422, "{id}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/id");
    }
    for path in ["/api/sources/a%2Fb", "/api/sources/%00", "/api/sources/%ff"] {
        assert_eq!(desk.get(&ann, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn connectors_are_shown_with_their_schemas() {
    let (desk, _) = Desk::administered().await;
    let eve = desk.visitor("eve", AccessRole::Viewer).await;
    let all = desk.get(&eve, "/api/connectors").await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    let one = desk.get(&eve, "/api/connectors/sink/http").await.json();
    assert_eq!(one["schema"]["properties"]["token"]["writeOnly"], true);
    assert_eq!(
        desk.get(&eve, "/api/connectors/source/http").await.status,
        404
    );
}
