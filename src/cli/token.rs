//! `hermod token`: API tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ClientArguments, Role, login};
use crate::{
    client,
    failure::{Exit, Failure},
    output::{self, cell},
};

const AFTER_HELP: &str = "\
A token makes no other token, so `create` asks for the password. The new token is shown this once; the server keeps only
its hash.

Examples:
  hermod token list
  hermod token create ci --role editor --expires-in-days 365
  hermod token create ci --password-file ann.password > ci.token
  hermod token revoke 3f0c…";

/// List, make and revoke API tokens on a server
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
    /// List one's own tokens; an administrator sees all
    List,
    /// Make a token and print it
    Create {
        /// Its name, for people
        #[arg(value_name = "NAME")]
        name: String,
        /// The most that it may do
        #[arg(
            long,
            value_name = "ROLE",
            value_enum,
            ignore_case = true,
            default_value = "viewer"
        )]
        role: Role,
        /// After so many days it ends; without, it lasts until it is revoked
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
        /// Whose it is [default: who is logged in]
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// File whose first line is the user's password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Revoke a token at once
    Revoke {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List => {
            let answer = arguments.client.client()?.get(&["tokens"])?;
            arguments.client.print(&answer.body, print);
        }
        Action::Create {
            name,
            role,
            expires_in_days,
            user,
            password_file,
        } => {
            let server = client::server(arguments.client.server.as_deref())?;
            let session = login::open(&server, user.as_deref(), password_file.as_deref())?;
            let mut asked = json!({"name": name, "role": role.name()});
            if let Some(days) = expires_in_days {
                asked["expires_in_days"] = (*days).into();
            }
            let made = session.within(|client, _| login::make_token(client, &asked))?;
            // The one place that shows a token: nobody else will ever be able to.
            let answer = json!({"id": made.id, "token": made.token.reveal()});
            arguments.client.print(&answer, |_| {
                output::error_line(format!("token {} is shown this once:", made.id));
                output::line(made.token.reveal());
            });
        }
        Action::Revoke { id } => {
            let client = arguments.client.client()?;
            client.ask(Method::DELETE, &["tokens", id]).send()?;
            let answer = json!({"id": id, "revoked": true});
            arguments.client.print(&answer, |_| {
                output::line(format!("token `{id}` is revoked"));
            });
        }
    }
    Ok(Exit::Done)
}

fn print(answer: &Value) {
    let tokens = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = tokens
        .map(|token| {
            ["id", "name", "user", "role", "created_at", "expires_at"]
                .map(|name| cell(&token[name]))
        })
        .collect();
    output::table(["ID", "NAME", "USER", "ROLE", "MADE", "ENDS"], &rows);
}
