//! Runs the built binary.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up; nothing is measured against it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `probe` returns something.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command in a directory of its own, with nothing of ours in the environment.
pub(crate) fn hermod(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hermod"));
    command.current_dir(directory).stdin(Stdio::null());
    // Whoever runs the tests may be logged in to somewhere.
    command.env("XDG_CONFIG_HOME", directory.join("config"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HERMOD_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Output {
    hermod(directory).args(arguments).output().unwrap()
}

/// Runs a command that must succeed, and reads its output as JSON.
pub(crate) fn run_json(directory: &Path, arguments: &[&str]) -> Value {
    let output = run(directory, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A node that runs in the background, and is killed when the test ends.
pub(crate) struct Node {
    child: Child,
    errors: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Node {
    /// Runs one document of `directory` and waits until it is ready.
    pub(crate) fn run(directory: &Path, document: &str) -> Self {
        Self::start(directory, &["run", document])
    }

    /// Starts with these arguments and waits until it is ready.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = hermod(directory);
        command
            .args(arguments)
            .args(["--port", "0", "--log-format", "json"]);
        // Each start has a file of its own, so that what an earlier one said is not taken for its word.
        let errors = (0..10_000)
            .map(|n| directory.join(format!("stderr-{n}")))
            .find(|p| !p.exists())
            .unwrap();
        command
            .stdout(Stdio::null())
            .stderr(File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let address = wait_for("a node that is ready", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!(
                    "node ended with {status}: {}",
                    fs::read_to_string(&errors).unwrap()
                );
            }
            let ready = logged(&errors, "ready")?;
            Some(ready["address"].as_str().unwrap().parse().unwrap())
        });
        Self {
            child,
            errors,
            address,
        }
    }

    /// Waits until the log has a line with this message, and returns it.
    pub(crate) fn wait_for_log(&self, message: &str) -> Value {
        wait_for(message, || logged(&self.errors, message))
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("a node to end", || self.child.try_wait().unwrap())
    }

    /// Asks it to end, and checks that it does so in order.
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.errors());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn logged(file: &Path, message: &str) -> Option<Value> {
    let log = fs::read_to_string(file).unwrap();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|line| line["message"] == message)
}
