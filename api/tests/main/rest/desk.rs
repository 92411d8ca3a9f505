//! A server with an API, and those who use it.

use std::sync::Arc;

use hermod_api::{Api, ApiOptions, Options, Server, hash_password};
use hermod_storage::{
    Memory, Store,
    registry::{AccessRole, PasswordHash, Registry, User},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::platform::{Fake, audit};
use crate::{
    node::{Running, options, stand},
    wire::{Answer, Client},
};

pub(crate) const PASSWORD: &str = "a long enough password";
pub(crate) const REGISTRATION: &str = "registration-token-of-tests";

/// A server with an API.
pub(crate) struct Desk {
    pub(crate) server: Running,
    pub(crate) platform: Arc<Fake>,
    pub(crate) registry: Registry,
}

/// Somebody with what lets them in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Visitor {
    pub(crate) fn nobody() -> Self {
        Self::default()
    }

    pub(crate) fn bearing(token: &str) -> Self {
        Self::nobody().with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn if_match(&self, answer: &Answer) -> Self {
        self.clone()
            .with("if-match", answer.header("etag").unwrap())
    }

    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n");
        if let Some(cookie) = &self.cookie {
            head += &format!("cookie: theme=dark; {cookie}\r\n");
        }
        if let Some(csrf) = &self.csrf {
            head += &format!("x-csrf-token: {csrf}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head
    }
}

pub(crate) fn api_options() -> ApiOptions {
    ApiOptions {
        worker_registration_token: Some(hermod_sdk::Secret::new(REGISTRATION)),
        ..ApiOptions::default()
    }
}

impl Desk {
    pub(crate) async fn open() -> Self {
        Self::with(api_options(), Arc::new(Memory::new())).await
    }

    pub(crate) async fn with(api: ApiOptions, store: Arc<dyn Store>) -> Self {
        Self::served(api, store, options()).await
    }

    pub(crate) async fn served(api: ApiOptions, store: Arc<dyn Store>, options: Options) -> Self {
        let registry = Registry::new(store);
        let platform = Fake::new(registry.clone());
        let api = Api::new(api, registry.clone(), platform.clone()).unwrap();
        let node = Arc::new(stand([]));
        let server = Server::with_api(options, node, Some(api)).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        #[allow(
            clippy::disallowed_methods,
            reason = "a test has no owner of tasks; it ends with the test"
        )]
        let ended = tokio::spawn(server.run(stop.clone()));
        Self {
            server: Running {
                address,
                grpc: None,
                stop,
                ended,
            },
            platform,
            registry,
        }
    }

    /// Opens a desk at which `ann` administers.
    pub(crate) async fn administered() -> (Self, Visitor) {
        let desk = Self::open().await;
        desk.add("ann", AccessRole::Administrator).await;
        let ann = desk.log_in("ann").await;
        (desk, ann)
    }

    pub(crate) async fn add(&self, name: &str, role: AccessRole) {
        let user = User {
            username: name.to_owned(),
            full_name: String::new(),
            email: String::new(),
            role,
            disabled: false,
            password: hash().await,
            password_changed_ms: 0,
        };
        let first = self
            .registry
            .make_first_administrator(&user, &audit())
            .await;
        if first.is_err() {
            self.registry.add_user(&user, &audit()).await.unwrap();
        }
    }

    pub(crate) async fn log_in(&self, name: &str) -> Visitor {
        let login = json!({"username": name, "password": PASSWORD});
        let answer = self.post(&Visitor::nobody(), "/api/login", &login).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        visitor(&answer)
    }

    /// Adds somebody and logs them in.
    pub(crate) async fn visitor(&self, name: &str, role: AccessRole) -> Visitor {
        self.add(name, role).await;
        self.log_in(name).await
    }

    pub(crate) async fn send(&self, who: &Visitor, method: &str, path: &str, body: &str) -> Answer {
        let mut client = Client::connect(self.server.address).await;
        let mut head = who.head(method, path);
        if !body.is_empty() {
            if !head.contains("content-type") {
                head += "content-type: application/json\r\n";
            }
            head += &format!("content-length: {}\r\n", body.len());
        }
        client.send(format!("{head}\r\n{body}")).await;
        client.answer().await
    }

    pub(crate) async fn get(&self, who: &Visitor, path: &str) -> Answer {
        self.send(who, "GET", path, "").await
    }

    pub(crate) async fn post(&self, who: &Visitor, path: &str, body: &Value) -> Answer {
        self.send(who, "POST", path, &body.to_string()).await
    }

    pub(crate) async fn put(&self, who: &Visitor, path: &str, body: &Value) -> Answer {
        self.send(who, "PUT", path, &body.to_string()).await
    }

    /// Makes a source `in`, a sink `out` and a workflow `w` over both.
    pub(crate) async fn furnish(&self, who: &Visitor) {
        let source = json!({"id": "in", "type": "webhook", "config": {"path": "in"}});
        let sink = json!({"id": "out", "type": "http", "config": {"url": "http://x"}});
        for (path, body) in [("/api/sources", source), ("/api/sinks", sink)] {
            let answer = self.post(who, path, &body).await;
            assert_eq!(answer.status, 201, "{}", answer.json());
        }
        let answer = self.post(who, "/api/workflows", &workflow("w")).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
    }
}

pub(crate) fn workflow(id: &str) -> Value {
    json!({
        "id": id,
        "name": "Orders",
        "nodes": [
            {"id": "a", "type": "source", "ref_id": "in"},
            {"id": "b", "type": "sink", "ref_id": "out"},
        ],
        "edges": [{"id": "e", "source_id": "a", "target_id": "b"}],
    })
}

/// Returns who an answer has let in.
pub(crate) fn visitor(answer: &Answer) -> Visitor {
    let cookie = answer.header("set-cookie").unwrap();
    Visitor {
        cookie: Some(cookie.split(';').next().unwrap().to_owned()),
        csrf: Some(answer.json()["csrf_token"].as_str().unwrap().to_owned()),
        headers: Vec::new(),
    }
}

/// Hashing takes its time; once is enough for all.
async fn hash() -> PasswordHash {
    static HASH: OnceCell<PasswordHash> = OnceCell::const_new();
    HASH.get_or_init(|| async { hash_password("anybody", PASSWORD).unwrap() })
        .await
        .clone()
}
