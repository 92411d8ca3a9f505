//! `hermod backlog`: buffers that wait on this node's disk, asked of the node that runs on a data directory.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::OutputArguments;
use crate::{
    config::Config,
    control::{self, Request},
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
A buffer of level `durable` that another node has overtaken is set aside and drained by itself, unless an administrator
has declared it lost. Then it stays until one of these is done here.

Examples:
  hermod backlog list --data-dir /var/lib/hermod
  hermod backlog release buf/orders/1f…-17…    drain it after all
  hermod backlog discard buf/orders/1f…-17…    drop it, and what waits in it";

/// Show, release and drop what waits on this node's disk
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List them
    List {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Let one that was declared lost be drained after all
    Release(Chosen),
    /// Drop one that was set aside, for good
    Discard(Chosen),
}

#[derive(Args)]
struct Chosen {
    /// Name of its stream
    #[arg(value_name = "STREAM")]
    stream: String,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let (request, output, done) = match &arguments.action {
        Action::List { output } => (Request::Backlogs, output, None),
        Action::Release(chosen) => {
            let stream = chosen.stream.clone();
            (
                Request::ReleaseBacklog { stream },
                &chosen.output,
                Some("released"),
            )
        }
        Action::Discard(chosen) => {
            let stream = chosen.stream.clone();
            (
                Request::DiscardBacklog { stream },
                &chosen.output,
                Some("dropped"),
            )
        }
    };
    let answer = control::ask_node(&config.data_dir, &request)?;
    match (output.output, done) {
        (Form::Json, _) => output::json(&answer),
        (Form::Table, None) => print(&answer),
        (Form::Table, Some(done)) => {
            let stream = answer["stream"].as_str().unwrap_or_default();
            output::line(format!(
                "`{stream}` with {} messages is {done}",
                answer["messages"]
            ));
        }
    }
    Ok(Exit::Done)
}

fn print(answer: &Value) {
    let backlogs = answer.as_array().cloned().unwrap_or_default();
    if backlogs.is_empty() {
        output::line("nothing waits on this node's disk");
        return;
    }
    let rows: Vec<_> = backlogs
        .iter()
        .map(|backlog| {
            let state = match (&backlog["barred"], &backlog["set_aside"]) {
                (Value::Bool(true), _) => "declared lost",
                (_, Value::Bool(true)) => "set aside",
                _ => "in use",
            };
            [
                text(&backlog["workflow"]),
                text(&backlog["stream"]),
                backlog["messages"].to_string(),
                state.to_owned(),
            ]
        })
        .collect();
    output::table(["WORKFLOW", "STREAM", "MESSAGES", "STATE"], &rows);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
