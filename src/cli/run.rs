//! `hermod run FILE`: one workflow to its end.

use std::path::PathBuf;

use clap::Args;
use hermod_api::Code;
use hermod_engine::WorkflowPlan;

use crate::{
    bundle::{self, Severity},
    config::Config,
    failure::{Detail, Exit, Failure},
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
    let mut plans = plans(std::slice::from_ref(&arguments.file))?;
    for plan in &mut plans {
        // Who names a workflow on the command line wants it to run, whatever the document says.
        plan.active = true;
    }
    node::serve(config, plans, Until::Ended)
}

/// Reads and checks documents; warnings are logged, errors are all in the failure.
pub(super) fn plans(files: &[PathBuf]) -> Result<Vec<WorkflowPlan>, Failure> {
    let checks = bundle::check_files(files);
    if !checks.passed() {
        let errors = checks
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error);
        let errors = errors.map(Detail::from).collect();
        return Err(Failure::new(Code::Document, Code::Document.title()).with_details(errors));
    }
    for finding in &checks.findings {
        tracing::warn!(
            file = %finding.file.display(), line = finding.line, pointer = finding.pointer,
            "{}", finding.message
        );
    }
    Ok(checks
        .valid
        .into_iter()
        .map(|(_, checked)| checked.plan)
        .collect())
}
