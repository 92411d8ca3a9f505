//! `hermod prove`: kills a node while it works, and shows that nothing it acknowledged is lost.

use std::path::PathBuf;

use clap::Args;
use hermod_api::Code;
use hermod_chaos::prove::{self, Options};

use crate::{
    failure::{Exit, Failure},
    output,
};

const AFTER_HELP: &str = "\
A node of its own (webhook to file, level `durable`) is started, killed with SIGKILL at a random moment and started again,
while messages are pushed to it. Then it drains, and the sink's file is compared with what was acknowledged. The report is
JSON on standard output.

Exit code: 0 if nothing acknowledged is lost, altered or out of order per key; 1 otherwise, and if there is no verdict.

Examples:
  hermod prove
  hermod prove --cycles 1000
  hermod prove --seed 42 --data-dir kept";

/// Kill a node while it works, and prove that nothing it acknowledged is lost
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// How often the node is killed
    #[arg(long, value_name = "N", default_value_t = 20)]
    cycles: u32,
    /// Seed of the moments at which it is killed [default: a random one, which the report names]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Connections that push at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Keys over which the messages are spread
    #[arg(long, value_name = "N", default_value_t = 16)]
    keys: usize,
    /// Directory of the run, empty or missing; it is kept [default: a temporary one, kept if the proof fails]
    #[arg(long = "data-dir", id = "prove_dir", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port of the node [default: a free one]
    #[arg(long = "port", id = "prove_port", value_name = "PORT")]
    port: Option<u16>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let no_verdict = |error: anyhow::Error| Failure::new(Code::NoVerdict, format!("{error:#}"));
    let program = std::env::current_exe().map_err(|error| no_verdict(error.into()))?;
    let options = Options {
        command: command(std::env::args().skip(1)),
        cycles: arguments.cycles,
        seed: arguments.seed,
        connections: arguments.connections,
        keys: arguments.keys,
        dir: arguments.dir.clone(),
        port: arguments.port,
        ..Options::new(program)
    };
    let report = prove::run(&options).map_err(no_verdict)?;
    output::json(&report);
    Ok(if report.holds() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The call as it can be repeated, without the place of the program.
fn command(arguments: impl Iterator<Item = String>) -> String {
    std::iter::once("hermod".to_owned())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
