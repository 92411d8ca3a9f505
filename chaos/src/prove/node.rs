//! The node under proof: a child process on the run's directory.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rand::RngExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// Bytes of the node's log that an error shows.
const LOG_SHOWN: u64 = 4096;

/// Ports to choose from: below those that systems give to outgoing connections, because a sender that looks for
/// the node while it is away could be given the node's port (Linux: 32768 and up).
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Returns a port that nobody listens on at this moment.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let mut random = rand::rng();
    for _ in 0..100 {
        let port = random.random_range(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no free port found between {} and {}",
        PORTS.start,
        PORTS.end
    )
}

/// Where the node's lives take place.
pub(super) struct Place {
    dir: PathBuf,
    program: PathBuf,
    port: u16,
}

impl Place {
    /// Writes the node's workflow into `dir`.
    pub(super) fn make(dir: &Path, program: &Path, port: u16) -> anyhow::Result<Self> {
        // The child gets another working directory.
        let dir =
            fs::canonicalize(dir).with_context(|| format!("cannot find `{}`", dir.display()))?;
        let place = Self {
            dir,
            program: program.to_owned(),
            port,
        };
        let bundle = json!({
            "workflow": {
                "id": "prove",
                "name": "prove",
                "acknowledge": "durable",
                "nodes": [
                    {"id": "in", "type": "source", "ref_id": "webhook"},
                    {"id": "out", "type": "sink", "ref_id": "file"},
                ],
                "edges": [{"id": "e1", "source_id": "in", "target_id": "out"}],
            },
            "sources": [
                {"id": "webhook", "type": "webhook", "config": {"path": "prove", "key_field": "key"}},
            ],
            "sinks": [
                {"id": "file", "type": "file", "config": {"filename": place.delivered()}},
            ],
        });
        fs::write(place.bundle(), format!("{bundle:#}\n")).context("cannot write the workflow")?;
        Ok(place)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the sink's file.
    pub(super) fn delivered(&self) -> PathBuf {
        self.dir.join("delivered.ndjson")
    }

    fn bundle(&self) -> PathBuf {
        self.dir.join("bundle.json")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// Puts the end of the node's log behind what went wrong.
    pub(super) fn failure(&self, what: &str) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = fs::File::open(self.log())?;
            let bytes = file.metadata()?.len();
            file.seek(SeekFrom::Start(bytes.saturating_sub(LOG_SHOWN)))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            Ok(String::from_utf8_lossy(&end).into_owned())
        };
        format!(
            "{what}; the end of its log:\n{}",
            read().unwrap_or_default()
        )
    }
}

/// One life of the node. Dropped, it is killed.
pub(super) struct Node<'a> {
    place: &'a Place,
    child: Child,
}

impl<'a> Node<'a> {
    pub(super) fn start(place: &'a Place) -> anyhow::Result<Self> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.log())?;
        let mut command = Command::new(&place.program);
        command
            .arg("run")
            .arg(place.bundle())
            .arg("--data-dir")
            .arg(place.dir.join("data"))
            .args(["--port", &place.port.to_string()])
            // No settings but these: neither a `hermod.toml` of the caller's directory nor his environment.
            .current_dir(&place.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let ours = |name: &str| name.starts_with("HERMOD_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
            command.env_remove(name);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `{}`", place.program.display()))?;
        Ok(Self { place, child })
    }

    pub(super) fn port(&self) -> u16 {
        self.place.port
    }

    pub(super) fn failure(&self, what: &str) -> String {
        self.place.failure(what)
    }

    /// Fails if the node has ended by itself.
    pub(super) fn ensure_running(&self) -> anyhow::Result<()> {
        // A child that has ended stays in state Z until it is waited for, which only `kill` and `end` do.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let state = stat
            .ok()
            .and_then(|text| text.rsplit_once(") ")?.1.chars().next());
        ensure!(
            !matches!(state, None | Some('Z' | 'X')),
            self.failure("the node ended by itself")
        );
        Ok(())
    }

    /// Kills the node with SIGKILL and waits until it is gone, with its locks and its port.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the node")?;
        let status = self.child.wait()?;
        ensure!(
            std::os::unix::process::ExitStatusExt::signal(&status) == Some(9),
            self.failure(&format!(
                "the node ended by itself before it was killed ({status})"
            ))
        );
        Ok(())
    }

    /// Asks the node to end and waits until it has, with exit code 0.
    pub(super) fn terminate(mut self, within: Duration) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has no id")?, Signal::TERM)?;
        let status = self.end(within)?;
        ensure!(
            status.success(),
            self.failure(&format!("the node ended with {status}"))
        );
        Ok(())
    }

    fn end(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            let waited = started.elapsed();
            ensure!(
                waited < within,
                self.failure("the node does not end after SIGTERM")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        // After `kill` and `terminate` both do nothing; they fail only when there is nothing to end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
