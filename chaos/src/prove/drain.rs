//! The sink's file, and the wait until all that was acknowledged is in it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{check::Checker, node::Node};
use crate::http;

/// How long the sink's file stays as it is, while messages are missing, before the node is asked what it holds.
const QUIET: Duration = Duration::from_secs(5);

/// How long the drain may take although it goes on.
const WITHIN: Duration = Duration::from_mins(10);

/// The sink's file, read from its beginning to its growing end.
pub(super) struct Delivered {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    bytes: u64,
}

impl Delivered {
    pub(super) fn open(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            rest: Vec::new(),
            bytes: 0,
        }
    }

    /// Gives the checker the whole lines that have come since; returns whether there were new bytes.
    pub(super) fn read(&mut self, checker: &mut Checker) -> anyhow::Result<bool> {
        let place = || format!("cannot read `{}`", self.path.display());
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                // The sink makes it with its first message.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error).with_context(place),
            }
        }
        let Some(file) = &mut self.file else {
            return Ok(false);
        };
        let before = self.bytes;
        let mut chunk = vec![0; 1 << 20];
        loop {
            let n = file
                .read(&mut chunk)
                .with_context(|| "cannot read the sink's file")?;
            if n == 0 {
                return Ok(self.bytes > before);
            }
            self.bytes += n as u64;
            let mut lines = chunk[..n].split(|byte| *byte == b'\n').peekable();
            while let Some(part) = lines.next() {
                self.rest.extend_from_slice(part);
                if lines.peek().is_some() {
                    checker.line(&self.rest);
                    self.rest.clear();
                }
            }
        }
    }

    /// Returns whether the last line has no end.
    pub(super) fn ends_torn(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// Waits until all acknowledged messages are in the file, or none of the missing ones can come any more.
///
/// # Errors
/// If the node still holds messages when it should not: then nothing can be said about them.
pub(super) fn wait(
    node: &Node<'_>,
    delivered: &mut Delivered,
    checker: &mut Checker,
    stuck_after: Duration,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut quiet_since = Instant::now();
    loop {
        if delivered.read(checker)? {
            quiet_since = Instant::now();
        }
        if checker.missing() == 0 {
            return Ok(());
        }
        node.ensure_running()?;
        let is_late = started.elapsed() > WITHIN;
        if is_late || quiet_since.elapsed() > QUIET {
            let held = held(node.port()).context("the node's backlog cannot be asked for")?;
            if held == 0 {
                // It says itself that it has nothing left to deliver: what is missing is lost.
                return Ok(());
            }
            ensure!(
                !is_late && quiet_since.elapsed() < stuck_after,
                node.failure(&format!(
                    "the node does not deliver: {} acknowledged messages are missing, it holds {held}",
                    checker.missing()
                ))
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks the node how many messages it has not delivered.
fn held(port: u16) -> anyhow::Result<u64> {
    let answer = http::get(port, "/metrics")?;
    ensure!(answer.status == 200, "`/metrics` answers {}", answer.status);
    backlog(&String::from_utf8_lossy(&answer.body))
        .context("`/metrics` does not tell the backlog of the workflow")
}

/// Reads the backlog out of Prometheus' text format.
fn backlog(text: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with("hermod_engine_buffered_messages{"));
    lines.find_map(|line| line.rsplit_once(' ')?.1.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::prove::{
        check::Sent,
        message::{Messages, Name},
    };

    #[test]
    fn lines_that_come_in_pieces_are_read_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("delivered.ndjson");
        let messages = Messages::new(5);
        let mut checker = Checker::new(
            messages,
            &[Sent {
                sent: 3,
                acknowledged: 3,
            }],
        );
        let mut delivered = Delivered::open(path.clone());
        assert!(
            !delivered.read(&mut checker).unwrap(),
            "there is no file yet"
        );
        let text: String = (1..=3)
            .map(|n| messages.text(Name { key: 0, n }) + "\n")
            .collect();
        let mut file = File::create(&path).unwrap();
        for (at, byte) in text.bytes().enumerate() {
            file.write_all(&[byte]).unwrap();
            assert!(delivered.read(&mut checker).unwrap(), "{at}");
        }
        assert!(!delivered.read(&mut checker).unwrap());
        assert!(!delivered.ends_torn());
        file.write_all(b"{\"key\":0,").unwrap();
        assert!(delivered.read(&mut checker).unwrap());
        assert!(delivered.ends_torn());
        let verdict = checker.verdict();
        assert_eq!(
            (verdict.delivered, verdict.lost, verdict.altered),
            (3, 0, 0)
        );
    }

    #[test]
    fn the_backlog_is_read_from_the_metrics() {
        let text = "# TYPE hermod_engine_buffered_messages gauge\n\
                    hermod_engine_buffered_messages{workflow_id=\"prove\"} 12\n";
        assert_eq!(backlog(text), Some(12));
        assert_eq!(backlog("hermod_other 1\n"), None);
    }
}
