//! `hermod worker`: the nodes that run workflows, as a server knows them.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::ClientArguments;
use crate::{
    failure::{Exit, Failure},
    output::{self, cell},
};

const AFTER_HELP: &str = "\
A worker that drains gives its workflows away and takes no new ones, for example before its machine is stopped.

Examples:
  hermod worker list
  hermod worker drain node-2
  hermod worker resume node-2";

/// List workers on a server, and let them give their workflows away
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
    /// List workers
    List,
    /// Let a worker give its workflows away
    Drain {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let a worker take workflows again
    Resume {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.client.client()?;
    match &arguments.action {
        Action::List => {
            let answer = client.get(&["workers"])?;
            arguments.client.print(&answer.body, print);
        }
        Action::Drain { id } => {
            let answer = client.post(&["workers", id, "drain"])?;
            arguments.client.print(&answer.body, |worker| {
                output::line(format!(
                    "worker `{id}` drains; it still has {} workflows",
                    worker["workflows"]
                ));
            });
        }
        Action::Resume { id } => {
            let answer = client.post(&["workers", id, "resume"])?;
            arguments.client.print(&answer.body, |_| {
                output::line(format!("worker `{id}` takes workflows again"));
            });
        }
    }
    Ok(Exit::Done)
}

fn print(answer: &Value) {
    let workers = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = workers
        .map(|worker| {
            [
                "id",
                "name",
                "node",
                "alive",
                "draining",
                "workflows",
                "seen_at",
            ]
            .map(|name| cell(&worker[name]))
        })
        .collect();
    output::table(
        [
            "ID",
            "NAME",
            "NODE",
            "ALIVE",
            "DRAINING",
            "WORKFLOWS",
            "HEARD",
        ],
        &rows,
    );
}
