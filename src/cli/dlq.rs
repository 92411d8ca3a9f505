//! `hermod dlq`: dead letters, on a running node or in a directory that nobody uses.

use clap::{Args, Subcommand};
use hermod_api::Code;
use serde_json::Value;

use super::OutputArguments;
use crate::{
    config::Config,
    control,
    dead_letters::{self, Order, Range, Request, Which},
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
On a running node the command asks it through DATA/control.sock; otherwise it opens DATA itself.

Examples:
  hermod dlq list
  hermod dlq list --workflow orders --output json
  hermod dlq show 17
  hermod dlq replay 17 20-35
  hermod dlq discard --all --workflow orders";

/// List, show, replay or discard dead letters
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
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
    },
    /// Drop dead letters for good
    Discard {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        chosen: Chosen,
    },
}

#[derive(Args)]
struct Common {
    /// Id of the workflow; may be left out where only one has dead letters
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
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

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let (common, order) = order(&arguments.action);
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

fn order(action: &Action) -> (&Common, Order) {
    match action {
        Action::List {
            common,
            from,
            limit,
            closed,
        } => (
            common,
            Order::List {
                from: *from,
                limit: *limit,
                closed: *closed,
            },
        ),
        Action::Show { common, seq } => (common, Order::Show { seq: *seq }),
        Action::Replay { common, chosen } => (
            common,
            Order::Replay {
                which: chosen.into(),
            },
        ),
        Action::Discard { common, chosen } => (
            common,
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
