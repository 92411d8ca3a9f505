//! `hermod-chaos`: three nodes, a nemesis, and a verdict. See `hermod_chaos::cluster`.

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use hermod_chaos::cluster::{self, Nemesis, Options};

/// Starts three nodes behind a balancer, does them harm under load, and checks what they promised
#[derive(Parser)]
#[command(after_help = "\
Needs HAProxy and PostgreSQL (Debian: haproxy, postgresql); partitions also need root, `ip` and `nft` (iproute2, nftables).
The verdict is one line of JSON on standard output.

Exit code: 0 if every promise was kept; 1 otherwise, and if there is no verdict.")]
struct Arguments {
    /// What is done to the nodes
    #[arg(long, value_enum, default_value = "kill")]
    nemesis: Nemesis,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seed of all choices [default: a random one, which the report names]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// How long a lease lasts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(8..))]
    lease_ttl: u64,
    /// Directory of the run, empty or missing; it is kept [default: a temporary one, kept if a promise is broken]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The node's program
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        program: arguments.program,
        nemesis: arguments.nemesis,
        rounds: arguments.rounds,
        seed: arguments.seed,
        lease_ttl: Duration::from_secs(arguments.lease_ttl),
        dir: arguments.dir,
    };
    let told = cluster::run(&options).and_then(|report| {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?;
        Ok(report.holds())
    });
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hermod-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}
