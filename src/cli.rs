//! The command line: what there is, and who does it.

mod apply;
mod audit;
mod backlog;
mod cluster;
mod config_command;
mod connection;
mod connectors;
mod dlq;
mod document;
mod login;
mod node;
mod prove;
mod run;
mod setup;
mod token;
mod user;
mod validate;
mod wal;
mod worker;
mod workflow;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use hermod_api::{Code, LogRing};
use serde_json::Value;

use crate::{
    client::Client,
    config::{
        Config, Faults, Settings, Sources,
        key::{self, Scope},
    },
    failure::{Exit, Failure},
    logging, output,
};

const ABOUT: &str = "Moves data from sources to sinks and never loses what it has acknowledged.";

const AFTER_HELP: &str = "\
Examples:
  hermod --mode=standalone --workflows examples/workflows
  hermod run examples/workflows/orders.yaml --port 9000
  hermod validate workflows/*.yaml
  hermod connectors webhook
  hermod dlq list
  hermod login --server https://hermod.example.org
  hermod apply -f workflows --dry-run

Exit codes:
  0    everything was done
  1    something failed while it ran
  2    the input, the configuration or the data directory cannot be used
  130  ended at once by a second Ctrl-C (143: by a second SIGTERM)

Errors have a code, HMD-nnnn, and a page docs/errors/HMD-nnnn.md.";

#[derive(Parser)]
#[command(name = "hermod", version, about = ABOUT, after_help = AFTER_HELP)]
struct Cli {
    /// Configuration file [default: hermod.toml in the working directory, if it exists]
    #[arg(long = "config", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
    /// Build the web interface anew and serve it from the checkout; for whoever works on it
    #[arg(long)]
    build_ui: bool,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    Run(run::Arguments),
    Validate(validate::Arguments),
    Connectors(connectors::Arguments),
    Dlq(dlq::Arguments),
    Login(login::Arguments),
    Logout(login::LogoutArguments),
    Apply(apply::Arguments),
    Workflow(workflow::Arguments),
    /// Look at, make, change and try sources on a server
    #[command(after_help = connection::SOURCE_HELP)]
    Source(connection::Arguments),
    /// Look at, make, change and try sinks on a server
    #[command(after_help = connection::SINK_HELP)]
    Sink(connection::Arguments),
    Token(token::Arguments),
    User(user::Arguments),
    Worker(worker::Arguments),
    Audit(audit::Arguments),
    Wal(wal::Arguments),
    Setup(setup::Arguments),
    Cluster(cluster::Arguments),
    Backlog(backlog::Arguments),
    Prove(prove::Arguments),
    Config(config_command::Arguments),
}

/// Runs the command line and returns how the process ends.
pub(crate) fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Nobody reads it if it cannot be printed.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match Cli::from_arg_matches(&matches) {
        Ok(cli) => dispatch(cli, &matches),
        Err(error) => Err(Failure::new(Code::Configuration, error)),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.logged {
                output::error_line(failure.to_string());
            }
            failure.exit().into()
        }
    }
}

fn command() -> Command {
    const NODE: &[Scope] = &[Scope::Node, Scope::Serve, Scope::Data, Scope::All];
    const SERVE: &[Scope] = &[Scope::Serve, Scope::Data, Scope::All];
    const DATA: &[Scope] = &[Scope::Data, Scope::All];
    key::add_flags(Cli::command(), NODE)
        .mut_subcommand("run", |command| key::add_flags(command, SERVE))
        .mut_subcommand("config", |command| key::add_flags(command, NODE))
        .mut_subcommand("dlq", |command| {
            command.mut_subcommands(|sub| key::add_flags(sub, DATA))
        })
        .mut_subcommand("wal", |command| {
            command.mut_subcommands(|sub| key::add_flags(sub, DATA))
        })
        .mut_subcommand("setup", |command| key::add_flags(command, DATA))
        .mut_subcommand("cluster", |command| {
            command.mut_subcommands(|sub| key::add_flags(sub, DATA))
        })
        .mut_subcommand("backlog", |command| {
            command.mut_subcommands(|sub| key::add_flags(sub, DATA))
        })
}

fn dispatch(cli: Cli, matches: &ArgMatches) -> Result<Exit, Failure> {
    let file = cli.config_file;
    if cli.build_ui && cli.command.is_some() {
        let message = "`--build-ui` is for a node; no command serves the web interface";
        return Err(Failure::new(Code::Configuration, message));
    }
    match cli.command {
        None => {
            let (config, logs) = configure_node(matches, file.as_deref())?;
            in_log(&config, node::run(&config, &logs, cli.build_ui))
        }
        Some(Action::Run(arguments)) => {
            let (config, _) = configure_node(matches, file.as_deref())?;
            in_log(&config, run::run(&config, &arguments))
        }
        Some(Action::Validate(arguments)) => Ok(validate::run(&arguments)),
        Some(Action::Connectors(arguments)) => connectors::run(&arguments),
        Some(Action::Dlq(arguments)) => {
            let (config, _) = configure(matches, file.as_deref()).map_err(invalid)?;
            let named = key::given(matches).contains_key("data_dir");
            dlq::run(&config, named, &arguments)
        }
        Some(Action::Login(arguments)) => login::run(&arguments),
        Some(Action::Logout(arguments)) => login::logout(&arguments),
        Some(Action::Apply(arguments)) => apply::run(&arguments),
        Some(Action::Workflow(arguments)) => workflow::run(&arguments),
        Some(Action::Source(arguments)) => connection::run("source", &arguments),
        Some(Action::Sink(arguments)) => connection::run("sink", &arguments),
        Some(Action::Token(arguments)) => token::run(&arguments),
        Some(Action::User(arguments)) => user::run(&arguments),
        Some(Action::Worker(arguments)) => worker::run(&arguments),
        Some(Action::Audit(arguments)) => audit::run(&arguments),
        Some(Action::Wal(arguments)) => {
            let (config, _) = configure(matches, file.as_deref()).map_err(invalid)?;
            wal::run(&config, &arguments)
        }
        Some(Action::Setup(arguments)) => {
            let (config, _) = configure(matches, file.as_deref()).map_err(invalid)?;
            setup::run(&config, &arguments)
        }
        Some(Action::Backlog(arguments)) => {
            let (config, _) = configure(matches, file.as_deref()).map_err(invalid)?;
            backlog::run(&config, &arguments)
        }
        Some(Action::Cluster(arguments)) => {
            let (config, _) = configure(matches, file.as_deref()).map_err(invalid)?;
            cluster::run(&config, &arguments)
        }
        Some(Action::Prove(arguments)) => prove::run(&arguments),
        Some(Action::Config(arguments)) => {
            let settings = settings(matches, file.as_deref()).map_err(invalid)?;
            config_command::run(&settings, &arguments)
        }
    }
}

fn settings(matches: &ArgMatches, file: Option<&Path>) -> Result<Settings, Faults> {
    let flags = key::given(matches);
    let environment: BTreeMap<_, _> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sources = Sources {
        flags: &flags,
        file,
        environment: &environment,
    };
    Settings::gather(&sources)
}

/// Reads the configuration and starts logging as it says.
fn configure(matches: &ArgMatches, file: Option<&Path>) -> Result<(Config, LogRing), Faults> {
    let settings = settings(matches, file)?;
    let config = Config::new(&settings)?;
    let logs = logging::start(&config);
    for name in &settings.unknown_variables {
        tracing::debug!(name, "environment variable is not a configuration key");
    }
    Ok((config, logs))
}

/// The same for a node, whose log has what is wrong too.
fn configure_node(matches: &ArgMatches, file: Option<&Path>) -> Result<(Config, LogRing), Failure> {
    configure(matches, file).map_err(|faults| logging::failure(faults.log_format, invalid(faults)))
}

/// Writes a node's failure into its log where that is read by machines.
fn in_log(config: &Config, outcome: Result<Exit, Failure>) -> Result<Exit, Failure> {
    outcome.map_err(|failure| logging::failure(config.log_format, failure))
}

fn invalid(faults: Faults) -> Failure {
    Failure::new(Code::Configuration, Code::Configuration.title()).with_details(faults.found)
}

/// Arguments that only choose the form of the output.
#[derive(Args)]
struct OutputArguments {
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    output: output::Form,
}

/// Arguments of every command that asks a server.
#[derive(Args)]
struct ClientArguments {
    /// Address of the server [default: `HERMOD_SERVER`, then the login's, then <http://127.0.0.1:8080>]
    #[arg(long, value_name = "URL", global = true)]
    server: Option<String>,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value_t, global = true)]
    output: output::Form,
}

impl ClientArguments {
    /// Returns a client with the token that fits.
    fn client(&self) -> Result<Client, Failure> {
        Client::signed_in(self.server.as_deref())
    }

    /// Prints an answer, for machines or for people.
    fn print(&self, answer: &Value, table: impl FnOnce(&Value)) {
        match self.output {
            output::Form::Json => output::json(answer),
            output::Form::Table => table(answer),
        }
    }
}

/// Role of a person or a token.
#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Looks
    Viewer,
    /// Changes workflows, sources and sinks
    Editor,
    /// Does everything
    Administrator,
}

impl Role {
    /// Returns the role as the API names it.
    fn name(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Editor => "Editor",
            Self::Administrator => "Administrator",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_found_on_either_side_of_a_subcommand_and_the_later_wins() {
        let line = [
            "hermod", "--port", "1", "--listen", "::1", "run", "x.yaml", "--port=2",
        ];
        let flags = key::given(&command().try_get_matches_from(line).unwrap());
        assert_eq!(flags.get("port").map(String::as_str), Some("2"));
        assert_eq!(flags.get("listen").map(String::as_str), Some("::1"));
        assert_eq!(flags.len(), 2);
    }

    #[test]
    fn a_switch_needs_no_value_and_does_not_swallow_the_next_argument() {
        let line = ["hermod", "run", "--idempotency-required", "x.yaml"];
        let flags = key::given(&command().try_get_matches_from(line).unwrap());
        assert_eq!(
            flags.get("idempotency_required").map(String::as_str),
            Some("true")
        );
    }
}
