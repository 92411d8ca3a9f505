//! `hermod apply`: makes a server have what files say.

mod object;
mod plan;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::ClientArguments;
use crate::{
    failure::{Exit, Failure},
    output,
};
use object::{Fate, Outcome};
use plan::Plan;

const AFTER_HELP: &str = "\
FILE is a bundle `{workflow, sources, sinks}` (*.json, *.yaml, *.yml, `-` for standard input), DIR a directory of them. What is
there already is changed only where it differs, and never over somebody's change that was made meanwhile. Everything is
read and checked before anything is changed; sources and sinks come first. Nothing is removed, stopped, or started
without `--start`: `active` of a file is not looked at.

A secret that stands in a file cannot be compared with the one that is kept, so it is written each time; `--keep-secrets`
leaves those that are set as they are. References such as `${env:NAME}` can be compared.

Examples:
  hermod apply -f orders.yaml
  hermod apply -f workflows --dry-run
  hermod apply -f workflows --start --output json";

/// Make a server have the workflows, sources and sinks of files
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Bundles, or directories of them
    #[arg(short, long = "file", value_name = "FILE|DIR", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Let the workflows run
    #[arg(long)]
    start: bool,
    /// Leave secrets that are set as they are, even if a file holds others
    #[arg(long)]
    keep_secrets: bool,
    /// Why, for the list of versions
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.client.client()?;
    let documents = plan::read(&arguments.files)?;
    let plan = Plan::new(&documents)?;
    plan.check(&client)?;
    let mut outcomes = Vec::new();
    let mut failed = None;
    for object in plan.objects() {
        match object.apply(&client, arguments) {
            Ok(outcome) => outcomes.push(outcome),
            // What was done before is told all the same.
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    print(arguments, &outcomes);
    match failed {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

fn print(arguments: &Arguments, outcomes: &[Outcome]) {
    let objects: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
    let answer = json!({"dry_run": arguments.dry_run, "objects": objects});
    arguments.client.print(&answer, |_| {
        for outcome in outcomes {
            print_outcome(outcome, arguments.dry_run);
        }
        print_tally(outcomes, arguments.dry_run);
    });
}

fn print_outcome(outcome: &Outcome, dry_run: bool) {
    let mut line = format!(
        "{} `{}`: {}",
        outcome.kind,
        outcome.id,
        outcome.fate.word(dry_run)
    );
    if outcome.started {
        line += if dry_run {
            ", would be started"
        } else {
            ", started"
        };
    }
    output::line(line);
    if dry_run {
        for change in &outcome.changes {
            output::line(format!("  {change}"));
        }
    }
}

fn print_tally(outcomes: &[Outcome], dry_run: bool) {
    let count = |fate| outcomes.iter().filter(|one| one.fate == fate).count();
    let parts = Fate::ALL.map(|fate| format!("{} {}", count(fate), fate.word(dry_run)));
    output::line(parts.join(", "));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
