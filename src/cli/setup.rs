//! `hermod setup`: the first administrator, without a browser.

use std::{fs, path::PathBuf};

use clap::Args;
use hermod_api::Code;

use crate::{
    config::Config,
    control::{self, Request},
    failure::{Exit, Failure},
    output,
};

const AFTER_HELP: &str = "\
Examples:
  hermod setup --password-file admin.password      the user `admin`, on the node that runs on this data directory
  hermod setup --user ops --password-file FILE --data-dir /var/lib/hermod
  hermod setup --renew                             print a new setup link";

/// Make the first administrator on a running node
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name of the user
    #[arg(long, value_name = "NAME", default_value = "admin")]
    user: String,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", required_unless_present = "renew")]
    password_file: Option<PathBuf>,
    /// Print a new setup link instead
    #[arg(long, conflicts_with = "password_file")]
    renew: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(file) = &arguments.password_file else {
        let answer = control::ask_node(&config.data_dir, &Request::RenewSetup)?;
        let token = answer["token"].as_str().unwrap_or_default();
        output::line(format!("open /setup#{token} on the node within an hour"));
        return Ok(Exit::Done);
    };
    let text = fs::read_to_string(file).map_err(|error| {
        let message = format!("`{}`: {error}", file.display());
        Failure::new(Code::Configuration, message)
    })?;
    let request = Request::SetUp {
        user: arguments.user.clone(),
        password: text.lines().next().unwrap_or_default().to_owned(),
    };
    control::ask_node(&config.data_dir, &request)?;
    output::line(format!("administrator `{}` is made", arguments.user));
    Ok(Exit::Done)
}
