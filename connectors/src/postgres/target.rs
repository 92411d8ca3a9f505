//! The table that is written, as the server describes it.

use hermod_sdk::{ConnectorError, ErrorKind, Format};
use tokio_postgres::Client;

use super::{
    PostgresOperationMode, PostgresSinkConfig,
    failure::connector_error,
    name::{TableName, quoted},
    token,
};

/// The key of the advisory lock under which tables are created: "hermod" in ASCII.
const CREATION_LOCK: i64 = 0x6865_726d_6f64;

/// Column of the staging table: the row's number in the batch.
pub(super) const NUMBER: &str = "_hermod_number";
/// Column of the staging table: whether the row is a delete.
pub(super) const IS_DELETE: &str = "_hermod_is_delete";

/// What a column is filled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The message's id.
    Id,
    /// The key by which order is kept.
    Key,
    /// The name of the operation.
    Operation,
    /// The table that the message came from.
    Table,
    /// The payload, or the whole message as a JSON object.
    Body(Format),
    /// A field of the JSON payload, by its dotted path.
    Path(String),
}

/// How a value is written into a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As JSON text.
    Json,
    /// As bytes.
    Bytes,
    /// As text, which the column's own type reads.
    Text,
}

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_key: bool,
    pub(super) field: Field,
    pub(super) kind: Kind,
}

/// The table that is written.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The table's name as SQL spells it, with its schema.
    pub(super) table: String,
    /// The name of the table of tokens.
    pub(super) tokens: String,
    pub(super) columns: Vec<Column>,
    pub(super) mode: PostgresOperationMode,
    /// Whether COPY may write into the table itself; not under row-level security.
    pub(super) takes_copy: bool,
}

impl Target {
    /// Looks at the table without creating anything; `None` if it is not there.
    pub(super) async fn find(
        client: &Client,
        config: &PostgresSinkConfig,
    ) -> Result<Option<Self>, ConnectorError> {
        let name: TableName = parsed(config)?;
        let query = "SELECT n.nspname, c.relkind::text, c.relpersistence::text, row_security_active(c.oid) \
                     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
        let row = client
            .query_opt(query, &[&name.to_string()])
            .await
            .map_err(connector_error)?;
        let Some(row) = row else { return Ok(None) };
        let schema: String = row.try_get(0).map_err(connector_error)?;
        let relation: &str = row.try_get(1).map_err(connector_error)?;
        let persistence: &str = row.try_get(2).map_err(connector_error)?;
        let secured: bool = row.try_get(3).map_err(connector_error)?;
        if !matches!(relation, "r" | "p") {
            let message = format!("{name} is not a table");
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        }
        // I3: a confirmed row must survive a crash of the server.
        if persistence == "u" {
            let message =
                format!("the table {name} is UNLOGGED, so a crash of the server would empty it");
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        }
        let mut target = Self {
            table: format!("{}.{}", quoted(&schema), quoted(&name.table)),
            tokens: format!("{}.hermod_tokens", quoted(&schema)),
            columns: columns(config),
            mode: config.operation_mode,
            takes_copy: !secured,
        };
        target.describe(client).await?;
        Ok(Some(target))
    }

    /// Looks at the table, and creates it and the table of tokens if they are missing and may be created.
    pub(super) async fn ensure(
        client: &mut Client,
        config: &PostgresSinkConfig,
    ) -> Result<Self, ConnectorError> {
        let mut found = Self::find(client, config).await?;
        if found.is_none() {
            let name = parsed(config)?;
            create(client, config, &name.to_string(), &table_sql(config, &name)).await?;
            found = Self::find(client, config).await?;
        }
        let target = found.ok_or_else(|| {
            let message = format!("the table `{}` was created and is gone again", config.table);
            ConnectorError::new(ErrorKind::Unavailable, message)
        })?;
        let found = client
            .query_one("SELECT to_regclass($1) IS NOT NULL", &[&target.tokens])
            .await
            .map_err(connector_error)?;
        if !found.try_get::<_, bool>(0).map_err(connector_error)? {
            let sql = token::create_sql(&target.tokens);
            create(client, config, &target.tokens, &sql).await?;
        }
        Ok(target)
    }

    /// Learns the columns' types, and refuses a mapping onto columns that are not there.
    async fn describe(&mut self, client: &Client) -> Result<(), ConnectorError> {
        // A domain is written like the type below it.
        let query = "SELECT a.attname, COALESCE(NULLIF(t.typbasetype, 0), t.oid)::regtype::text FROM pg_attribute a \
                     JOIN pg_type t ON t.oid = a.atttypid \
                     WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";
        let rows = client
            .query(query, &[&self.table])
            .await
            .map_err(connector_error)?;
        for column in &mut self.columns {
            let found = rows.iter().find(|row| row.get::<_, &str>(0) == column.name);
            let Some(row) = found else {
                let message = format!(
                    "the table {} has no column `{}`; {}",
                    self.table, column.name, "name its columns with `columns`"
                );
                return Err(ConnectorError::new(ErrorKind::Auth, message));
            };
            column.kind = match row.get::<_, &str>(1) {
                "json" | "jsonb" => Kind::Json,
                "bytea" => Kind::Bytes,
                _ => Kind::Text,
            };
        }
        Ok(())
    }

    /// Returns the columns' names, as a list.
    fn names(&self, wanted: impl Fn(&Column) -> bool) -> String {
        let names = self.columns.iter().filter(|column| wanted(column));
        let names: Vec<_> = names.map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }

    /// Copies rows into the table itself.
    pub(super) fn copy_sql(&self) -> String {
        format!("COPY {} ({}) FROM STDIN", self.table, self.names(|_| true))
    }

    /// Creates the staging table: the columns with their names, types and collations, the row's number in the
    /// batch, and whether it is a delete. It empties itself at the end of each transaction.
    pub(super) fn create_staging_sql(&self) -> String {
        format!(
            "CREATE TEMP TABLE hermod_staging ON COMMIT DELETE ROWS AS \
             SELECT {}, 0::bigint AS {NUMBER}, false AS {IS_DELETE} FROM {} WITH NO DATA",
            self.names(|_| true),
            self.table
        )
    }

    /// Copies rows into the staging table.
    pub(super) fn copy_staging_sql(&self) -> String {
        let names = self.names(|_| true);
        format!("COPY pg_temp.hermod_staging ({names}, {NUMBER}, {IS_DELETE}) FROM STDIN")
    }

    /// Moves staged rows into the table. The last row of a key wins; rows are written in the order of their
    /// keys, so that two writers do not wait for each other in a circle.
    pub(super) fn merge_sql(&self) -> String {
        let (table, names) = (&self.table, self.names(|_| true));
        if self.mode == PostgresOperationMode::Insert {
            return format!(
                "INSERT INTO {table} ({names}) SELECT {names} FROM pg_temp.hermod_staging ORDER BY {NUMBER}"
            );
        }
        let keys = self.names(|column| column.is_key);
        let set: Vec<_> = self
            .columns
            .iter()
            .filter(|column| !column.is_key)
            .map(|column| format!("{0} = EXCLUDED.{0}", quoted(&column.name)))
            .collect();
        let action = if set.is_empty() {
            "DO NOTHING".to_owned()
        } else {
            format!("DO UPDATE SET {}", set.join(", "))
        };
        format!(
            "INSERT INTO {table} ({names}) SELECT {names} FROM ({}) s WHERE NOT {IS_DELETE} \
             ON CONFLICT ({keys}) {action}",
            self.last_sql()
        )
    }

    /// Deletes the rows whose key was last staged as a delete.
    pub(super) fn delete_sql(&self) -> String {
        let equal: Vec<_> = self
            .columns
            .iter()
            .filter(|column| column.is_key)
            .map(|column| format!("t.{0} = s.{0}", quoted(&column.name)))
            .collect();
        format!(
            "DELETE FROM {} t USING ({}) s WHERE s.{IS_DELETE} AND {}",
            self.table,
            self.last_sql(),
            equal.join(" AND ")
        )
    }

    fn last_sql(&self) -> String {
        let keys = self.names(|column| column.is_key);
        format!(
            "SELECT DISTINCT ON ({keys}) * FROM pg_temp.hermod_staging ORDER BY {keys}, {NUMBER} DESC"
        )
    }
}

fn parsed(config: &PostgresSinkConfig) -> Result<TableName, ConnectorError> {
    config
        .table
        .parse()
        .map_err(|error| ConnectorError::new(ErrorKind::Internal, format!("{error}")))
}

/// Returns the columns that a configuration names; their kinds are learnt from the server.
fn columns(config: &PostgresSinkConfig) -> Vec<Column> {
    let column = |name: &str, is_key, field| Column {
        name: name.to_owned(),
        is_key,
        field,
        kind: Kind::Text,
    };
    if config.columns.is_empty() {
        return vec![
            column("id", true, Field::Id),
            column("data", false, Field::Body(config.format)),
        ];
    }
    config
        .columns
        .iter()
        .map(|mapped| {
            let field = match mapped.source_field.as_str() {
                "$id" => Field::Id,
                "$key" => Field::Key,
                "$operation" => Field::Operation,
                "$table" => Field::Table,
                "$payload" => Field::Body(Format::Payload),
                path => Field::Path(path.to_owned()),
            };
            column(&mapped.target_column, mapped.is_primary_key, field)
        })
        .collect()
}

fn table_sql(config: &PostgresSinkConfig, name: &TableName) -> String {
    if config.columns.is_empty() {
        let data = config.data_type.name();
        return format!("CREATE TABLE IF NOT EXISTS {name} (id text PRIMARY KEY, data {data})");
    }
    let mut parts: Vec<_> = config
        .columns
        .iter()
        .map(|column| format!("{} {}", quoted(&column.target_column), column.data_type))
        .collect();
    let keys: Vec<_> = config
        .columns
        .iter()
        .filter(|column| column.is_primary_key)
        .map(|column| quoted(&column.target_column))
        .collect();
    if !keys.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", keys.join(", ")));
    }
    format!("CREATE TABLE IF NOT EXISTS {name} ({})", parts.join(", "))
}

/// Creates a table, one creator at a time: two that create the same table at once would both fail.
async fn create(
    client: &mut Client,
    config: &PostgresSinkConfig,
    name: &str,
    sql: &str,
) -> Result<(), ConnectorError> {
    if !config.create_table {
        let message = format!("the table {name} does not exist; set `create_table`, or run: {sql}");
        return Err(ConnectorError::new(ErrorKind::Auth, message));
    }
    let transaction = client.transaction().await.map_err(connector_error)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&CREATION_LOCK])
        .await
        .map_err(connector_error)?;
    transaction
        .batch_execute(sql)
        .await
        .map_err(connector_error)?;
    transaction.commit().await.map_err(connector_error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(config: serde_json::Value) -> Target {
        let config: PostgresSinkConfig = serde_json::from_value(config).unwrap();
        Target {
            table: "\"s\".\"t\"".to_owned(),
            tokens: String::new(),
            columns: columns(&config),
            mode: config.operation_mode,
            takes_copy: true,
        }
    }

    #[test]
    fn case_sql2_an_upsert_acts_on_the_chosen_key_only() {
        let sql = target(json!({"host": "h", "table": "s.t"})).merge_sql();
        assert!(
            sql.ends_with("ON CONFLICT (\"id\") DO UPDATE SET \"data\" = EXCLUDED.\"data\""),
            "{sql}"
        );
    }

    #[test]
    fn case_sql4_where_every_column_is_a_key_there_is_nothing_to_set() {
        let sql = target(json!({"host": "h", "table": "t", "columns": [
            {"source_field": "a", "target_column": "a", "is_primary_key": true},
            {"source_field": "b", "target_column": "b", "is_primary_key": true},
        ]}))
        .merge_sql();
        assert!(
            sql.ends_with("ON CONFLICT (\"a\", \"b\") DO NOTHING"),
            "{sql}"
        );
    }
}
