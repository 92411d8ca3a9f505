//! `hermod config`: every key, its value, and where that comes from.

use clap::Args;
use hermod_api::Code;
use serde_json::{Map, Value, json};

use super::OutputArguments;
use crate::{
    config::{Config, Settings},
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
A flag wins over the environment, that over the file, that over the default.

Examples:
  hermod config
  HERMOD_PORT=9000 hermod config --output json";

/// Show every configuration key, its value and where it comes from
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    match arguments.output.output {
        Form::Json => print_json(settings),
        Form::Table => print_table(settings),
    }
    match Config::new(settings) {
        Ok(_) => Ok(Exit::Done),
        Err(faults) => {
            let failure = Failure::new(Code::Configuration, Code::Configuration.title());
            Err(failure.with_details(faults.found))
        }
    }
}

fn print_table(settings: &Settings) {
    let rows: Vec<_> = settings
        .settings
        .iter()
        .map(|setting| {
            let key = setting.key;
            let shown = setting.shown().to_owned();
            [
                key.name.to_owned(),
                shown,
                setting.origin.to_string(),
                key.summary.to_owned(),
            ]
        })
        .collect();
    output::table(["KEY", "VALUE", "FROM", "WHAT"], &rows);
    for name in &settings.unknown_variables {
        output::line(format!("\n{name} is set, but is not a configuration key"));
    }
}

fn print_json(settings: &Settings) {
    let keys: Map<String, Value> = settings
        .settings
        .iter()
        .map(|setting| {
            let key = setting.key;
            let entry = json!({
                "value": setting.shown(),
                "origin": setting.origin,
                "default": key.default,
                "flag": format!("--{}", key.flag()),
                "variable": key.variable(),
                "summary": key.summary,
            });
            (key.name.to_owned(), entry)
        })
        .collect();
    output::json(&json!({"keys": keys, "unknown_variables": settings.unknown_variables}));
}
