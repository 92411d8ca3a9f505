//! Who takes the load.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::server::{Server, free_port};

/// How long the sink may take to write what is left after the load.
const DRAIN_WITHIN: Duration = Duration::from_mins(1);

/// A server, how it is pushed to, and its files.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    // The first is the one that is pushed to; dropped in order.
    servers: Vec<Server>,
    dir: TempDir,
}

impl Subject {
    pub(super) fn port(&self) -> u16 {
        self.servers[0].port
    }
}

/// Hermod, whose sink can be looked into.
pub(super) struct Hermod {
    pub(super) subject: Subject,
    delivered: PathBuf,
}

/// nginx: one worker, the body is read and thrown away.
pub(super) fn nginx(dir: TempDir) -> anyhow::Result<Subject> {
    let port = free_port()?;
    let place = dir.path().display();
    let config = format!(
        "daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\n\
         events {{ worker_connections 1024; }}\nhttp {{\n access_log off;\n\
         keepalive_requests 1000000000;\n client_body_temp_path {place}/body;\n\
         proxy_temp_path {place}/proxy;\n fastcgi_temp_path {place}/fastcgi;\n\
         uwsgi_temp_path {place}/uwsgi;\n scgi_temp_path {place}/scgi;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"ok\"; }} }}\n}}\n"
    );
    let file = dir.path().join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program("nginx").context(
        "`nginx`, the reference, is not installed; on Debian: apt-get install nginx-light",
    )?);
    command.arg("-c").arg(&file).arg("-p").arg(dir.path());
    let server = Server::start("nginx", command, dir.path(), port)?;
    Ok(Subject {
        name: "nginx",
        method: "POST",
        path: "/",
        servers: vec![server],
        dir,
    })
}

/// Returns whether both parts of the peer are there.
pub(super) fn redis_is_installed() -> bool {
    program("redis-server").is_some() && program("webdis").is_some()
}

/// Redis that syncs before it answers, behind webdis: two threads, eight connections.
pub(super) fn redis(dir: TempDir) -> anyhow::Result<Subject> {
    let (port, store_port) = (free_port()?, free_port()?);
    let mut command = Command::new("redis-server");
    command
        .args([
            "--port",
            &store_port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(dir.path());
    let store = Server::start("redis", command, dir.path(), store_port)?;
    let config = json!({
        "redis_host": "127.0.0.1", "redis_port": store_port, "redis_auth": null,
        "http_host": "127.0.0.1", "http_port": port, "threads": 2, "pool_size": 8,
        "daemonize": false, "websockets": false, "database": 0, "verbosity": 0,
        "acl": [{"enabled": ["*"]}],
    });
    let file = dir.path().join("webdis.json");
    fs::write(&file, config.to_string())?;
    let mut command = Command::new("webdis");
    command.arg(&file);
    let front = Server::start("webdis", command, dir.path(), port)?;
    Ok(Subject {
        name: "redis",
        method: "PUT",
        path: "/XADD/s/*/d",
        servers: vec![front, store],
        dir,
    })
}

/// Hermod: a webhook, a file, level `durable`.
pub(super) fn hermod(dir: TempDir, program: &Path) -> anyhow::Result<Hermod> {
    let port = free_port()?;
    let delivered = dir.path().canonicalize()?.join("delivered.ndjson");
    let bundle = json!({
        "workflow": {
            "id": "bench", "name": "bench", "acknowledge": "durable",
            "nodes": [
                {"id": "in", "type": "source", "ref_id": "webhook"},
                {"id": "out", "type": "sink", "ref_id": "file"},
            ],
            "edges": [{"id": "e1", "source_id": "in", "target_id": "out"}],
        },
        "sources": [{"id": "webhook", "type": "webhook", "config": {"path": "bench"}}],
        "sinks": [{"id": "file", "type": "file", "config": {"filename": delivered}}],
    });
    fs::write(dir.path().join("bundle.json"), bundle.to_string())?;
    let mut command = Command::new(program);
    command.args([
        "run",
        "bundle.json",
        "--data-dir",
        "data",
        "--port",
        &port.to_string(),
    ]);
    let server = Server::start("hermod", command, dir.path(), port)?;
    let servers = vec![server];
    let path = "/api/webhooks/bench";
    let subject = Subject {
        name: "hermod",
        method: "POST",
        path,
        servers,
        dir,
    };
    Ok(Hermod { subject, delivered })
}

impl Hermod {
    /// Waits until the sink's file has as many lines as were acknowledged, ends the node in order, and returns how many
    /// different messages are there.
    pub(super) fn drain(&mut self, acknowledged: u64) -> anyhow::Result<u64> {
        let started = Instant::now();
        while lines(&self.delivered)? < acknowledged && started.elapsed() < DRAIN_WITHIN {
            std::thread::sleep(Duration::from_millis(100));
        }
        let status = self.subject.servers[0].terminate()?;
        let log = self.subject.dir.path().join("hermod.log");
        ensure!(
            status.success(),
            "hermod ended with {status}: {}",
            fs::read_to_string(log).unwrap_or_default()
        );
        let mut ids = HashSet::new();
        for line in BufReader::new(File::open(&self.delivered)?).lines() {
            let line = line?;
            let id = line
                .strip_prefix(r#"{"id":""#)
                .and_then(|rest| rest.split_once('"'));
            let (id, _) = id.context("a line of the sink's file is none of the load's messages")?;
            ids.insert(id.to_owned());
        }
        Ok(ids.len() as u64)
    }
}

/// Counts lines by the size of the file: all of them are as long.
fn lines(path: &Path) -> anyhow::Result<u64> {
    // Body and line break.
    Ok(fs::metadata(path)?.len() / 1025)
}

/// Finds a program, also where those for the superuser are.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(name))
        .find(|file| file.exists())
}
