//! `hermod dlq`: dead letters, on a server, on the node of a data directory, or in a directory that nobody uses.

mod remote;

use clap::{Args, Subcommand};
use hermod_api::Code;
use serde_json::Value;

use super::OutputArguments;
use crate::{
    client::{self, Account, Client, SERVER_VARIABLE},
    config::Config,
    control,
    dead_letters::{self, Order, Range, Request, Which},
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
Who is asked: the server of `--server`; else the data directory of `--data-dir`; else the server of HERMOD_SERVER; else the
data directory, if it is there; else the server that one is logged in to. On a data directory's running node the command
asks through DATA/control.sock; otherwise it opens DATA itself. A server answers for all its nodes; numbers are of one.

Examples:
  hermod dlq list
  hermod dlq list --workflow orders --output json
  hermod dlq show 17
  hermod dlq replay 17 20-35
  hermod dlq discard --all --workflow orders
  hermod dlq list --server https://hermod.example.org --workflow orders
  hermod dlq replay --server https://hermod.example.org --workflow orders --node node-1 20-35
  hermod dlq replay --server https://hermod.example.org --workflow orders --all --sink warehouse";

/// List, show, replay or discard dead letters
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Address of the server to ask, for all its nodes
    #[arg(long, value_name = "URL", global = true)]
    server: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List dead letters, the open ones unless told otherwise
    List {
        #[command(flatten)]
        common: Common,
        /// First number to list
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        from: u64,
        /// Most to list
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// List replayed and discarded ones too
        #[arg(long)]
        closed: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one dead letter with its message
    Show {
        #[command(flatten)]
        common: Common,
        /// Its number
        #[arg(value_name = "SEQ")]
        seq: u64,
    },
    /// Put dead letters back into their workflow as new messages
    Replay {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filter: Filter,
    },
    /// Drop dead letters for good
    Discard {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Args)]
struct Common {
    /// Id of the workflow; may be left out where only one has dead letters
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    /// On a server: only those of this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// What a server can choose by.
#[derive(Args)]
struct Filter {
    /// On a server: only those that this sink did not get
    #[arg(long, value_name = "ID")]
    sink: Option<String>,
    /// On a server: only those of this kind of failure
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// Numbers and ranges, such as `17 20-35`
    #[arg(value_name = "SEQ")]
    seqs: Vec<Range>,
    /// All that are open
    #[arg(long)]
    all: bool,
}

/// Does what is asked; `named` says whether `--data-dir` was given.
pub(super) fn run(config: &Config, named: bool, arguments: &Arguments) -> Result<Exit, Failure> {
    let (common, filter, order) = order(&arguments.action);
    if let Some(client) = client(config, named, arguments)? {
        let asked = remote::Asked {
            client: &client,
            workflow: common.workflow.as_deref(),
            node: common.node.as_deref(),
            filter,
        };
        remote::run(&asked, &order, common.output.output)?;
        return Ok(Exit::Done);
    }
    if common.node.is_some() || filter.sink.is_some() || filter.kind.is_some() {
        let message = "`--node`, `--sink` and `--kind` choose among dead letters of a server";
        return Err(Failure::new(Code::Configuration, message)
            .with_hint("name the server with `--server`, or leave them out"));
    }
    let request = Request {
        workflow: common.workflow.clone(),
        order,
    };
    let answer = control::ask_or_open(&config.data_dir, &request)?;
    match common.output.output {
        Form::Json => output::json(&answer),
        Form::Table => print(&request.order, &answer)?,
    }
    Ok(Exit::Done)
}

/// Returns a client if a server is meant, nothing if a data directory is.
fn client(config: &Config, named: bool, arguments: &Arguments) -> Result<Option<Client>, Failure> {
    let server = arguments.server.as_deref();
    if server.is_some() && named {
        let message = "`--server` and `--data-dir` name two places";
        return Err(Failure::new(Code::Configuration, message).with_hint("name one of them"));
    }
    let here = named || client::variable(SERVER_VARIABLE).is_none() && config.data_dir.is_dir();
    if server.is_none() && here {
        return Ok(None);
    }
    let anybody = server.is_some() || client::variable(SERVER_VARIABLE).is_some();
    if !anybody && Account::read()?.is_none() {
        // What is wrong with the directory is said.
        return Ok(None);
    }
    Client::signed_in(server).map(Some)
}

fn order(action: &Action) -> (&Common, &Filter, Order) {
    static NONE: Filter = Filter {
        sink: None,
        kind: None,
    };
    match action {
        Action::List {
            common,
            from,
            limit,
            closed,
            filter,
        } => (
            common,
            filter,
            Order::List {
                from: *from,
                limit: *limit,
                closed: *closed,
            },
        ),
        Action::Show { common, seq } => (common, &NONE, Order::Show { seq: *seq }),
        Action::Replay {
            common,
            chosen,
            filter,
        } => (
            common,
            filter,
            Order::Replay {
                which: chosen.into(),
            },
        ),
        Action::Discard {
            common,
            chosen,
            filter,
        } => (
            common,
            filter,
            Order::Discard {
                which: chosen.into(),
            },
        ),
    }
}

impl From<&Chosen> for Which {
    fn from(chosen: &Chosen) -> Self {
        if chosen.all {
            Which::AllOpen
        } else {
            Which::These(chosen.seqs.clone())
        }
    }
}

fn print(order: &Order, answer: &Value) -> Result<(), Failure> {
    let unreadable =
        |error| Failure::new(Code::Control, format!("answer is not readable: {error}"));
    match order {
        Order::List { .. } => {
            let list: dead_letters::List =
                serde_json::from_value(answer.clone()).map_err(unreadable)?;
            print_list(&list);
        }
        Order::Show { .. } => output::json(answer),
        Order::Replay { .. } | Order::Discard { .. } => {
            let done: dead_letters::Tally =
                serde_json::from_value(answer.clone()).map_err(unreadable)?;
            let verb = if matches!(order, Order::Replay { .. }) {
                "replayed"
            } else {
                "discarded"
            };
            output::line(format!(
                "{} {verb}, {} still open in workflow `{}`",
                done.done, done.open, done.workflow
            ));
            print_damage(&done.damaged);
        }
    }
    Ok(())
}

fn print_list(list: &dead_letters::List) {
    let Some(workflow) = &list.workflow else {
        output::line("no workflow has dead letters");
        return;
    };
    let rows: Vec<_> = list
        .letters
        .iter()
        .map(|letter| {
            [
                letter.seq.to_string(),
                letter.time.clone(),
                letter.state.clone(),
                letter.at.clone(),
                letter.kind.clone(),
                letter.attempts.to_string(),
                output::short(&letter.id, 40),
                output::short(&letter.reason, 80),
            ]
        })
        .collect();
    output::table(
        [
            "SEQ", "TIME", "STATE", "AT", "KIND", "TRIES", "ID", "REASON",
        ],
        &rows,
    );
    output::line(format!("{} open in workflow `{workflow}`", list.open));
    if let Some(next) = list.next {
        output::line(format!("there are more: --from {next}"));
    }
    print_damage(&list.damaged);
}

fn print_damage(damaged: &[String]) {
    for damage in damaged {
        output::error_line(format!("damaged: {damage}"));
    }
}
