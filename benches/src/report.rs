//! What a bench says: a table for people, a file for machines.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use hermod_chaos::Machine;
use tempfile::TempDir;

use crate::{
    case::{Case, Row},
    pace::Pace,
};

/// The result of one bench, in the making.
pub(crate) struct Report {
    name: &'static str,
    dir: PathBuf,
    rows: Vec<Row>,
    whole: bool,
}

impl Report {
    /// Says what is measured on what, and begins.
    pub(crate) fn begin(name: &'static str, pace: &Pace) -> anyhow::Result<Self> {
        let dir = directory();
        fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        let report = Self {
            name,
            dir,
            rows: Vec::new(),
            whole: pace.only.is_none(),
        };
        let quick = if pace.quick { "QUICK=1 " } else { "" };
        say(&format!(
            "bench {name}: {}\ncommand: {quick}cargo run --release -p hermod-benches -- {name}\n\
             medians of {} interleaved repetitions, fresh directories{}",
            Machine::of(&report.dir),
            pace.runs,
            if pace.quick {
                "; a quick run is a check, not for quoting"
            } else {
                ""
            },
        ))?;
        say(&line([
            "workload", "subject", "value", "min", "max", "unit", "ratio to",
        ]))?;
        Ok(report)
    }

    /// Makes a fresh directory on the disk that the results are for, not on a file system in memory.
    pub(crate) fn fresh_dir(&self) -> anyhow::Result<TempDir> {
        let made = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&self.dir);
        made.context("cannot make a directory for the run")
    }

    /// Takes a workload's rows and shows them.
    pub(crate) fn add(&mut self, case: &Case) -> anyhow::Result<()> {
        for row in case.rows() {
            let Row {
                workload,
                subject,
                reference,
                unit,
                value,
                min,
                max,
                ratio,
                ..
            } = &row;
            say(&line([
                workload,
                subject,
                &grouped(*value),
                &grouped(*min),
                &grouped(*max),
                unit,
                &format!("{ratio:.2} {reference}"),
            ]))?;
            self.rows.push(row);
        }
        Ok(())
    }

    /// Writes the file, unless only a part was measured.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if !self.whole {
            return Ok(());
        }
        let path = self.dir.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(&self.rows)?;
        fs::write(&path, text + "\n")
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        say(&format!("written: target/bench/{}.json\n", self.name))
    }
}

/// Prints a line that does not go into the file.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// `target/bench` of the workspace, wherever Cargo builds to: that is where its readers look.
fn directory() -> PathBuf {
    // Cargo sets it to this package's directory for what it runs.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let workspace = package.as_deref().and_then(std::path::Path::parent);
    workspace
        .map_or_else(PathBuf::new, PathBuf::from)
        .join("target")
        .join("bench")
}

fn line([workload, subject, value, min, max, unit, ratio]: [&str; 7]) -> String {
    format!("{workload:<10} {subject:<14} {value:>12} {min:>12} {max:>12}  {unit:<11} {ratio}")
}

/// A number with its thousands parted.
fn grouped(value: f64) -> String {
    if value.abs() < 1000.0 {
        return format!("{value}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(123_456.0), "123,456");
        assert_eq!(grouped(-1234.0), "-1,234");
        assert_eq!(grouped(12.5), "12.5");
    }
}
