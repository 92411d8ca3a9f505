//! Configuration: flag > environment > `hermod.toml` > `db_config.yaml` > default.
//!
//! [`key::KEYS`] is the only list of keys. Flags, names of environment variables, keys of the file,
//! defaults, help and `hermod config` are read from it.

pub(crate) mod database;
mod file;
pub(crate) mod key;
mod parse;

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use hermod_sdk::Secret;
use serde::Serialize;

use crate::failure::Detail;
use key::{KEYS, Key};

/// File that is read when no other is named, if it exists.
pub(crate) const DEFAULT_FILE: &str = "hermod.toml";

/// Environment variable that names another file.
pub(crate) const FILE_VARIABLE: &str = "HERMOD_CONFIG";

/// Where a value comes from, from the weakest to the strongest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "at")]
pub(crate) enum Origin {
    /// Built in.
    Default,
    /// A line of the configuration file.
    File(String),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => write!(f, "file {place}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One key's text, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) key: &'static Key,
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

impl Setting {
    /// Returns what may be shown of the value (I10).
    pub(crate) fn shown(&self) -> &str {
        if self.key.secret && !self.text.is_empty() {
            "[redacted]"
        } else {
            &self.text
        }
    }
}

/// Where values can come from.
pub(crate) struct Sources<'a> {
    /// Flags that were given, by key.
    pub(crate) flags: &'a BTreeMap<&'static str, String>,
    /// A file that was named with `--config`.
    pub(crate) file: Option<&'a Path>,
    /// The environment.
    pub(crate) environment: &'a BTreeMap<String, String>,
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// What is wrong, with a pointer to the key.
    pub(crate) found: Vec<Detail>,
    /// How logs are to be written, as far as that could be read: a node says there what is wrong.
    pub(crate) log_format: LogFormat,
}

impl Faults {
    /// Adds a fault of the whole configuration.
    fn push(&mut self, fault: String) {
        self.found.push(Detail::at("", fault));
    }

    /// Adds a fault of a key.
    fn push_at(&mut self, name: &str, fault: String) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.found.push(Detail::at(format!("/{name}"), fault));
    }
}

/// All settings, in the order of the keys.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) settings: Vec<Setting>,
    /// Variables that look like ours and are not known; they may be meant for secrets.
    pub(crate) unknown_variables: Vec<String>,
}

impl Settings {
    /// Gathers the settings.
    ///
    /// # Errors
    /// Every fault at once: unknown keys and unreadable files. Values are checked by [`Config::new`].
    pub(crate) fn gather(sources: &Sources<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let variable = sources.environment.get(FILE_VARIABLE).map(PathBuf::from);
        let named = sources.file.map(Path::to_owned).or(variable);
        let mut from_file = file::read(named.as_deref(), &mut faults);
        let of = |name: &str, from_file: &_| {
            let key = KEYS.iter().find(|key| key.name == name)?;
            let setting = setting(key, sources, from_file);
            (setting.origin != Origin::Default || name == "data_dir").then_some(setting.text)
        };
        if let Some(data_dir) = of("data_dir", &from_file) {
            let kind = of("db_type", &from_file);
            database::add(
                Path::new(data_dir.trim()),
                kind,
                &mut from_file,
                &mut faults,
            );
        }
        let settings = KEYS
            .iter()
            .map(|key| setting(key, sources, &from_file))
            .collect();
        let settings = Self {
            settings,
            unknown_variables: unknown_variables(sources.environment),
        };
        if faults.found.is_empty() {
            return Ok(settings);
        }
        // A value at fault is told once the file can be used.
        let format = parse::log_format(settings.text("log_format").text.trim());
        faults.log_format = format.unwrap_or_default();
        Err(faults)
    }

    fn text(&self, name: &str) -> &Setting {
        self.settings
            .iter()
            .find(|setting| setting.key.name == name)
            .expect("every name that is asked for is in the list of keys; a test asks for all")
    }
}

fn setting(
    key: &'static Key,
    sources: &Sources<'_>,
    from_file: &BTreeMap<&'static str, (String, String)>,
) -> Setting {
    let (text, origin) = if let Some(text) = sources.flags.get(key.name) {
        (text.clone(), Origin::Flag(format!("--{}", key.flag())))
    } else if let Some(text) = sources.environment.get(&key.variable()) {
        (text.clone(), Origin::Environment(key.variable()))
    } else if let Some((text, place)) = from_file.get(key.name) {
        (text.clone(), Origin::File(place.clone()))
    } else {
        (key.default.to_owned(), Origin::Default)
    };
    Setting { key, text, origin }
}

fn unknown_variables(environment: &BTreeMap<String, String>) -> Vec<String> {
    let known = |name: &str| name == FILE_VARIABLE || KEYS.iter().any(|key| key.variable() == name);
    environment
        .keys()
        .filter(|name| name.starts_with("HERMOD_") && !known(name))
        .cloned()
        .collect()
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people where standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where gRPC push ingress listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcPort {
    /// Nowhere.
    Off,
    /// On 50051, unless another process has it: most nodes have no gRPC source.
    Usual,
    /// There; otherwise the node does not start.
    Is(u16),
}

/// What an acknowledgement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// The sync of its group (I1).
    Always,
    /// Nothing: the log is synced this often.
    Interval(Duration),
    /// Nothing: the operating system writes when it likes.
    Os,
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) mode: String,
    pub(crate) workflows: Option<PathBuf>,
    pub(crate) node_name: String,
    pub(crate) cluster_listen: Option<String>,
    pub(crate) cluster_address: Option<String>,
    pub(crate) cluster_secret_file: Option<PathBuf>,
    pub(crate) peers: Vec<(String, String)>,
    pub(crate) join: Option<String>,
    pub(crate) db_type: String,
    pub(crate) db_conn: String,
    pub(crate) sqlite_busy_timeout: Duration,
    pub(crate) store_key: Option<Secret>,
    pub(crate) worker_guid: Option<String>,
    pub(crate) worker_id: Option<u64>,
    pub(crate) total_workers: Option<u64>,
    pub(crate) worker_port: u16,
    pub(crate) lease_ttl: Duration,
    pub(crate) ready_leases_required: bool,
    pub(crate) cors_allow_origins: Vec<String>,
    pub(crate) hsts_enable: bool,
    pub(crate) worker_reg_token: Option<Secret>,
    pub(crate) listen: IpAddr,
    pub(crate) port: u16,
    pub(crate) grpc_port: GrpcPort,
    pub(crate) connections_max: usize,
    pub(crate) data_dir: PathBuf,
    pub(crate) data_quota: Option<u64>,
    pub(crate) sync: Sync,
    pub(crate) drain_timeout: Duration,
    pub(crate) drop_removed_sinks: Vec<String>,
    pub(crate) idempotency_required: bool,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
}

impl Config {
    /// Checks all values.
    ///
    /// # Errors
    /// Every value that cannot be used, with its origin.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut read = Reading {
            settings,
            faults: &mut faults,
        };
        let config = Self {
            mode: read.value("mode", parse::text),
            workflows: read.value("workflows", parse::directory),
            node_name: read.value("node_name", parse::node_name),
            cluster_listen: read.value("cluster_listen", parse::optional_endpoint),
            cluster_address: read.value("cluster_address", parse::optional_endpoint),
            cluster_secret_file: read.value("cluster_secret_file", parse::optional_path),
            peers: read.value("peers", parse::peers),
            join: read.value("join", parse::optional_endpoint),
            db_type: read.value("db_type", parse::text),
            db_conn: read.value("db_conn", parse::text),
            sqlite_busy_timeout: read.value("sqlite_busy_timeout_ms", parse::milliseconds),
            store_key: read.value("store_key", parse::optional_secret),
            worker_guid: read.value("worker_guid", parse::optional_text),
            worker_id: read.value("worker_id", parse::optional_number),
            total_workers: read.value("total_workers", parse::optional_number),
            worker_port: read.value("worker_port", parse::number),
            lease_ttl: read.value("lease_ttl", parse::lease_ttl),
            ready_leases_required: read.value("ready_leases_required", parse::switch),
            cors_allow_origins: read.value("cors_allow_origins", parse::list),
            hsts_enable: read.value("hsts_enable", parse::switch),
            worker_reg_token: read.value("worker_reg_token", parse::optional_secret),
            listen: read.value("listen", parse::address),
            port: read.value("port", parse::number),
            grpc_port: read.value("grpc_port", parse::grpc_port),
            connections_max: read.value("connections_max", parse::count),
            data_dir: read.value("data_dir", parse::path),
            data_quota: read.value("data_quota", parse::quota),
            sync: read.value("sync", parse::sync),
            drain_timeout: read.value("drain_timeout", parse::duration),
            drop_removed_sinks: read.value("drop_removed_sinks", parse::list),
            idempotency_required: read.value("idempotency_required", parse::switch),
            log: read.value("log", parse::filter),
            log_format: read.value("log_format", parse::log_format),
        };
        if faults.found.is_empty() {
            return Ok(config);
        }
        faults.log_format = config.log_format;
        Err(faults)
    }
}

impl Config {
    /// Returns the name of this node: as it was given, or the host's.
    pub(crate) fn node_name(&self) -> String {
        if !self.node_name.is_empty() {
            return self.node_name.clone();
        }
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = host.chars().filter(|c| fits(*c)).take(63).collect();
        if name.is_empty() {
            "node".to_owned()
        } else {
            name
        }
    }
}

struct Reading<'a> {
    settings: &'a Settings,
    faults: &'a mut Faults,
}

impl Reading<'_> {
    /// Reads one value; the default stands in for one that is at fault, so that all faults are found.
    fn value<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, String>) -> T {
        let setting = self.settings.text(name);
        match parse(setting.text.trim()) {
            Ok(value) => value,
            Err(fault) => {
                let shown = setting.shown();
                let fault = format!("`{name}` = `{shown}` ({}): {fault}", setting.origin);
                self.faults.push_at(name, fault);
                parse(setting.key.default).expect("defaults are valid; a test reads them all")
            }
        }
    }
}

#[cfg(test)]
mod tests;
