//! `hermod login` and `hermod logout`.

use std::path::{Path, PathBuf};

use clap::Args;
use hermod_api::Code;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ClientArguments, Role};
use crate::{
    client::{self, Account, Client, Hidden, Prompt, Server, Session, TOKEN_VARIABLE},
    failure::{Exit, Failure},
    output,
};

const AFTER_HELP: &str = "\
The password is typed at the terminal and not shown, or is the first line of a file or of standard input. It is used once:
what is kept is an API token, in `$XDG_CONFIG_HOME/hermod/client.toml`, for this user alone. HERMOD_SERVER and
HERMOD_TOKEN win over it.

Examples:
  hermod login --server https://hermod.example.org
  hermod login --user ann --password-file ann.password
  hermod login --role viewer --expires-in-days 7";

const AFTER_LOGOUT_HELP: &str = "\
The token is revoked on the server, then the file is removed. Where the server cannot be reached, nothing is removed
unless `--forget` says so.

Examples:
  hermod logout
  hermod logout --forget";

/// Log in to a server and keep an API token
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Name of the user [default: that of the last login, then the name on this machine]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// File whose first line is the password, `-` for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The most that the token may do [default: what the user may]
    #[arg(long, value_name = "ROLE", value_enum, ignore_case = true)]
    role: Option<Role>,
    /// After so many days the token ends, unless a new login replaces it before
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_in_days: u32,
}

/// Revoke the token of the last login and forget it
#[derive(Args)]
#[command(after_help = AFTER_LOGOUT_HELP)]
pub(super) struct LogoutArguments {
    /// Forget the token even if it cannot be revoked
    #[arg(long)]
    forget: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let server = client::server(arguments.client.server.as_deref())?;
    let before = Account::read()?;
    let session = open(
        &server,
        arguments.user.as_deref(),
        arguments.password_file.as_deref(),
    )?;
    let (account, role, path) = session.within(|client, me| {
        let role = arguments
            .role
            .map_or_else(|| me["role"].clone(), |role| role.name().into());
        let days = arguments.expires_in_days;
        let asked = json!({"name": token_name(), "role": role, "expires_in_days": days});
        let made = make_token(client, &asked)?;
        let account = Account {
            server: server.to_string(),
            user: text(&me["username"]),
            token_id: made.id,
            token: made.token,
        };
        let written = account.write();
        if written.is_err() {
            // A token that nobody has must not stay.
            client
                .ask(Method::DELETE, &["tokens", &account.token_id])
                .send()?;
        }
        let path = written?;
        if let Some(before) = before.filter(|before| before.server == account.server) {
            replace(client, &before);
        }
        Ok((account, role, path))
    })?;
    let answer = json!({
        "server": account.server, "user": account.user, "role": role,
        "token_id": account.token_id, "file": path,
    });
    arguments.client.print(&answer, |_| {
        let (user, role) = (&account.user, output::cell(&role));
        output::line(format!("logged in to {server} as `{user}` ({role})"));
        output::line(format!("the token is kept in {}", path.display()));
    });
    if client::variable(TOKEN_VARIABLE).is_some() {
        output::error_line("warning: HERMOD_TOKEN is set, and wins over this login");
    }
    Ok(Exit::Done)
}

/// Opens a session, with the password that is typed or read.
pub(super) fn open(
    server: &Server,
    user: Option<&str>,
    password_file: Option<&Path>,
) -> Result<Session, Failure> {
    if !server.is_encrypted() && !server.is_here() {
        output::error_line(format!(
            "warning: `{server}` is not encrypted; others may read password and token on their way"
        ));
    }
    let user = match user {
        Some(user) => user.to_owned(),
        None => known_user(server)?,
    };
    let prompt = format!("Password of `{user}` at {server}");
    let password = client::password(password_file, Prompt::Present(&prompt))?;
    Session::open(server, &user, &password)
}

fn known_user(server: &Server) -> Result<String, Failure> {
    let account = Account::of(server)?.map(|account| account.user);
    let here = || client::variable("USER").or_else(|| client::variable("LOGNAME"));
    account.or_else(here).ok_or_else(|| {
        Failure::new(Code::Configuration, "nobody says who logs in")
            .with_hint("name the user with `--user`")
    })
}

/// A token that was made.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) token: Hidden,
}

/// Makes a token within a session.
pub(super) fn make_token(client: &Client, asked: &Value) -> Result<Made, Failure> {
    let answer = client.ask(Method::POST, &["tokens"]).body(asked).send()?;
    Ok(Made {
        id: text(&answer.body["id"]),
        token: Hidden::new(text(&answer.body["token"])),
    })
}

/// Says where the token is used, for the list of tokens.
fn token_name() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("login on {}", output::short(&host, 60))
}

/// Revokes the token that the new one replaces.
fn replace(client: &Client, before: &Account) {
    let gone = client
        .ask(Method::DELETE, &["tokens", &before.token_id])
        .send();
    match gone {
        Ok(_) => {}
        Err(failure) if failure.code == Code::NoSuchObject => {}
        Err(failure) => output::error_line(format!(
            "warning: the token of the login before is not revoked: {}",
            failure.message
        )),
    }
}

pub(super) fn logout(arguments: &LogoutArguments) -> Result<Exit, Failure> {
    let Some(account) = Account::read()? else {
        output::line("nobody is logged in");
        return Ok(Exit::Done);
    };
    match revoke(&account) {
        Ok(()) => {}
        // It is revoked already, or has come to its end.
        Err(failure) if matches!(failure.code, Code::SignIn | Code::NoSuchObject) => {}
        Err(failure) if arguments.forget => output::error_line(format!(
            "warning: token {} is not revoked: {}",
            account.token_id, failure.message
        )),
        Err(failure) => return Err(failure),
    }
    Account::forget()?;
    output::line(format!("logged out of {}", account.server));
    Ok(Exit::Done)
}

fn revoke(account: &Account) -> Result<(), Failure> {
    let client = Client::of_account(account)?;
    client
        .ask(Method::DELETE, &["tokens", &account.token_id])
        .send()
        .map(drop)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
