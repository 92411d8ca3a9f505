//! `hermod run FILE`: one workflow to its end.

use std::path::PathBuf;

use clap::Args;

use crate::{
    bundle,
    config::Config,
    failure::{Exit, Failure},
    node::{self, Until},
};

const AFTER_HELP: &str = "\
Examples:
  hermod run copy.yaml                       until its source ends, then exit 0
  hermod run orders.yaml --port 9000         until Ctrl-C or SIGTERM
  hermod run orders.yaml --data-dir /var/lib/hermod --log-format json";

/// Run one workflow until its source ends or it is told to stop
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Workflow document (*.json, *.yaml, *.yml)
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let documents = bundle::checked(std::slice::from_ref(&arguments.file))?;
    let mut plans: Vec<_> = documents
        .into_iter()
        .map(|(_, valid)| valid.checked.plan)
        .collect();
    for plan in &mut plans {
        // Who names a workflow on the command line wants it to run, whatever the document says.
        plan.active = true;
    }
    node::serve(config, plans, Until::Ended)
}
