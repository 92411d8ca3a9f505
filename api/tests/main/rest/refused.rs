//! Ways in that the original left open, each shut here. Ways that lead to what does not exist here (scripts in workflows,
//! second factors, mails, server-side fetches, ad-hoc SQL) are shown not to exist.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hermod_storage::{
    Answer as StoreAnswer, Entry, EntryQuery, Health, Key, Kind, Lease, Memory, Object, Operation,
    Range, Read, Store, StoreError, StoreErrorKind, Watch, registry::AccessRole,
};
use serde_json::json;

use super::desk::{Desk, PASSWORD, Visitor, api_options};

/// A store that fails when it is told to.
#[derive(Default)]
struct Failing {
    inner: Memory,
    fails: AtomicBool,
    forgets: AtomicBool,
}

impl Failing {
    fn check(&self) -> Result<(), StoreError> {
        if self.forgets.load(Ordering::Relaxed) {
            return Err(StoreError::new(
                StoreErrorKind::Unknown,
                "no answer in time",
            ));
        }
        if self.fails.load(Ordering::Relaxed) {
            let wait = Duration::from_secs(3);
            return Err(StoreError::unavailable("there is no leader", wait));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Failing {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<StoreAnswer>, StoreError> {
        self.check()?;
        self.inner.submit(operations).await
    }

    async fn get(&self, key: &Key, read: Read) -> Result<Option<Object>, StoreError> {
        self.check()?;
        self.inner.get(key, read).await
    }

    async fn list(&self, range: &Range, read: Read) -> Result<Vec<Object>, StoreError> {
        self.check()?;
        self.inner.list(range, read).await
    }

    async fn lease(&self, name: &str, read: Read) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(name, read).await
    }

    async fn leases(&self, read: Read) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases(read).await
    }

    async fn entries(&self, query: &EntryQuery, read: Read) -> Result<Vec<Entry>, StoreError> {
        self.inner.entries(query, read).await
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }

    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn health(&self) -> Health {
        let fails = self.fails.load(Ordering::Relaxed);
        Health {
            writable: !fails,
            age: Duration::from_secs(if fails { 60 } else { 0 }),
            ..self.inner.health()
        }
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn nothing_is_public_because_of_how_its_path_begins() {
    let (desk, _) = Desk::administered().await;
    let nobody = Visitor::nobody();
    for path in [
        "/api/webhooks/requests",
        "/api/setup/tokens",
        "/api/login/users",
        "/api//users",
    ] {
        let answer = desk.get(&nobody, path).await;
        assert!(
            matches!(answer.status, 401 | 404),
            "{path}: {}",
            answer.status
        );
    }
    for path in [
        "/api/users",
        "/api/workflows",
        "/api/logs",
        "/api/events",
        "/api/audit",
    ] {
        assert_eq!(desk.get(&nobody, path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn authentication_fails_closed_when_the_store_cannot_be_read() {
    let store = Arc::new(Failing::default());
    let desk = Desk::with(api_options(), store.clone()).await;
    desk.add("ann", AccessRole::Administrator).await;
    let ann = desk.log_in("ann").await;
    let token = json!({"name": "t", "role": "Viewer"});
    let token = desk.post(&ann, "/api/tokens", &token).await.json()["token"].clone();
    store.fails.store(true, Ordering::Relaxed);
    for who in [ann.clone(), Visitor::bearing(token.as_str().unwrap())] {
        let answer = desk.get(&who, "/api/me").await;
        assert_eq!((answer.status, answer.code()), (503, "HMD-0127".to_owned()));
        assert_eq!(answer.header("retry-after"), Some("3"));
        assert_eq!(answer.header("hermod-store-age-ms"), Some("60000"));
    }
    let login = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(
        desk.post(&Visitor::nobody(), "/api/login", &login)
            .await
            .status,
        503
    );
    store.forgets.store(true, Ordering::Relaxed);
    let answer = desk.get(&ann, "/api/me").await;
    assert_eq!((answer.status, answer.code()), (504, "HMD-0128".to_owned()));
    store.forgets.store(false, Ordering::Relaxed);
    store.fails.store(false, Ordering::Relaxed);
    assert_eq!(desk.get(&ann, "/api/me").await.status, 200);
}

#[tokio::test]
async fn a_viewer_changes_nothing_of_workers_logs_or_workflows() {
    let (desk, ann) = Desk::administered().await;
    desk.furnish(&ann).await;
    let eve = desk.visitor("eve", AccessRole::Viewer).await;
    let worker = json!({"id": "w1"});
    assert_eq!(desk.post(&eve, "/api/workers", &worker).await.status, 403);
    for (method, path) in [
        ("POST", "/api/workflows/w/start"),
        ("POST", "/api/workflows/w/stop"),
        ("DELETE", "/api/workflows/w"),
        ("POST", "/api/workers/w1/drain"),
        ("POST", "/api/audit/trim"),
    ] {
        let answer = desk.send(&eve, method, path, "{}").await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "HMD-0120".to_owned()),
            "{path}"
        );
    }
    assert_eq!(desk.send(&eve, "DELETE", "/api/logs", "").await.status, 405);
    assert_eq!(
        desk.send(&eve, "PATCH", "/api/workflows/w", "")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn registering_a_worker_gives_no_token() {
    let (desk, ann) = Desk::administered().await;
    let made = desk.post(&ann, "/api/workers", &json!({"id": "w1"})).await;
    assert_eq!(made.status, 201);
    assert!(made.json().get("token").is_none());
    assert!(desk.registry.all(Kind::Token).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failing_encryption_does_not_store_plain_text() {
    let (desk, ann) = Desk::administered().await;
    desk.platform.sealing_fails.store(true, Ordering::Relaxed);
    let sink = json!({"id": "s", "type": "http", "config": {"token": "hunter2"}});
    assert_eq!(desk.post(&ann, "/api/sinks", &sink).await.status, 503);
    let new = ann.clone().with("if-match", "\"0\"");
    let setting = json!({"value": {"client_secret": "hunter2"}});
    assert_eq!(
        desk.put(&new, "/api/settings/oidc", &setting).await.status,
        503
    );
    assert!(desk.registry.all(Kind::Sink).await.unwrap().is_empty());
    assert!(desk.registry.settings().await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_connects_first_cannot_make_the_administrator() {
    let desk = Desk::open().await;
    let nobody = Visitor::nobody();
    let body = json!({"token": "", "username": "eve", "password": PASSWORD});
    assert_eq!(desk.post(&nobody, "/api/setup", &body).await.status, 403);
    let user = json!({"username": "eve", "password": PASSWORD, "role": "Administrator"});
    assert_eq!(desk.post(&nobody, "/api/users", &user).await.status, 401);
    let login = json!({"username": "admin", "password": "admin"});
    assert_eq!(desk.post(&nobody, "/api/login", &login).await.status, 401);
    assert!(!desk.registry.is_set_up().await.unwrap());
}

#[tokio::test]
async fn the_database_is_not_changed_over_the_api() {
    let (desk, ann) = Desk::administered().await;
    let body = json!({"type": "sqlite", "conn": "/tmp/other.db"});
    assert_eq!(
        desk.post(&ann, "/api/config/database", &body).await.status,
        405
    );
}

#[tokio::test]
async fn a_demoted_person_is_it_at_once() {
    let (desk, ann) = Desk::administered().await;
    let bob = desk.visitor("bob", AccessRole::Editor).await;
    let source = json!({"id": "s", "type": "webhook"});
    assert_eq!(desk.post(&bob, "/api/sources", &source).await.status, 201);
    let read = desk.get(&ann, "/api/users/bob").await;
    let change = desk
        .put(
            &ann.if_match(&read),
            "/api/users/bob",
            &json!({"role": "Viewer"}),
        )
        .await;
    assert_eq!(change.status, 200);
    let source = json!({"id": "s2", "type": "webhook"});
    assert_eq!(desk.post(&bob, "/api/sources", &source).await.status, 403);
}

#[tokio::test]
async fn a_token_in_the_address_lets_nobody_in() {
    let (desk, ann) = Desk::administered().await;
    let token = json!({"name": "t", "role": "Administrator"});
    let token = desk.post(&ann, "/api/tokens", &token).await.json()["token"].clone();
    let token = token.as_str().unwrap();
    for path in ["/api/users", "/api/events", "/api/logs"] {
        let path = format!("{path}?token={token}&access_token={token}");
        assert_eq!(desk.get(&Visitor::nobody(), &path).await.status, 401);
    }
    assert_eq!(
        desk.get(&Visitor::bearing(token), "/api/users")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_forged_address_does_not_reset_the_limit_of_logins() {
    let (desk, _) = Desk::administered().await;
    let login = json!({"username": "ann", "password": "a wrong password"});
    let mut last = 0;
    for number in 0..11 {
        let who = Visitor::nobody()
            .with("x-forwarded-for", &format!("10.0.0.{number}"))
            .with("x-real-ip", &format!("10.0.0.{number}"));
        last = desk.post(&who, "/api/login", &login).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn another_site_cannot_act_with_the_cookie() {
    let (desk, ann) = Desk::administered().await;
    let forged = Visitor {
        csrf: None,
        ..ann.clone()
    };
    let answer = desk
        .post(&forged, "/api/sources", &json!({"type": "webhook"}))
        .await;
    assert_eq!((answer.status, answer.code()), (403, "HMD-0121".to_owned()));
    // The proof of another session proves nothing.
    let bob = desk.visitor("bob", AccessRole::Administrator).await;
    let mixed = Visitor {
        csrf: bob.csrf.clone(),
        ..ann
    };
    let answer = desk
        .post(&mixed, "/api/sources", &json!({"type": "webhook"}))
        .await;
    assert_eq!(answer.code(), "HMD-0121");
    // Nor does a form of another site get as far as a login.
    let form = Visitor::nobody().with("content-type", "application/x-www-form-urlencoded");
    let answer = desk
        .send(&form, "POST", "/api/login", "username=ann&password=x")
        .await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn what_could_reach_into_the_network_or_the_host_does_not_exist() {
    let (desk, ann) = Desk::administered().await;
    for path in [
        "/api/proxy/fetch",
        "/api/sources/query",
        "/api/forgot-password",
        "/api/auth/2fa/disable",
        "/api/utils/token",
        "/api/files/upload",
        "/api/ws/debugger",
        "/debug/pprof/",
    ] {
        let answer = desk.post(&ann, path, &json!({})).await;
        assert!(
            matches!(answer.status, 404 | 405),
            "{path}: {}",
            answer.status
        );
    }
}
