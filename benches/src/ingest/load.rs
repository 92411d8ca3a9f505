//! The load: `wrk`, and what it says.

use std::{fs, process::Command};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::Subject;

/// Sends bodies of 1 KiB with an id of their own each. The ids of two runs differ by their first part, `PREFIX`.
const SCRIPT: &str = r#"
local method, path, prefix
local n = 0
local fill = string.rep("0123456789abcdef", 64)
function init(args)
  method, path, prefix = args[1], args[2], args[3]
end
function request()
  n = n + 1
  local head = '{"id":"' .. prefix .. "-" .. n .. '","fill":"'
  local body = head .. string.sub(fill, 1, 1022 - #head) .. '"}'
  return wrk.format(method, path, {["Content-Type"] = "application/json"}, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\nRESULT %d %d %d %d\n", summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout))
end
"#;

/// How load is put on a subject.
pub(super) struct Load {
    dir: TempDir,
    seconds: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// Requests that were answered 200, the warm-up's included.
    pub(super) acknowledged: u64,
    /// Such requests per second, without the warm-up.
    pub(super) rate: f64,
}

struct Counted {
    acknowledged: u64,
    rate: f64,
}

impl Load {
    pub(super) fn new(dir: TempDir, seconds: u64) -> anyhow::Result<Self> {
        fs::write(dir.path().join("load.lua"), SCRIPT)?;
        Ok(Self { dir, seconds })
    }

    /// Warms the subject up for a second and measures it.
    pub(super) fn run(&self, subject: &Subject) -> anyhow::Result<Measured> {
        let warm_up = self.wrk(subject, 1, "warm")?;
        let Counted { acknowledged, rate } = self.wrk(subject, self.seconds, "main")?;
        Ok(Measured {
            acknowledged: warm_up.acknowledged + acknowledged,
            rate,
        })
    }

    fn wrk(&self, subject: &Subject, seconds: u64, prefix: &str) -> anyhow::Result<Counted> {
        let output = Command::new("wrk")
            .args(["-t1", "-c64", &format!("-d{seconds}s"), "-s"])
            .arg(self.dir.path().join("load.lua"))
            .arg(format!("http://127.0.0.1:{}/", subject.port()))
            .args(["--", subject.method, subject.path, prefix])
            .output()
            .context("cannot run `wrk`; on Debian: apt-get install wrk")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "wrk: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        count(&text).with_context(|| format!("what wrk says of `{}`: {text}", subject.name))
    }
}

/// Reads the line that the script writes.
fn count(text: &str) -> anyhow::Result<Counted> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "))
        .context("no result")?;
    let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
    let [requests, micros, refused, broken] = numbers?[..] else {
        bail!("`{line}` has not four numbers");
    };
    ensure!(broken == 0, "{broken} requests failed");
    // wrk counts an answer of another status as a request too.
    let acknowledged = requests - refused;
    ensure!(
        acknowledged > 0,
        "none of {requests} requests was answered 200"
    );
    ensure!(
        refused == 0,
        "{refused} of {requests} requests were refused"
    );
    Ok(Counted {
        acknowledged,
        rate: acknowledged as f64 / (micros as f64 / 1e6),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_and_refusals_are_errors() {
        let counted = count("Running 2s test\n\nRESULT 5000 2000000 0 0\n").unwrap();
        assert_eq!((counted.acknowledged, counted.rate), (5000, 2500.0));
        assert!(count("RESULT 5000 2000000 1 0\n").is_err());
        assert!(count("RESULT 5000 2000000 0 1\n").is_err());
        assert!(count("RESULT 5000 2000000 0\n").is_err());
        assert!(count("Running 2s test\n").is_err());
    }
}
