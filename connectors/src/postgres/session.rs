//! One connection with everything that is prepared on it.

use std::time::Duration;

use hermod_sdk::{Committed, ConnectorError, ErrorKind, SinkContext, Text};
use tokio::{task::JoinSet, time::timeout};
use tokio_postgres::{Client, Statement};

use super::{
    PostgresOperationMode, PostgresSinkConfig,
    address::Address,
    failure::{connector_error, timed_out},
    target::Target,
    token::{self, TokenStatements},
};

/// How long a transaction may wait for its client. It ends the transaction of an owner that is suspended while
/// it holds the token's row, so that the next owner does not wait for it.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);
/// How long a closed connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// An open connection. Dropping it ends the connection, and with it a transaction that is under way.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) workflow: Text,
    pub(super) sink: Text,
    pub(super) target: Target,
    pub(super) token: TokenStatements,
    /// COPY into the table itself.
    pub(super) copy: Statement,
    /// Absent where rows are only added and the table takes COPY.
    pub(super) staged: Option<Staged>,
    connection: JoinSet<()>,
}

/// The way through the staging table.
pub(super) struct Staged {
    pub(super) copy: Statement,
    pub(super) delete: Option<Statement>,
    pub(super) merge: Statement,
    pub(super) clear: Statement,
}

impl Session {
    /// Connects, creates what is missing, and prepares the statements.
    pub(super) async fn open(
        address: &Address,
        config: &PostgresSinkConfig,
        cx: &SinkContext,
    ) -> Result<Self, ConnectorError> {
        let (mut client, connection) = connect(address, config).await?;
        let limit = Duration::from_millis(config.timeout_ms);
        let prepared = timeout(limit, async {
            let target = Target::ensure(&mut client, config).await?;
            Prepared::on(&client, target).await
        })
        .await
        .map_err(|_| timed_out("looking at the target's tables", limit))??;
        if prepared.is_unsafe {
            tracing::warn!(
                database = %address.shown,
                "PostgreSQL runs with `fsync = off`: a crash of its machine may lose what it has confirmed"
            );
        }
        Ok(Self {
            client,
            workflow: cx.workflow.clone(),
            sink: cx.sink.clone(),
            target: prepared.target,
            token: prepared.token,
            copy: prepared.copy,
            staged: prepared.staged,
            connection,
        })
    }

    /// Connects and looks at the table, without creating or writing anything.
    pub(super) async fn probe(
        address: &Address,
        config: &PostgresSinkConfig,
    ) -> Result<(), ConnectorError> {
        let (client, _connection) = connect(address, config).await?;
        let limit = Duration::from_millis(config.timeout_ms);
        let found = timeout(limit, Target::find(&client, config))
            .await
            .map_err(|_| timed_out("looking at the target's tables", limit))??;
        if found.is_none() && !config.create_table {
            let message = format!("the table `{}` does not exist", config.table);
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        }
        Ok(())
    }

    /// Takes the sink's rows under the lease's epoch.
    pub(super) async fn take(
        &mut self,
        cx: &SinkContext,
        limit: Duration,
    ) -> Result<Vec<Committed>, ConnectorError> {
        timeout(
            limit,
            token::take(&mut self.client, &self.target.tokens, cx),
        )
        .await
        .map_err(|_| timed_out("taking the sink's token", limit))?
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends the connection in good order.
    pub(super) async fn close(self) {
        let Self {
            client,
            mut connection,
            ..
        } = self;
        drop(client);
        if timeout(GOODBYE, connection.join_next()).await.is_err() {
            tracing::debug!("the connection to PostgreSQL did not end in time and is cut");
        }
    }
}

struct Prepared {
    target: Target,
    token: TokenStatements,
    copy: Statement,
    staged: Option<Staged>,
    /// Whether the server does not put on disk what it confirms.
    is_unsafe: bool,
}

impl Prepared {
    async fn on(client: &Client, target: Target) -> Result<Self, ConnectorError> {
        let failed = connector_error;
        let token = TokenStatements::prepare(client, &target.tokens)
            .await
            .map_err(failed)?;
        let copy = client.prepare(&target.copy_sql()).await.map_err(failed)?;
        let only_adds = target.mode == PostgresOperationMode::Insert;
        let staged = if only_adds && target.takes_copy {
            None
        } else {
            Some(Staged::prepare(client, &target).await.map_err(failed)?)
        };
        let fsync = client
            .query_one("SELECT current_setting('fsync') = 'off'", &[])
            .await
            .map_err(failed)?;
        Ok(Self {
            target,
            token,
            copy,
            staged,
            is_unsafe: fsync.try_get(0).map_err(failed)?,
        })
    }
}

impl Staged {
    async fn prepare(client: &Client, target: &Target) -> Result<Self, tokio_postgres::Error> {
        client.batch_execute(&target.create_staging_sql()).await?;
        let merge = target.merge_sql();
        // Planning it finds out now whether there is a unique index on the key; without one, repeats would add
        // rows.
        client.simple_query(&format!("EXPLAIN {merge}")).await?;
        let delete = match target.mode {
            PostgresOperationMode::Auto => Some(client.prepare(&target.delete_sql()).await?),
            PostgresOperationMode::Insert | PostgresOperationMode::Upsert => None,
        };
        Ok(Self {
            copy: client.prepare(&target.copy_staging_sql()).await?,
            delete,
            merge: client.prepare(&merge).await?,
            clear: client.prepare("DELETE FROM pg_temp.hermod_staging").await?,
        })
    }
}

async fn connect(
    address: &Address,
    config: &PostgresSinkConfig,
) -> Result<(Client, JoinSet<()>), ConnectorError> {
    let limit = Duration::from_millis(config.connect_timeout_ms);
    let connecting = async {
        let (client, connection) = address
            .options
            .connect(address.tls.clone())
            .await
            .map_err(|error| reach_error(address, error))?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to PostgreSQL ended");
            }
        });
        prepare_session(&client, config)
            .await
            .map_err(connector_error)?;
        Ok((client, task))
    };
    timeout(limit, connecting)
        .await
        .map_err(|_| timed_out(&format!("connecting to `{}`", address.shown), limit))?
}

fn reach_error(address: &Address, error: tokio_postgres::Error) -> ConnectorError {
    if error.as_db_error().is_some() {
        return connector_error(error);
    }
    let message = format!("`{}` cannot be reached", address.shown);
    ConnectorError::new(ErrorKind::Unavailable, message).with_source(error)
}

async fn prepare_session(
    client: &Client,
    config: &PostgresSinkConfig,
) -> Result<(), tokio_postgres::Error> {
    let (limit, idle) = (config.timeout_ms, IDLE_IN_TRANSACTION.as_millis());
    // Times without a zone are read as UTC, whatever the server's zone is. A commit that is not on disk is no
    // confirmation (I3), so a default of `off` is not taken over.
    client
        .batch_execute(&format!(
            "SET statement_timeout = {limit}; SET idle_in_transaction_session_timeout = {idle}; \
             SET TimeZone = 'UTC'; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        ))
        .await
}
