//! A node of the cluster: its directory, its addresses, and the process that lives there at the moment.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use serde_json::json;

use super::{client::Client, network::Network, process::Server};

/// How long a node may take from its start until it is ready, on a machine that is busy with two others.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// What all nodes are started with.
pub(super) struct Settings {
    pub(super) program: PathBuf,
    pub(super) lease_ttl: Duration,
    pub(super) secret: PathBuf,
    /// `name=address` of all nodes.
    pub(super) peers: String,
}

/// A node, running or not.
pub(super) struct Node {
    pub(super) name: String,
    index: usize,
    dir: PathBuf,
    address: SocketAddr,
    cluster_address: SocketAddr,
    server: Option<Server>,
}

impl Node {
    /// Takes addresses and a directory for a node.
    pub(super) fn place(dir: &Path, index: usize, network: &Network) -> anyhow::Result<Self> {
        let name = format!("n{}", index + 1);
        let dir = dir.join(&name);
        fs::create_dir_all(&dir)?;
        let host = network.node(index);
        let port = crate::prove::node::free_port()?;
        let cluster_port = crate::prove::node::free_port()?;
        Ok(Self {
            name,
            index,
            dir,
            address: SocketAddr::from((host, port)),
            cluster_address: SocketAddr::from((host, cluster_port)),
            server: None,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn peer(&self) -> String {
        format!("{}={}", self.name, self.cluster_address)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Starts the node's process.
    pub(super) fn start(&mut self, settings: &Settings, network: &Network) -> anyhow::Result<()> {
        // A file and not flags: who looks into a kept run can start the node again by its name alone.
        fs::write(self.dir.join("hermod.toml"), self.configuration(settings))?;
        let mut command = network.command(self.index, &settings.program);
        command.current_dir(&self.dir);
        self.server = Some(Server::start(&mut command, &self.log())?);
        Ok(())
    }

    fn configuration(&self, settings: &Settings) -> String {
        let lease_ttl = format!("{}s", settings.lease_ttl.as_secs());
        let text = [
            ("mode", "standalone"),
            ("node_name", &self.name),
            ("cluster_listen", &self.cluster_address.to_string()),
            ("peers", &settings.peers),
            (
                "cluster_secret_file",
                &settings.secret.display().to_string(),
            ),
            ("listen", &self.address.ip().to_string()),
            ("grpc_port", "off"),
            ("lease_ttl", &lease_ttl),
            ("data_dir", &self.data_dir().display().to_string()),
        ]
        .map(|(key, value)| format!("{key} = {}\n", json!(value)))
        .concat();
        format!("{text}port = {}\n", self.address.port())
    }

    /// Waits until the node says that it is ready.
    pub(super) fn wait_ready(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        loop {
            self.ensure_running()?;
            let mut client = Client::new(self.address, "").within(Duration::from_secs(2));
            if client
                .call("GET", "/readyz", "", "")
                .is_ok_and(|answer| answer.status == 200)
            {
                return Ok(started.elapsed());
            }
            ensure!(
                started.elapsed() < READY_WITHIN,
                "`{}` does not get ready; see `{}`",
                self.name,
                self.log().display()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails if the node is to run and has ended by itself.
    pub(super) fn ensure_running(&mut self) -> anyhow::Result<()> {
        let log = self.log();
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        if let Some(status) = server.ended()? {
            bail!(
                "`{}` ended by itself ({status}); see `{}`",
                self.name,
                log.display()
            );
        }
        Ok(())
    }

    /// Kills the node.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.ensure_running()?;
        self.server.take().context("the node does not run")?.kill()
    }

    /// Stops the process where it stands, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let server = self.server.as_ref().context("the node does not run")?;
        server.signal(signal)
    }

    /// Makes the user `admin` over the node's control socket.
    pub(super) fn set_up(&self, settings: &Settings, password_file: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(&settings.program);
        command
            .arg("setup")
            .arg("--password-file")
            .arg(password_file);
        command
            .arg("--data-dir")
            .arg(self.data_dir())
            .current_dir(&self.dir);
        super::process::run(&mut command, "").map(drop)
    }

    fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }
}
