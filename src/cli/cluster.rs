//! `hermod cluster`: the members of the group, asked of the node that runs on a data directory.

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
Examples:
  hermod cluster status --data-dir /var/lib/hermod
  hermod cluster remove node-2           before a lost disk joins anew under the same name
  hermod cluster transfer-leader node-3  before this node is stopped";

/// Show and change the members of the cluster, on a running node
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the members
    Status {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Take a member out; stop it first
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Hand leadership to another member
    TransferLeader {
        /// Its name; the one that lags least without
        #[arg(value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let (request, output) = match &arguments.action {
        Action::Status { output } => (Request::Cluster, output),
        Action::Remove { name, output } => (Request::RemoveNode { name: name.clone() }, output),
        Action::TransferLeader { to, output } => {
            (Request::TransferLeader { to: to.clone() }, output)
        }
    };
    let answer = control::ask_node(&config.data_dir, &request)?;
    match output.output {
        Form::Json => output::json(&answer),
        Form::Table => print(&answer),
    }
    Ok(Exit::Done)
}

fn print(answer: &Value) {
    let members = answer["members"].as_array().cloned().unwrap_or_default();
    let rows: Vec<_> = members
        .iter()
        .map(|member| {
            let role = match (&member["leader"], &member["voter"]) {
                (Value::Bool(true), _) => "leader",
                (_, Value::Bool(true)) => "follower",
                _ => "learner",
            };
            let heard = member["silent_ms"].as_u64();
            [
                text(&member["name"]),
                text(&member["id"]),
                text(&member["address"]),
                role.to_owned(),
                heard.map_or_else(|| "never".to_owned(), |silent| format!("{silent} ms ago")),
            ]
        })
        .collect();
    output::table(["NAME", "ID", "ADDRESS", "ROLE", "HEARD"], &rows);
    output::line(format!(
        "cluster {}, term {}, applied {}, as node `{}` sees it",
        text(&answer["cluster"]),
        answer["term"],
        answer["applied"],
        text(&answer["node"]),
    ));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
