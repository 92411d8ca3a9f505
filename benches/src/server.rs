//! A server of the bench's own: a child process, gone when its value is dropped.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to listen, and to end.
const WITHIN: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct Server {
    name: &'static str,
    pub(crate) port: u16,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program that listens on `port` and waits until it does; its output goes to `NAME.log` in `dir`.
    pub(crate) fn start(
        name: &'static str,
        command: Command,
        dir: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        let mut server = Self::spawn(name, command, dir, port)?;
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// Starts a program as [`start`](Self::start) does, and waits for nothing.
    pub(crate) fn spawn(
        name: &'static str,
        mut command: Command,
        dir: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        Ok(Self {
            name,
            port,
            child,
            log,
        })
    }

    /// Waits until it listens on its port.
    pub(crate) fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).is_err() {
            let (name, port) = (self.name, self.port);
            if let Some(status) = self.child.try_wait()? {
                let said = std::fs::read_to_string(&self.log);
                bail!("`{name}` ended with {status}: {}", said.unwrap_or_default());
            }
            ensure!(
                started.elapsed() < WITHIN,
                "`{name}` does not listen on port {port}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends the server with SIGTERM.
    pub(crate) fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a child has no id")?, Signal::TERM)?;
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(started.elapsed() < WITHIN, "`{}` does not end", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An orderly end first: nginx has a child of its own, which SIGKILL would leave behind.
        if self.terminate().is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
