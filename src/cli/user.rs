//! `hermod user`: people.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ClientArguments, Role};
use crate::{
    client::{self, Prompt},
    failure::{Exit, Failure},
    output::{self, cell},
};

const AFTER_HELP: &str = "\
Passwords are typed at the terminal and not shown, or are the first line of a file or of standard input.

Examples:
  hermod user list
  hermod user create ann --role editor --full-name 'Ann Smith'
  hermod user password                      one's own
  hermod user password ann --password-file new.password
  hermod user delete ann";

/// List, add and remove people on a server, and set passwords
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
    /// List people
    List {
        /// Only those whose name holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Add a person
    Create {
        /// With which they log in: lower-case letters, digits, `.`, `_`, `-`, `@`
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do
        #[arg(
            long,
            value_name = "ROLE",
            value_enum,
            ignore_case = true,
            default_value = "viewer"
        )]
        role: Role,
        /// Their name for people
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )]
        full_name: String,
        /// Their address
        #[arg(
            long,
            value_name = "ADDRESS",
            default_value = "",
            hide_default_value = true
        )]
        email: String,
        /// File whose first line is their password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Remove a person with their sessions and tokens
    Delete {
        /// Their name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Set a password: one's own, which ends one's other sessions, or somebody's, which ends theirs
    Password {
        /// Whose; one's own without a name
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// File whose first line is the new password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// File whose first line is one's present password
        #[arg(long, value_name = "FILE", conflicts_with = "name")]
        current_password_file: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List { search } => {
            let people = arguments.client.client()?.all("users", search.as_deref())?;
            arguments.client.print(&json!({"data": people}), print);
        }
        Action::Create {
            name,
            role,
            full_name,
            email,
            password_file,
        } => {
            let client = arguments.client.client()?;
            let prompt = format!("Password of `{name}`");
            let password = client::password(password_file.as_deref(), Prompt::New(&prompt))?;
            let body = json!({
                "username": name, "role": role.name(), "full_name": full_name, "email": email,
                "password": password.reveal(),
            });
            let answer = client.ask(Method::POST, &["users"]).body(&body).send()?;
            arguments.client.print(&answer.body, |_| {
                output::line(format!("user `{name}` is added ({})", role.name()));
            });
        }
        Action::Delete { name } => {
            arguments.client.client()?.remove(&["users", name], false)?;
            done(arguments, name, "removed");
        }
        Action::Password {
            name: Some(name),
            password_file,
            ..
        } => {
            let client = arguments.client.client()?;
            let prompt = format!("New password of `{name}`");
            let password = client::password(password_file.as_deref(), Prompt::New(&prompt))?;
            client
                .ask(Method::PUT, &["users", name, "password"])
                .body(&json!({"new": password.reveal()}))
                .send()?;
            done(arguments, name, "given a new password");
        }
        Action::Password {
            name: None,
            password_file,
            current_password_file,
        } => {
            let server = client::server(arguments.client.server.as_deref())?;
            let client = arguments.client.client()?;
            let me = client.get(&["me"])?.body;
            let name = me["username"].as_str().unwrap_or_default();
            let present = format!("Present password of `{name}`");
            let present =
                client::password(current_password_file.as_deref(), Prompt::Present(&present))?;
            let new = format!("New password of `{name}`");
            let new = client::password(password_file.as_deref(), Prompt::New(&new))?;
            let session = client::Session::open(&server, name, &present)?;
            let body = json!({"current": present.reveal(), "new": new.reveal()});
            session.within(|client, _| {
                let ask = client.ask(Method::PUT, &["me", "password"]);
                ask.body(&body).send().map(drop)
            })?;
            done(arguments, name, "given a new password");
        }
    }
    Ok(Exit::Done)
}

fn done(arguments: &Arguments, name: &str, what: &str) {
    let answer = json!({"username": name, "done": what});
    arguments.client.print(&answer, |_| {
        output::line(format!("user `{name}` is {what}"));
    });
}

fn print(answer: &Value) {
    let people = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = people
        .map(|person| {
            [
                "username",
                "role",
                "disabled",
                "full_name",
                "email",
                "changed_at",
            ]
            .map(|name| cell(&person[name]))
        })
        .collect();
    output::table(
        ["NAME", "ROLE", "DISABLED", "FULL NAME", "EMAIL", "CHANGED"],
        &rows,
    );
}
