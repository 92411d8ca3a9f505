//! Benches whose results machines can read.
//!
//! `hermod-benches wal|engine|ingest|postgres|metadata|all` measures Hermod beside a reference, the two interleaved in the same
//! run, prints a table, and writes `target/bench/NAME.json`. On a shared machine the ratio is what counts.
//!
//! `QUICK=1` makes each bench take less than 45 s: good for a check, not for quoting. `ONLY=WORKLOAD` measures one
//! workload and writes nothing: good for a profiler.

mod case;
mod engine;
mod ingest;
mod metadata;
mod pace;
mod postgres;
mod program;
mod raw;
mod records;
mod report;
mod server;
mod steady;
mod wal;

use std::process::ExitCode;

use anyhow::bail;

use crate::{pace::Pace, report::Report};

type Bench = fn(&Pace, &mut Report) -> anyhow::Result<()>;

/// All benches, in the order in which `all` runs them.
const BENCHES: [(&str, Bench); 5] = [
    ("wal", wal::run),
    ("engine", engine::run),
    ("ingest", ingest::run),
    ("postgres", postgres::run),
    ("metadata", metadata::run),
];

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(names: &[String]) -> anyhow::Result<()> {
    let known = || BENCHES.map(|(name, _)| name).join("|");
    let chosen = |name: &str| names.iter().any(|wanted| wanted == name || wanted == "all");
    if names.is_empty() {
        bail!("which bench? {}|all", known());
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| *name != "all" && BENCHES.iter().all(|(known, _)| known != name))
    {
        bail!("there is no bench `{unknown}`, only {}|all", known());
    }
    let pace = Pace::from_environment();
    for (name, bench) in BENCHES.into_iter().filter(|(name, _)| chosen(name)) {
        let mut report = Report::begin(name, &pace)?;
        bench(&pace, &mut report)?;
        report.finish()?;
    }
    Ok(())
}
