//! Every route, as everybody.

use hermod_storage::registry::AccessRole;
use serde_json::{Value, json};

use super::desk::{Desk, REGISTRATION, Visitor};

/// Returns every operation of the document: method, path with its names filled, and the operation.
fn operations() -> Vec<(String, String, Value)> {
    let document = hermod_api::openapi();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let path = path
                .replace("{version}", "1")
                .replace("{seq}", "1")
                .replace("{direction}", "sink")
                .replace(['{', '}'], "");
            all.push((method.to_uppercase(), path, operation.clone()));
        }
    }
    assert!(all.len() > 60, "the document has all routes: {}", all.len());
    all
}

/// Returns whether an answer is none of those that keep somebody out.
fn was_let_in(status: u16, code: &str) -> bool {
    status != 401 && !matches!(code, "HMD-0120" | "HMD-0121")
}

async fn tried(desk: &Desk, who: &Visitor, method: &str, path: &str) -> (u16, String) {
    let answer = if path == "/api/events" {
        // A stream does not end; whoever gets its head was let in.
        let mut client = crate::wire::Client::connect(desk.server.address).await;
        client.send(who.head(method, path) + "\r\n").await;
        client.answer().await
    } else {
        let body = if method == "GET" { "" } else { "[]" };
        desk.send(who, method, path, body).await
    };
    let code = match answer.header("content-type") {
        Some("application/problem+json") => answer.code(),
        _ => String::new(),
    };
    (answer.status, code)
}

fn allowed(role: &str, by: AccessRole) -> bool {
    match role {
        "Public" | "Own" | "Viewer" => true,
        "Editor" => by >= AccessRole::Editor,
        "Administrator" | "Registration" => by >= AccessRole::Administrator,
        other => panic!("a role that nobody knows: {other}"),
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let (desk, _) = Desk::administered().await;
    for role in AccessRole::ALL {
        desk.add(role.as_str().to_lowercase().as_str(), role).await;
    }
    for (method, path, operation) in operations() {
        let role = operation["x-role"].as_str().unwrap();
        let name = operation["operationId"].as_str().unwrap();
        let (status, code) = tried(&desk, &Visitor::nobody(), &method, &path).await;
        if role == "Public" {
            // Public ones that refuse do so for what is sent.
            assert_ne!(code, "HMD-0120", "{name}");
            assert!(status == 200 || status == 422, "{name}: {status}");
            continue;
        }
        assert_eq!(
            (status, code.as_str()),
            (401, "HMD-0133"),
            "{name} as nobody"
        );
        for by in AccessRole::ALL {
            // Some routes end the session that they are called in, so each has its own.
            let who = fresh_session(&desk, by).await;
            if method != "GET" {
                let mut without = who.clone();
                without.csrf = None;
                let (_, code) = tried(&desk, &without, &method, &path).await;
                let kept_out = if allowed(role, by) {
                    "HMD-0121"
                } else {
                    "HMD-0120"
                };
                assert_eq!(code, kept_out, "{name} as {by} without a proof");
                let wrong = Visitor {
                    csrf: Some("0".repeat(64)),
                    ..who.clone()
                };
                let (_, code) = tried(&desk, &wrong, &method, &path).await;
                assert_eq!(code, kept_out, "{name} as {by} with a wrong proof");
            }
            let (status, code) = tried(&desk, &who, &method, &path).await;
            if allowed(role, by) {
                assert!(was_let_in(status, &code), "{name} as {by}: {status} {code}");
            } else {
                assert_eq!((status, code.as_str()), (403, "HMD-0120"), "{name} as {by}");
            }
            assert!(status < 500, "{name} as {by}: {status} {code}");
        }
    }
}

/// Opens a session without the slowness of a password.
async fn fresh_session(desk: &Desk, role: AccessRole) -> Visitor {
    use hermod_storage::registry::Session;
    use sha2::{Digest, Sha256};
    use std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(0);
    let token = format!("{:043}", NEXT.fetch_add(1, Ordering::Relaxed));
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(String::new(), |text, b| text + &format!("{b:02x}"))
    };
    let now_ms = desk.registry.store().now_ms();
    let session = Session {
        created_ms: now_ms,
        seen_ms: now_ms,
        address: String::new(),
    };
    let user = role.as_str().to_lowercase();
    let hash = hex(&Sha256::digest(token.as_bytes()));
    let audit = super::platform::audit();
    desk.registry
        .open_session(&user, &hash, &session, &audit)
        .await
        .unwrap();
    let csrf = hex(&Sha256::digest(format!("hermod csrf\0{token}").as_bytes()));
    Visitor {
        cookie: Some(format!("hermod_session={user}:{token}")),
        csrf: Some(csrf),
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_does_not_exist() {
    let (desk, ann) = Desk::administered().await;
    for path in [
        "/api",
        "/api/",
        "/api/debug",
        "/api/workflows/",
        "/api/workflows/w/secret",
    ] {
        let answer = desk.get(&ann, path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let answer = desk.send(&ann, "PATCH", "/api/workflows/w", "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, PUT, DELETE"));
}

#[tokio::test]
async fn workers_register_with_their_token_and_can_do_nothing_else_with_it() {
    let (desk, ann) = Desk::administered().await;
    let worker = Visitor::nobody().with("x-worker-registration-token", REGISTRATION);
    let body = json!({"id": "w1", "host": "10.0.0.1", "port": 3000});
    let made = desk.post(&worker, "/api/workers", &body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    assert_eq!(made.json()["name"], "w1");
    let wrong = Visitor::nobody().with("x-worker-registration-token", "");
    assert_eq!(desk.post(&wrong, "/api/workers", &body).await.status, 401);
    for (method, path, operation) in operations() {
        let role = operation["x-role"].as_str().unwrap();
        if role != "Public" && role != "Registration" {
            let (status, _) = tried(&desk, &worker, &method, &path).await;
            assert_eq!(status, 401, "{method} {path}");
        }
    }
    assert_eq!(desk.get(&ann, "/api/workers/w1").await.status, 200);
}

#[tokio::test]
async fn the_document_is_served_as_it_is_returned() {
    let desk = Desk::open().await;
    let served = desk
        .get(&Visitor::nobody(), "/api/openapi.json")
        .await
        .json();
    assert_eq!(served, hermod_api::openapi());
    assert_eq!(served["openapi"], "3.1.0");
    // Every reference leads somewhere.
    let text = served.to_string();
    for piece in text.split("\"$ref\":\"#").skip(1) {
        let pointer = piece.split('"').next().unwrap();
        assert!(served.pointer(pointer).is_some(), "{pointer}");
    }
}
