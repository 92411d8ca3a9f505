//! The one list of configuration keys.

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use std::collections::BTreeMap;

/// Which commands a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Only the node that runs a directory of workflows.
    Node,
    /// Everything that runs workflows.
    Serve,
    /// Everything that opens the data directory.
    Data,
    /// Everything.
    All,
}

/// One configuration key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Name in `hermod.toml`; the flag has hyphens, the variable is `HERMOD_` and capitals.
    pub(crate) name: &'static str,
    /// What its value is called in help.
    pub(crate) value: &'static str,
    /// Value when nobody gives another, empty for none.
    pub(crate) default: &'static str,
    /// Which commands it is for.
    pub(crate) scope: Scope,
    /// Whether its value is never shown.
    pub(crate) secret: bool,
    /// What it does, with unit and range.
    pub(crate) summary: &'static str,
}

const fn key(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    scope: Scope,
    summary: &'static str,
) -> Key {
    Key {
        name,
        value,
        default,
        scope,
        secret: false,
        summary,
    }
}

const fn secret(
    name: &'static str,
    value: &'static str,
    scope: Scope,
    summary: &'static str,
) -> Key {
    Key {
        secret: true,
        ..key(name, value, "", scope, summary)
    }
}

/// Every key, in the order of help and documentation.
pub(crate) static KEYS: &[Key] = &[
    key(
        "mode",
        "MODE",
        "api",
        Scope::Node,
        "What this process is: `api` keeps workflows and runs none, `worker` runs them, `standalone` does both",
    ),
    key(
        "workflows",
        "DIR",
        "",
        Scope::Node,
        "Directory whose workflow documents (*.json, *.yaml, *.yml) are brought into the store and run; `workflows`, if it is there",
    ),
    key(
        "node_name",
        "NAME",
        "",
        Scope::Node,
        "Name of this node in its cluster; the host's name without one",
    ),
    key(
        "cluster_listen",
        "ADDRESS",
        "",
        Scope::Node,
        "Address and port where other nodes reach this one, under mutual TLS; without one there are no other nodes",
    ),
    key(
        "cluster_address",
        "ADDRESS",
        "",
        Scope::Node,
        "The same as other nodes see it, where they see another one",
    ),
    key(
        "cluster_secret_file",
        "FILE",
        "",
        Scope::Node,
        "File with the secret that all nodes of the cluster share, at least 16 bytes",
    ),
    key(
        "peers",
        "LIST",
        "",
        Scope::Node,
        "All nodes that start a new cluster together, as name=host:port with commas between, this one among them",
    ),
    key(
        "join",
        "ADDRESS",
        "",
        Scope::Node,
        "Address and port of a node of the cluster that this one is to join",
    ),
    key(
        "db_type",
        "TYPE",
        "raft",
        Scope::Node,
        "Metadata store: `raft` needs no database, `sqlite` is a file",
    ),
    key(
        "db_conn",
        "CONN",
        "",
        Scope::Node,
        "Where the database is: for `sqlite` a path, hermod.db without one",
    ),
    key(
        "sqlite_busy_timeout_ms",
        "MS",
        "15000",
        Scope::Node,
        "How long a write waits for another process that writes to the SQLite file, in milliseconds",
    ),
    secret(
        "store_key",
        "KEY",
        Scope::Node,
        "Key that seals secrets in the store: 32 bytes in hexadecimal or base64; made and kept in the data directory without one",
    ),
    key(
        "worker_guid",
        "ID",
        "",
        Scope::Node,
        "Id of this worker, which workflows can name as `worker_id`; the node's name without one",
    ),
    key(
        "worker_id",
        "N",
        "",
        Scope::Node,
        "Number of this worker, from 0, where workflows are divided by number",
    ),
    key(
        "total_workers",
        "N",
        "",
        Scope::Node,
        "Number of workers that workflows are divided among by number; without it they are divided among those that live",
    ),
    key(
        "worker_port",
        "PORT",
        "8081",
        Scope::Node,
        "Port of push ingress, probes and metrics in mode `worker`; 0 takes a free one",
    ),
    key(
        "lease_ttl",
        "TIME",
        "10s",
        Scope::Node,
        "How long a workflow stays with a node that is not heard of, at least 8s",
    ),
    key(
        "ready_leases_required",
        "BOOL",
        "false",
        Scope::Node,
        "Whether `/readyz` fails while leases cannot be renewed",
    ),
    key(
        "cors_allow_origins",
        "LIST",
        "",
        Scope::Node,
        "Origins, with commas between, whose pages may use the API",
    ),
    key(
        "hsts_enable",
        "BOOL",
        "false",
        Scope::Node,
        "Tell browsers to use HTTPS only; for a node behind a proxy that ends TLS",
    ),
    secret(
        "worker_reg_token",
        "TOKEN",
        Scope::Node,
        "What a worker shows to register itself over the API",
    ),
    key(
        "listen",
        "ADDRESS",
        "127.0.0.1",
        Scope::Serve,
        "Address to listen on, without a port; 0.0.0.0 or :: for all",
    ),
    key(
        "port",
        "PORT",
        "8080",
        Scope::Serve,
        "Port of API, web interface, push ingress, probes and metrics; 0 takes a free one",
    ),
    key(
        "grpc_port",
        "PORT",
        "",
        Scope::Node,
        "Port of gRPC push ingress: 50051 if it is free without one, `off` for none, 0 takes a free one",
    ),
    key(
        "connections_max",
        "N",
        "4096",
        Scope::Serve,
        "Most HTTP connections at a time; more are answered 503",
    ),
    key(
        "data_dir",
        "DIR",
        "data",
        Scope::Data,
        "Directory of the data log: buffers, positions, dead letters",
    ),
    key(
        "data_quota",
        "SIZE",
        "0",
        Scope::Serve,
        "Most room that the data log takes, for example 20GiB; 0 for what the disk has",
    ),
    key(
        "sync",
        "WHEN",
        "always",
        Scope::Serve,
        "When the log is synced: `always` before anything is acknowledged; an interval such as 100ms, or `os`, lose what was not synced when the machine fails",
    ),
    key(
        "drain_timeout",
        "TIME",
        "30s",
        Scope::Serve,
        "Longest time to deliver what is in hand after a signal to stop",
    ),
    key(
        "drop_removed_sinks",
        "IDS",
        "",
        Scope::Serve,
        "Ids of sinks, with commas between, that were removed from their workflow and whose backlog is given up",
    ),
    key(
        "idempotency_required",
        "BOOL",
        "false",
        Scope::Serve,
        "Warn about messages that come without an idempotency key",
    ),
    key(
        "log",
        "FILTER",
        "info",
        Scope::All,
        "What is logged: a level, or a filter such as `info,hermod_engine=debug`",
    ),
    key(
        "log_format",
        "FORMAT",
        "auto",
        Scope::All,
        "How logs are written to standard error: `text`, `json`, or `auto` for text on a terminal and JSON otherwise",
    ),
];

impl Key {
    /// Returns the name of the flag, without its hyphens in front.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Returns the name of the environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("HERMOD_{}", self.name.to_uppercase())
    }

    fn id(&self) -> String {
        format!("key.{}", self.name)
    }

    fn argument(&self) -> Arg {
        let default = match self.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let argument = Arg::new(self.id())
            .long(self.flag())
            .value_name(self.value)
            .action(ArgAction::Set)
            .help_heading("Configuration (each also as HERMOD_NAME and in hermod.toml)")
            .help(format!("{}{default}", self.summary));
        if self.value == "BOOL" {
            argument
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
        } else {
            argument
        }
    }
}

/// Adds the flags of all keys that a command is for.
pub(crate) fn add_flags(command: Command, scopes: &[Scope]) -> Command {
    let keys = KEYS.iter().filter(|key| scopes.contains(&key.scope));
    command.args(keys.map(Key::argument))
}

/// Returns the flags that were given, those behind a subcommand's name before those in front of it.
pub(crate) fn given(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let mut flags = match matches.subcommand() {
        Some((_, below)) => given(below),
        None => BTreeMap::new(),
    };
    for key in KEYS {
        let id = key.id();
        let known = matches.try_contains_id(&id).unwrap_or(false);
        if known
            && matches.value_source(&id) == Some(ValueSource::CommandLine)
            && let Some(text) = matches.get_one::<String>(&id)
        {
            flags.entry(key.name).or_insert_with(|| text.clone());
        }
    }
    flags
}
