//! Configuration of the sink `postgres`.

use std::{collections::HashSet, path::PathBuf};

use hermod_sdk::{ConnectorConfig, Format, Problems, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    name::TableName,
    target::{IS_DELETE, NUMBER},
};

/// Whether and how the connection is encrypted, as libpq names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PostgresSslMode {
    /// Never.
    Disable,
    /// If the server offers it; its certificate is not looked at.
    Prefer,
    /// Always; the server's certificate is not looked at.
    Require,
    /// Always, and the certificate must be the named host's.
    VerifyFull,
}

/// Type of the column `data` in a table that is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PostgresDataType {
    /// JSON, kept by value: white space, key order and repeated keys are not kept, numbers are exact.
    #[default]
    Jsonb,
    /// JSON, kept as the text that came.
    Json,
    /// Text in UTF-8 without zero bytes.
    Text,
    /// Any bytes.
    Bytea,
}

impl PostgresDataType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jsonb => "jsonb",
            Self::Json => "json",
            Self::Text => "text",
            Self::Bytea => "bytea",
        }
    }
}

/// What a message does to the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PostgresOperationMode {
    /// A delete deletes the row of its key, everything else inserts or replaces it.
    #[default]
    Auto,
    /// Rows are only added. A key that is there already is refused, and so is a delete.
    Insert,
    /// As `auto`, but a delete is refused.
    Upsert,
}

/// One column that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresColumn {
    /// Dotted path into the JSON payload, or one of `$id`, `$key`, `$operation`, `$table`, `$payload`. A field
    /// that is not there is written as NULL.
    pub source_field: String,
    /// Name of the column.
    pub target_column: String,
    /// Whether the column belongs to the key by which rows are replaced and deleted.
    #[serde(default)]
    pub is_primary_key: bool,
    /// SQL type of the column in a table that is created.
    #[serde(default = "default_column_type")]
    pub data_type: String,
}

fn default_column_type() -> String {
    "text".to_owned()
}

/// Configuration of the sink `postgres`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSinkConfig {
    /// Address of the database, as a URL (`postgres://user:password@host:5432/db`) or as libpq's pairs
    /// (`host=… user=…`). Either this, or `host` and the keys that go with it.
    #[serde(default)]
    pub connection_string: Option<Secret>,
    /// Host name, IP address, or the folder of a Unix socket; by default `localhost`.
    #[serde(default)]
    pub host: Option<String>,
    /// Port of the server.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// User; by default the one that Hermod runs as.
    #[serde(default)]
    pub user: Option<String>,
    /// Password of that user.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Name of the database; by default the user's name.
    #[serde(default)]
    pub dbname: Option<String>,
    /// Whether the connection is encrypted; `prefer` unless the connection string says otherwise. Only
    /// `verify-full` keeps out impostors.
    #[serde(default)]
    pub sslmode: Option<PostgresSslMode>,
    /// PEM file of the authorities that may vouch for the server, in place of the machine's own store; with
    /// `sslmode: verify-full` only.
    #[serde(default)]
    #[schemars(extend("x-advanced" = true))]
    pub sslrootcert: Option<PathBuf>,
    /// Table that is written, `table` or `schema.table`. Upper and lower case are kept; a name with a dot stands
    /// in double quotes.
    #[schemars(example = "public.orders")]
    pub table: String,
    /// What is written into the column `data`: `payload` is the payload as it came, `json` is the whole message
    /// as one JSON object. Without effect where `columns` are given.
    #[serde(default)]
    pub format: Format,
    /// Type of the column `data` if the table is created. The column of a table that exists is written by its
    /// own type. Without effect where `columns` are given.
    #[serde(default)]
    pub data_type: PostgresDataType,
    /// Whether a missing table is created: with `id text PRIMARY KEY` and `data`, or with the `columns`. The table
    /// `hermod_tokens`, which stands in the same schema, is created under the same condition.
    #[serde(default = "default_create_table")]
    pub create_table: bool,
    /// Columns that are written. Without them the table has the columns `id`, which is the message's id and the
    /// key, and `data`.
    #[serde(default)]
    pub columns: Vec<PostgresColumn>,
    /// What a message does to the table.
    #[serde(default)]
    pub operation_mode: PostgresOperationMode,
    /// Name under which the connection is shown in `pg_stat_activity`.
    #[serde(default = "default_application_name")]
    #[schemars(length(min = 1, max = 63), extend("x-advanced" = true))]
    pub application_name: String,
    /// Longest time for writing one batch, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    #[schemars(range(min = 100, max = 3_600_000), extend("x-advanced" = true, "x-unit" = "ms"))]
    pub timeout_ms: u64,
    /// Longest time for connecting, in milliseconds.
    #[serde(default = "default_connect_timeout_ms")]
    #[schemars(range(min = 100, max = 600_000), extend("x-advanced" = true, "x-unit" = "ms"))]
    pub connect_timeout_ms: u64,
}

fn default_port() -> u16 {
    5432
}

fn default_create_table() -> bool {
    true
}

fn default_application_name() -> String {
    "hermod".to_owned()
}

fn default_timeout_ms() -> u64 {
    60_000
}

fn default_connect_timeout_ms() -> u64 {
    10_000
}

impl ConnectorConfig for PostgresSinkConfig {
    fn check(&self, problems: &mut Problems) {
        self.check_address(problems);
        if let Err(error) = self.table.parse::<TableName>() {
            problems.add("/table", error.to_string());
        }
        if self.sslrootcert.is_some() && self.sslmode != Some(PostgresSslMode::VerifyFull) {
            let message = "has an effect with `sslmode: verify-full` only";
            problems.add("/sslrootcert", message);
        }
        let mut names = HashSet::new();
        for (index, column) in self.columns.iter().enumerate() {
            check_column(column, index, problems);
            if !names.insert(&column.target_column) {
                let message = format!("`{}` is written twice", column.target_column);
                problems.add(format!("/columns/{index}/target_column"), message);
            }
        }
        let keyless = !self.columns.iter().any(|column| column.is_primary_key);
        let needs_key = self.operation_mode != PostgresOperationMode::Insert;
        if !self.columns.is_empty() && keyless && needs_key {
            let message = "rows are replaced by their key: mark its columns with `is_primary_key`, \
                           or set `operation_mode: insert`";
            problems.add("/columns", message);
        }
    }

    fn example() -> Value {
        json!({
            "host": "db.example.com",
            "user": "hermod",
            "password": "${env:DB_PASSWORD}",
            "dbname": "shop",
            "sslmode": "verify-full",
            "table": "public.orders",
        })
    }
}

impl PostgresSinkConfig {
    fn check_address(&self, problems: &mut Problems) {
        if self.connection_string.is_none() {
            return;
        }
        let beside = [
            ("/host", self.host.is_some()),
            ("/user", self.user.is_some()),
            ("/password", self.password.is_some()),
            ("/dbname", self.dbname.is_some()),
        ];
        for (pointer, given) in beside {
            if given {
                problems.add(pointer, "stands in `connection_string` already");
            }
        }
    }
}

fn check_column(column: &PostgresColumn, index: usize, problems: &mut Problems) {
    const KNOWN: [&str; 5] = ["$id", "$key", "$operation", "$table", "$payload"];
    let field = &column.source_field;
    if field.starts_with('$') && !KNOWN.contains(&field.as_str()) {
        let message = format!("`{field}` is not one of `{}`", KNOWN.join("`, `"));
        problems.add(format!("/columns/{index}/source_field"), message);
    }
    let name = &column.target_column;
    if name.is_empty() || name.contains('\0') || [NUMBER, IS_DELETE].contains(&name.as_str()) {
        let message = "is not the name of a column";
        problems.add(format!("/columns/{index}/target_column"), message);
    }
    if !is_type_name(&column.data_type) {
        let message = format!("`{}` is not the name of a type", column.data_type);
        problems.add(format!("/columns/{index}/data_type"), message);
    }
}

/// Whether text is a type's name and nothing more: it becomes part of a statement.
fn is_type_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '(' | ')' | ',' | '[' | ']' | '.')
        })
}
