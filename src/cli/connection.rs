//! `hermod source` and `hermod sink`: sources and sinks on a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ClientArguments, document, workflow};
use crate::{
    client::{Client, Places},
    failure::{Exit, Failure},
    output::{self, cell},
};

pub(super) const SOURCE_HELP: &str = "\
FILE is a document {id, type, config} (*.json, *.yaml, *.yml, `-` for standard input); `hermod connectors KIND` says what
`config` takes. A secret is never shown: `{\"$secret\": \"set\"}` stands for it, and sent back leaves it as it is.

Examples:
  hermod source list
  hermod source create -f hook.yaml
  hermod source test -f hook.yaml
  hermod source show hook > hook.json; vi hook.json; hermod source update -f hook.json
  hermod source delete hook";

pub(super) const SINK_HELP: &str = "\
FILE is a document {id, type, config} (*.json, *.yaml, *.yml, `-` for standard input); `hermod connectors KIND` says what
`config` takes. A secret is never shown: `{\"$secret\": \"set\"}` stands for it, and sent back leaves it as it is.

Examples:
  hermod sink list
  hermod sink create -f warehouse.yaml
  hermod sink test warehouse
  hermod sink show warehouse > sink.json; vi sink.json; hermod sink update -f sink.json
  hermod sink delete warehouse";

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List them
    List {
        /// Only those whose id or name holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show a document, secrets left out
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Make one
    Create {
        /// The document
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Change one
    Update {
        /// The document
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// Version that the change is based on, an `etag` [default: that of the document, then the present one]
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Remove one that no workflow names
    Delete {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Try whether it can be reached, without moving a message
    Test(Tried),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Tried {
    /// Id of one that is saved
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// A document that is not; secrets that it leaves out are those of the one with its id
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Does what is asked; `kind` is `source` or `sink`.
pub(super) fn run(kind: &str, arguments: &Arguments) -> Result<Exit, Failure> {
    let (ours, client) = (&arguments.client, arguments.client.client()?);
    let list = format!("{kind}s");
    let list = list.as_str();
    match &arguments.action {
        Action::List { search } => {
            let found = client.all(list, search.as_deref())?;
            ours.print(&json!({"data": found}), print_list);
        }
        Action::Show { id } => output::json(&client.get(&[list, id])?.body),
        Action::Create { file } => {
            let document = document::read(file)?;
            let answer = client
                .ask(Method::POST, &[list])
                .body(&document.value)
                .from(Places::at(&document, ""))
                .send()?;
            ours.print(&answer.body, |made| {
                output::line(format!("{kind} `{}` is made", cell(&made["id"])));
            });
        }
        Action::Update { file, if_match } => {
            let document = document::read(file)?;
            let (members, id) = (
                document::object(&document, "")?,
                document::id(&document, "")?,
            );
            let etag = workflow::base(&client, &[list, id], if_match.as_deref(), members)?;
            let answer = client
                .ask(Method::PUT, &[list, id])
                .if_match(etag)
                .body(&document.value)
                .from(Places::at(&document, ""))
                .send()?;
            ours.print(&answer.body, |_| {
                output::line(format!("{kind} `{id}` is saved"));
            });
        }
        Action::Delete { id } => {
            client.remove(&[list, id], false)?;
            let answer = json!({"id": id, "deleted": true});
            ours.print(&answer, |_| {
                output::line(format!("{kind} `{id}` is removed"));
            });
        }
        Action::Test(tried) => return test(ours, &client, kind, list, tried),
    }
    Ok(Exit::Done)
}

fn test(
    ours: &ClientArguments,
    client: &Client,
    kind: &str,
    list: &str,
    tried: &Tried,
) -> Result<Exit, Failure> {
    let answer = match (&tried.id, &tried.file) {
        (Some(id), _) => client.post(&[list, id, "test"])?,
        (None, file) => {
            let document = document::read(file.as_deref().unwrap_or("-".as_ref()))?;
            client
                .ask(Method::POST, &[list, "test"])
                .body(&document.value)
                .from(Places::at(&document, ""))
                .send()?
        }
    };
    let works = answer.body["ok"] == true;
    ours.print(&answer.body, |probe| {
        let step = cell(&probe["step"]);
        if works {
            output::line(format!(
                "the {kind} works: {step} ({} ms)",
                probe["took_ms"]
            ));
        } else {
            output::line(format!(
                "the {kind} does not work: {step}: {}",
                cell(&probe["message"])
            ));
        }
    });
    Ok(if works { Exit::Done } else { Exit::Failed })
}

fn print_list(answer: &Value) {
    let all = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = all
        .map(|one| ["id", "type", "name", "worker_id", "changed_at"].map(|name| cell(&one[name])))
        .collect();
    output::table(["ID", "TYPE", "NAME", "WORKER", "CHANGED"], &rows);
}
