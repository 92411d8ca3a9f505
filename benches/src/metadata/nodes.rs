//! Three processes over their store, asked by HTTP.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinSet};

use super::{CLIENTS, Client, NODES, key};
use crate::server::{Server, free_port};

/// How long the three may take until all of them are ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Running nodes. Dropped in order.
pub(super) struct Nodes {
    servers: Vec<Server>,
    token: String,
    _dir: TempDir,
}

/// Starts a cluster with the defaults, and makes its administrator.
pub(super) async fn start(dir: TempDir, program: &Path) -> anyhow::Result<Nodes> {
    let mut peers = Vec::new();
    for at in 0..NODES {
        peers.push(format!("n{at}=127.0.0.1:{}", free_port()?));
    }
    fs::write(
        dir.path().join("secret"),
        "the secret of the bench's cluster",
    )?;
    fs::write(dir.path().join("password"), "a password for the bench")?;
    let mut servers = Vec::new();
    for (at, peer) in peers.iter().enumerate() {
        let (name, listen) = peer.split_once('=').context("a peer has a name")?;
        let (port, place) = (free_port()?, dir.path().join(format!("n{at}")));
        fs::create_dir(&place)?;
        let mut command = Command::new(program);
        command
            .args(["--mode=standalone", "--node-name", name, "--grpc-port=off"])
            .args(["--cluster-listen", listen, "--peers", &peers.join(",")])
            .args(["--cluster-secret-file", "../secret", "--log=warn"])
            .args(["--port", &port.to_string()]);
        servers.push(Server::spawn("hermod", command, &place, port)?);
    }
    for server in &mut servers {
        server.wait_until_it_listens()?;
        until_ready(server.port).await?;
    }
    let client = |arguments: &[&str], port: u16| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["--password-file", "../password"])
            .current_dir(dir.path().join("n0"))
            .env("XDG_CONFIG_HOME", dir.path())
            .env("HERMOD_SERVER", format!("http://127.0.0.1:{port}"));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "`hermod {arguments:?}`: {said}");
        Ok(())
    };
    let port = servers[0].port;
    client(&["setup"], port)?;
    client(&["login", "--user", "admin"], port)?;
    let kept = fs::read_to_string(dir.path().join("hermod/client.toml"))?;
    let token = kept.lines().find_map(|line| {
        let value = line.strip_prefix("token = ")?;
        Some(value.trim_matches('"').to_owned())
    });
    Ok(Nodes {
        servers,
        token: token.context("the login keeps no token")?,
        _dir: dir,
    })
}

async fn until_ready(port: u16) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let mut connection = Connection::open(port, "").await?;
        let answer = connection.ask(Method::GET, "/readyz", None, None).await?;
        if answer.status == StatusCode::OK {
            return Ok(());
        }
        if started.elapsed() > READY_WITHIN {
            bail!(
                "a node is not ready: {}",
                String::from_utf8_lossy(&answer.body)
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Nodes {
    /// Makes the sources that are written to, and connects all clients, a third of them to each node.
    pub(super) async fn clients(&self) -> anyhow::Result<Vec<Connection>> {
        let mut clients = Vec::new();
        for at in 0..CLIENTS {
            let mut client = Connection::open(self.servers[at % NODES].port, &self.token).await?;
            let body = source(&key(at), "first").to_string();
            let path = "/api/sources";
            let answer = client.ask(Method::POST, path, None, Some(body)).await?;
            client.etag = answer.expect(StatusCode::CREATED)?.etag.unwrap_or_default();
            clients.push(client);
        }
        Ok(clients)
    }

    /// Checks that every source is what was answered last, whichever node is asked.
    pub(super) async fn check(&self, clients: Vec<Connection>) -> anyhow::Result<()> {
        for (at, client) in clients.into_iter().enumerate() {
            let port = self.servers[(at + 1) % NODES].port;
            let mut other = Connection::open(port, &self.token).await?;
            let path = format!("/api/sources/{}", key(at));
            let answer = other.ask(Method::GET, &path, None, None).await?;
            let etag = answer.expect(StatusCode::OK)?.etag;
            ensure!(
                etag.as_ref() == Some(&client.etag),
                "{path} has the tag {etag:?}; what was answered last is {:?}",
                client.etag
            );
        }
        Ok(())
    }

    /// Brings in workflows.
    pub(super) async fn import(&self, count: usize) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.servers[0].port, &self.token).await?;
        for number in 0..count {
            let (path, body) = ("/api/workflows/import", workflow(number).to_string());
            let answer = connection.ask(Method::POST, path, None, Some(body)).await?;
            ensure!(
                answer.status.is_success(),
                "{path} answers {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(())
    }

    /// Asks for a page of the list again and again; returns how long each answer took, in milliseconds.
    pub(super) async fn list(&self, times: usize, of: usize) -> anyhow::Result<Vec<f64>> {
        let mut took = Vec::new();
        for at in 0..times {
            let mut client = Connection::open(self.servers[at % NODES].port, &self.token).await?;
            let begun = Instant::now();
            let path = "/api/workflows?limit=200";
            let answer = client.ask(Method::GET, path, None, None).await?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
            let list: Value = serde_json::from_slice(&answer.expect(StatusCode::OK)?.body)?;
            ensure!(
                list["total"] == of,
                "the list has {} of {of}",
                list["total"]
            );
        }
        Ok(took)
    }
}

/// A source of about as many bytes as etcd's documents.
fn source(id: &str, name: &str) -> Value {
    let config =
        json!({"path": format!("/var/lib/bench/{}.ndjson", "x".repeat(120)), "format": "ndjson"});
    json!({"id": id, "name": name, "type": "file", "config": config})
}

fn workflow(number: usize) -> Value {
    let id = |kind: &str| format!("{kind}-{number:04}");
    let nodes = json!([
        {"id": "in", "type": "source", "ref_id": id("source")},
        {"id": "out", "type": "sink", "ref_id": id("sink")},
    ]);
    json!({
        "workflow": {
            "id": id("workflow"), "name": id("workflow"), "acknowledge": "durable", "nodes": nodes,
            "edges": [{"id": "e1", "source_id": "in", "target_id": "out"}],
        },
        "sources": [{"id": id("source"), "type": "webhook", "config": {"path": id("path")}}],
        "sinks": [{"id": id("sink"), "type": "file", "config": {"filename": id("/tmp/file")}}],
    })
}

/// A connection of one client.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    token: String,
    /// The version that was answered last.
    etag: String,
    _task: JoinSet<hyper::Result<()>>,
}

struct Answer {
    status: StatusCode,
    etag: Option<String>,
    body: Bytes,
}

impl Answer {
    fn expect(self, status: StatusCode) -> anyhow::Result<Self> {
        ensure!(
            self.status == status,
            "the answer is {}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }
}

impl Connection {
    async fn open(port: u16, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self {
            sender,
            token: token.to_owned(),
            etag: String::new(),
            _task: task,
        })
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/json");
        if !self.token.is_empty() {
            let bearer = format!("Bearer {}", self.token);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(etag) = etag {
            request = request.header(header::IF_MATCH, etag);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(body)?).await?;
        let (head, body) = response.into_parts();
        let etag = head.headers.get(header::ETAG);
        Ok(Answer {
            status: head.status,
            etag: etag
                .map(|etag| etag.to_str().map(str::to_owned))
                .transpose()?,
            body: body.collect().await?.to_bytes(),
        })
    }
}

impl Client for Connection {
    async fn put(&mut self, key: &str, number: u64) -> anyhow::Result<()> {
        let (path, etag) = (format!("/api/sources/{key}"), self.etag.clone());
        let body = source(key, &number.to_string()).to_string();
        let answer = self
            .ask(Method::PUT, &path, Some(&etag), Some(body))
            .await?;
        self.etag = answer.expect(StatusCode::OK)?.etag.unwrap_or_default();
        Ok(())
    }
}
