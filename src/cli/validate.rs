//! `hermod validate FILE…`: everything that is wrong, at once.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::OutputArguments;
use crate::{
    bundle::{self, Checks, Severity},
    failure::Exit,
    output::{self, Form},
};

const AFTER_HELP: &str = "\
Each line is FILE:LINE: POINTER: MESSAGE. Nothing is opened and no secret is read.
Exit code: 0 if all documents are valid (warnings included), 2 otherwise.

Examples:
  hermod validate workflows/*.yaml
  hermod validate orders.json --output json";

/// Check workflow documents and report every error at once
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Workflow documents (*.json, *.yaml, *.yml)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let checks = bundle::check_files(&arguments.files);
    match arguments.output.output {
        Form::Json => print_json(&checks),
        Form::Table => print_lines(&checks),
    }
    if checks.passed() {
        Exit::Done
    } else {
        Exit::Unusable
    }
}

fn print_lines(checks: &Checks) {
    for finding in &checks.findings {
        output::line(finding.to_string());
    }
    for (file, valid) in &checks.valid {
        let plan = &valid.checked.plan;
        let sinks: Vec<_> = plan
            .sinks
            .iter()
            .map(|sink| format!("`{}`", sink.id))
            .collect();
        output::line(format!(
            "{}: workflow `{}` is valid: {} `{}` to {}",
            file.display(),
            plan.id,
            plan.source.kind,
            plan.source.id,
            sinks.join(", "),
        ));
    }
}

fn print_json(checks: &Checks) {
    let of = |severity| {
        checks
            .findings
            .iter()
            .filter(move |f| f.severity == severity)
            .collect::<Vec<_>>()
    };
    let valid: Vec<_> = checks
        .valid
        .iter()
        .map(|(file, valid)| json!({"file": file, "workflow": &*valid.checked.plan.id}))
        .collect();
    output::json(&json!({
        "valid": checks.passed(),
        "errors": of(Severity::Error),
        "warnings": of(Severity::Warning),
        "workflows": valid,
    }));
}
