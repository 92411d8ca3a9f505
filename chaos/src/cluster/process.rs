//! Child processes that end with this one's work.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};

/// A server that was started here. Dropped, it is killed.
pub(super) struct Server(Child);

impl Server {
    /// Starts a program whose output goes to the end of a file.
    pub(super) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        for (name, _) in std::env::vars_os() {
            // No settings but those of the command.
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("HERMOD_"))
            {
                command.env_remove(name);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Returns how it ended, if it has.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("a child has no id")?, signal)?;
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone, with its locks and its ports.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` both do nothing.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs a program to its end; returns what it printed.
pub(super) fn run(command: &mut Command, input: &str) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing closes it.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "`{name}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
