//! Sink `postgres`: rows of a table, each batch in one transaction with its token.
//!
//! Without `columns` the table has the columns `id` and `data`, and a message replaces the row of its id. A
//! batch is copied into the table, or through a temporary one where keys are there already. The token, a row of
//! `hermod_tokens` in the same schema, is locked and written in the same transaction: a batch that is written
//! again has no second effect, and an owner that another one has overtaken is refused (`architecture.md`,
//! "Sinks").
//!
//! What an error means: a refusal of data (SQLSTATE classes 22, 23, 44, 54, and P0001) rejects the one message
//! that it is about, and nothing behind it is written until that message is dead-lettered. A refusal of rights,
//! names or syntax (28, 3D, 3F, 42, 0A) pauses the sink until a person has looked (`Auth`). Everything else,
//! a lost connection, a deadlock, a full disk, is `Unavailable`; the outcome of a commit whose answer was lost is
//! found out from the token.

mod address;
mod config;
mod failure;
mod load;
mod name;
mod row;
mod session;
mod target;
mod token;

use std::time::Duration;

use async_trait::async_trait;
use hermod_sdk::{
    Batch, Committed, Confirms, ConnectorError, Locality, Repeats, Sink, SinkConnector,
    SinkContext, Spec, Stability, Written,
};
use tokio::time::timeout;

use self::{address::Address, failure::timed_out, load::Pace, session::Session};

pub use config::{
    PostgresColumn, PostgresDataType, PostgresOperationMode, PostgresSinkConfig, PostgresSslMode,
};

/// Writes messages into a table of PostgreSQL.
///
/// # Durability
/// It confirms `durable`: the commit that holds the message was answered, with `synchronous_commit` at least
/// `on`. A server that runs with `fsync = off` breaks that promise.
///
/// # Cancel safety
/// A dropped `write` ends its connection. Whether its transaction was committed is found out from the token by
/// the next one.
pub struct PostgresSink {
    config: PostgresSinkConfig,
    address: Address,
    cx: SinkContext,
    /// Absent after a failure; the next write connects anew.
    session: Option<Session>,
    pace: Pace,
    committed: Vec<Committed>,
}

#[async_trait]
impl Sink for PostgresSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        // Taken out for the time of the write: after an error or a dropped future nobody knows what state the
        // connection is in, so it is not used again.
        let session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => Session::open(&self.address, &self.config, &self.cx).await?,
        };
        let limit = Duration::from_millis(self.config.timeout_ms);
        let written = timeout(limit, session.load(batch, &mut self.pace))
            .await
            .map_err(|_| timed_out("writing a batch", limit))??;
        self.session = Some(session);
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        // Nothing is held back: `write` returns after the commit.
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        Ok(())
    }

    fn committed(&self) -> &[Committed] {
        &self.committed
    }
}

#[async_trait]
impl SinkConnector for PostgresSink {
    const SPEC: Spec = Spec {
        kind: "postgres",
        title: "PostgreSQL",
        summary: "Writes messages into a table, each batch in one transaction with its token.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Durable,
        repeats: Repeats::Transactional,
        rereadable: false,
        partial: false,
    };
    type Config = PostgresSinkConfig;

    async fn open(config: Self::Config, cx: SinkContext) -> Result<Self, ConnectorError> {
        let address = Address::of(&config)?;
        let mut session = Session::open(&address, &config, &cx).await?;
        let committed = session
            .take(&cx, Duration::from_millis(config.timeout_ms))
            .await?;
        Ok(Self {
            config,
            address,
            cx,
            session: Some(session),
            pace: Pace::default(),
            committed,
        })
    }

    async fn probe(config: &Self::Config) -> Result<(), ConnectorError> {
        Session::probe(&Address::of(config)?, config).await
    }
}
