//! `hermod workflow`: workflows on a server.

mod change;
mod status;

pub(super) use change::{ask as validate, base};

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ClientArguments;
use crate::{
    failure::{Exit, Failure},
    output::{self, cell},
};

const AFTER_HELP: &str = "\
FILE is a workflow, or a bundle with its sources and sinks (*.json, *.yaml, *.yml, `-` for standard input). A document as
`show --output json` prints it names the version that it was read at: `update` is refused if somebody has changed it since.

Examples:
  hermod workflow list
  hermod workflow create -f orders.yaml --start
  hermod workflow status orders --watch
  hermod workflow show orders > orders.json; vi orders.json; hermod workflow update -f orders.json --message 'more retries'
  hermod workflow versions orders; hermod workflow rollback orders 3
  hermod workflow export orders > bundle.json";

/// Look at, make, change, start and stop workflows on a server
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List workflows
    List {
        /// Only those whose id or name holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show a workflow's document, or an old version of it
    Show {
        #[command(flatten)]
        named: Named,
        /// Number of the version
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
    /// Make a workflow; a bundle's sources and sinks are made with it, all or nothing
    Create(change::Create),
    /// Save a workflow as its next version
    Update(change::Update),
    /// Remove a workflow that is stopped
    Delete {
        #[command(flatten)]
        named: Named,
        /// Give up messages and dead letters that it still holds
        #[arg(long)]
        discard: bool,
    },
    /// Let a workflow run
    Start(Named),
    /// Stop a workflow; what was taken is delivered
    Stop(Named),
    /// Show how a workflow is, or all of them
    Status {
        /// Its id; all without one
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// Go on and show what changes, until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// Check a workflow as it is saved, or a file with the server's connectors, sources and sinks
    Validate(change::Validate),
    /// List the versions that are kept, newest first
    Versions(Named),
    /// Save an old version as the next one
    Rollback {
        #[command(flatten)]
        named: Named,
        /// Number of the version
        #[arg(value_name = "VERSION")]
        version: u64,
    },
    /// Print a workflow with its sources and sinks as a bundle, secrets left out
    Export(Named),
}

#[derive(Args)]
struct Named {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,
}

/// File with a document.
#[derive(Args)]
struct FileArgument {
    /// The document (*.json, *.yaml, *.yml, `-` for standard input)
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (ours, client) = (&arguments.client, arguments.client.client()?);
    match &arguments.action {
        Action::List { search } => {
            let found = client.all("workflows", search.as_deref())?;
            ours.print(&json!({"data": found}), print_list);
        }
        Action::Show {
            named,
            version: None,
        } => output::json(&client.get(&["workflows", &named.id])?.body),
        Action::Show {
            named,
            version: Some(version),
        } => {
            let path = ["workflows", &named.id, "versions", &version.to_string()];
            output::json(&client.get(&path)?.body);
        }
        Action::Create(create) => create.run(ours, &client)?,
        Action::Update(update) => update.run(ours, &client)?,
        Action::Delete { named, discard } => {
            client.remove(&["workflows", &named.id], *discard)?;
            let answer = json!({"id": named.id, "deleted": true});
            ours.print(&answer, |_| {
                output::line(format!("workflow `{}` is removed", named.id));
            });
        }
        Action::Start(named) => {
            let answer = client.post(&["workflows", &named.id, "start"])?;
            ours.print(&answer.body, |_| {
                output::line(format!("workflow `{}` is to run", named.id));
            });
        }
        Action::Stop(named) => {
            let answer = client.post(&["workflows", &named.id, "stop"])?;
            ours.print(&answer.body, |_| {
                output::line(format!("workflow `{}` is to stop", named.id));
            });
        }
        Action::Status { id, watch: false } => status::show(ours, &client, id.as_deref())?,
        Action::Status { id, watch: true } => status::watch(ours, &client, id.as_deref())?,
        Action::Validate(validate) => return validate.run(ours, &client),
        Action::Versions(named) => {
            let answer = client.get(&["workflows", &named.id, "versions"])?;
            ours.print(&answer.body, print_versions);
        }
        Action::Rollback { named, version } => {
            change::roll_back(ours, &client, &named.id, *version)?;
        }
        Action::Export(named) => {
            output::json(&client.get(&["workflows", &named.id, "export"])?.body);
        }
    }
    Ok(Exit::Done)
}

fn print_list(answer: &Value) {
    let workflows = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = workflows
        .map(|workflow| {
            [
                cell(&workflow["id"]),
                cell(&workflow["name"]),
                cell(&workflow["active"]),
                cell(&workflow["status"]["state"]),
                cell(&workflow["version"]),
                cell(&workflow["owner"]),
                cell(&workflow["changed_at"]),
            ]
        })
        .collect();
    output::table(
        [
            "ID", "NAME", "ACTIVE", "STATE", "VERSION", "NODE", "CHANGED",
        ],
        &rows,
    );
}

fn print_versions(answer: &Value) {
    let versions = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = versions
        .map(|version| {
            ["version", "saved_at", "author", "message"].map(|name| cell(&version[name]))
        })
        .collect();
    output::table(["VERSION", "SAVED", "BY", "WHY"], &rows);
}
