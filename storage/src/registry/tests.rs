use std::{future::Future, pin::Pin, sync::Mutex};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::{Entry, EntryQuery, Health, Lease, Memory, Watch};

type Interruption = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store in which something happens right after all objects of a kind were read for the first time.
struct Interrupted {
    inner: Arc<Memory>,
    kind: Kind,
    happens: Mutex<Option<Interruption>>,
}

#[async_trait]
impl Store for Interrupted {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError> {
        self.inner.submit(operations).await
    }

    async fn get(&self, key: &Key, read: Read) -> Result<Option<Object>, StoreError> {
        self.inner.get(key, read).await
    }

    async fn list(&self, range: &Range, read: Read) -> Result<Vec<Object>, StoreError> {
        let found = self.inner.list(range, read).await;
        if range.kind == self.kind {
            let happens = self.happens.lock().unwrap().take();
            if let Some(happens) = happens {
                happens.await;
            }
        }
        found
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
        self.inner.health()
    }

    async fn close(&self) {}
}

/// Returns a registry over the same store, in which something happens in between.
fn interrupted(
    inner: &Arc<Memory>,
    kind: Kind,
    happens: impl Future<Output = ()> + Send + 'static,
) -> Registry {
    let happens: Interruption = Box::pin(happens);
    Registry::new(Arc::new(Interrupted {
        inner: inner.clone(),
        kind,
        happens: Mutex::new(Some(happens)),
    }))
}

#[tokio::test]
async fn a_sink_that_begins_to_be_named_while_it_is_removed_stays() {
    let inner = Arc::new(Memory::new());
    let registry = Registry::new(inner.clone());
    connect(&registry).await;
    let other = registry.clone();
    let removing = interrupted(&inner, Kind::Workflow, async move {
        other
            .save_workflow("w", draft(workflow("out"), Expect::Absent))
            .await
            .unwrap();
    });
    let refused = removing
        .delete_connection(Kind::Sink, "out", Expect::Present, &audit("delete"))
        .await
        .unwrap_err();
    assert!(matches!(&refused, Error::InUse { workflows, .. } if workflows == &["w"]));
    registry.get(Kind::Sink, "out").await.unwrap();
}

#[tokio::test]
async fn two_administrators_cannot_remove_each_other_at_once() {
    let inner = Arc::new(Memory::new());
    let registry = Registry::new(inner.clone());
    let (ann, bob) = (
        user("ann", AccessRole::Administrator),
        user("bob", AccessRole::Administrator),
    );
    registry
        .make_first_administrator(&ann, &audit("setup"))
        .await
        .unwrap();
    let of_bob = registry.add_user(&bob, &audit("add")).await.unwrap();
    let (of_ann, _) = registry.user("ann").await.unwrap().unwrap();
    let other = registry.clone();
    let removing = interrupted(&inner, Kind::User, async move {
        other
            .delete_user("ann", of_ann, &audit("delete"))
            .await
            .unwrap();
    });
    let refused = removing.delete_user("bob", of_bob, &audit("delete")).await;
    assert!(refused.is_err());
    assert!(registry.user("bob").await.unwrap().is_some());
}

fn registry() -> Registry {
    Registry::new(Arc::new(Memory::new()))
}

fn audit(action: &'static str) -> Audit {
    Audit {
        user: "ann".into(),
        address: "127.0.0.1".to_owned(),
        action,
        details: Map::new(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

fn workflow(sink: &str) -> Map<String, Value> {
    object(
        json!({"name": "w", "later": 9_007_199_254_740_993_u64, "nodes": [
            {"id": "a", "type": "source", "ref_id": "in"},
            {"id": "b", "type": "sink", "ref_id": sink},
        ]}),
    )
}

fn draft(document: Map<String, Value>, expect: Expect) -> Draft {
    Draft {
        document,
        expect,
        message: "why".to_owned(),
        audit: audit("workflow.save"),
    }
}

async fn with_connections() -> Registry {
    let registry = registry();
    connect(&registry).await;
    registry
}

async fn connect(registry: &Registry) {
    for (kind, id) in [
        (Kind::Source, "in"),
        (Kind::Sink, "out"),
        (Kind::Sink, "other"),
    ] {
        let document = object(json!({"type": "file", "config": {}}));
        registry
            .save_connection(kind, id, document, Expect::Absent, &audit("save"))
            .await
            .unwrap();
    }
}

fn user(name: &str, role: AccessRole) -> User {
    User {
        username: name.to_owned(),
        full_name: String::new(),
        email: String::new(),
        role,
        disabled: false,
        password: PasswordHash::new("$argon2id$secret"),
        password_changed_ms: 0,
    }
}

#[tokio::test]
async fn each_save_is_a_version_and_each_change_an_entry() {
    let registry = with_connections().await;
    let first = registry
        .save_workflow("w", draft(workflow("out"), Expect::Absent))
        .await
        .unwrap();
    assert_eq!(first.version, 1);
    let stale = registry
        .save_workflow("w", draft(workflow("out"), Expect::Version(Revision(1))))
        .await
        .unwrap_err();
    assert!(matches!(stale, Error::Conflict { found: Some(found), .. } if found == first.revision));
    registry
        .set_active("w", true, &audit("workflow.start"))
        .await
        .unwrap();
    let started = registry.get(Kind::Workflow, "w").await.unwrap();
    let second = registry
        .save_workflow(
            "w",
            draft(workflow("other"), Expect::Version(started.version)),
        )
        .await
        .unwrap();
    assert_eq!(second.version, 2);
    let entity = registry.get(Kind::Workflow, "w").await.unwrap();
    assert!(entity.is("active"), "a save does not stop it");
    assert_eq!(entity.document["later"].to_string(), "9007199254740993");
    let versions = registry.versions("w").await.unwrap();
    let numbers: Vec<_> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(versions[1].author, "ann");
    assert_eq!(
        registry.version("w", 1).await.unwrap().document["nodes"],
        workflow("out")["nodes"]
    );
    let entries = registry.entries(&EntryQuery::default()).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| &*entry.draft.action).collect();
    assert_eq!(
        actions[..3],
        ["workflow.save", "workflow.start", "workflow.save"]
    );
}

#[tokio::test]
async fn i9_only_so_many_versions_are_kept() {
    let registry = with_connections().await;
    for _ in 0..VERSIONS_MAX + 3 {
        registry
            .save_workflow("w", draft(workflow("out"), Expect::Any))
            .await
            .unwrap();
    }
    let versions = registry.versions("w").await.unwrap();
    assert_eq!(versions.len() as u64, VERSIONS_MAX);
    assert_eq!(versions[0].version, VERSIONS_MAX + 3);
    registry
        .delete_workflow("w", Expect::Present, &audit("workflow.delete"))
        .await
        .unwrap();
    assert!(registry.versions("w").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_workflow_names_exists_and_stays() {
    let registry = with_connections().await;
    let dangling = registry
        .save_workflow("w", draft(workflow("nowhere"), Expect::Absent))
        .await
        .unwrap_err();
    assert!(matches!(dangling, Error::Dangling(key) if &*key.id == "nowhere"));
    registry
        .save_workflow("w", draft(workflow("out"), Expect::Absent))
        .await
        .unwrap();
    let used = registry
        .delete_connection(Kind::Sink, "out", Expect::Present, &audit("delete"))
        .await
        .unwrap_err();
    assert!(matches!(&used, Error::InUse { workflows, .. } if workflows == &["w"]));
    assert!(used.to_string().contains("`w`"), "{used}");
    registry
        .delete_connection(Kind::Sink, "other", Expect::Present, &audit("delete"))
        .await
        .unwrap();
    let bundle = registry.bundle("w").await.unwrap();
    assert_eq!(bundle["sources"][0]["id"], "in");
    assert_eq!(bundle["sinks"][0]["id"], "out");
    assert!(bundle["workflow"].get("version").is_none());
}

#[tokio::test]
async fn an_active_workflow_is_not_removed() {
    let registry = with_connections().await;
    let mut document = workflow("out");
    document.insert("active".to_owned(), true.into());
    registry
        .save_workflow("w", draft(document, Expect::Absent))
        .await
        .unwrap();
    let refused = registry
        .delete_workflow("w", Expect::Present, &audit("delete"))
        .await;
    assert!(matches!(refused, Err(Error::Active { .. })));
}

#[tokio::test]
async fn there_is_one_first_administrator_and_always_a_last_one() {
    let registry = registry();
    let ann = user("ann", AccessRole::Administrator);
    let bob = user("bob", AccessRole::Administrator);
    assert!(!registry.is_set_up().await.unwrap());
    let setup = audit("setup");
    let (one, other) = tokio::join!(
        registry.make_first_administrator(&ann, &setup),
        registry.make_first_administrator(&bob, &setup),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let (version, ann) = registry.user("ann").await.unwrap().unwrap();
    let gone = registry.delete_user("ann", version, &audit("delete")).await;
    assert!(matches!(gone, Err(Error::LastAdministrator { .. })));
    let viewer = User {
        role: AccessRole::Viewer,
        ..ann.clone()
    };
    let demoted = registry
        .save_user(&viewer, version, None, &audit("save"))
        .await;
    assert!(matches!(demoted, Err(Error::LastAdministrator { .. })));
    registry.add_user(&bob, &audit("add")).await.unwrap();
    registry
        .save_user(&viewer, version, None, &audit("save"))
        .await
        .unwrap();
    assert!(!format!("{ann:?}").contains("secret"));
}

#[tokio::test]
async fn removing_a_person_ends_their_sessions_and_tokens() {
    let registry = registry();
    let ann = user("ann", AccessRole::Administrator);
    registry
        .make_first_administrator(&ann, &audit("setup"))
        .await
        .unwrap();
    let revision = registry
        .add_user(&user("bob", AccessRole::Editor), &audit("add"))
        .await
        .unwrap();
    let session = Session {
        created_ms: 1,
        seen_ms: 1,
        address: String::new(),
    };
    for number in 0..SESSIONS_MAX + 5 {
        registry
            .open_session("bob", &number.to_string(), &session, &audit("login"))
            .await
            .unwrap();
    }
    let sessions = registry.all(Kind::Session).await.unwrap();
    assert_eq!(sessions.len(), SESSIONS_MAX, "i9: sessions are bounded");
    let token = Token {
        name: "ci".to_owned(),
        user: "bob".to_owned(),
        role: AccessRole::Editor,
        hash: String::new(),
        created_ms: 0,
        expires_ms: None,
    };
    registry
        .add_token("t", &token, &audit("token"))
        .await
        .unwrap();
    registry
        .delete_user("bob", revision, &audit("delete"))
        .await
        .unwrap();
    assert!(registry.all(Kind::Session).await.unwrap().is_empty());
    assert!(registry.token("t").await.unwrap().is_none());
}

#[tokio::test]
async fn a_worker_that_reports_keeps_that_it_is_to_drain() {
    let registry = registry();
    let members = object(json!({"name": "n1", "seen_ms": 5, "port": 3000}));
    registry.report_worker("n1", &members, None).await.unwrap();
    registry
        .drain_worker("n1", true, &audit("worker.drain"))
        .await
        .unwrap();
    registry.report_worker("n1", &members, None).await.unwrap();
    let workers = registry.workers().await.unwrap();
    assert!(workers[0].1.draining);
    assert_eq!(workers[0].1.more["port"], 3000);
    assert_eq!(
        registry
            .entries(&EntryQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn settings_of_the_registry_itself_do_not_show() {
    let registry = with_connections().await;
    registry
        .save_workflow("w", draft(workflow("out"), Expect::Absent))
        .await
        .unwrap();
    registry
        .save_setting("theme", &json!("dark"), Expect::Absent, &audit("setting"))
        .await
        .unwrap();
    let settings = registry.settings().await.unwrap();
    assert_eq!(settings.len(), 1);
    assert_eq!(settings[0].document["value"], "dark");
}
