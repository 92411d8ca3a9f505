//! What other processes have changed, found by asking.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, SqliteConnection};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{fault, rows, rows::Head, shared::Shared, writer::Alive};
use crate::StoreErrorKind;

/// How often it is asked. The question takes no lock and reads no page.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Follower {
    connection: SqliteConnection,
    shared: Arc<Shared>,
    closing: CancellationToken,
    /// What SQLite calls the state of the file; it is another after every commit of another connection.
    version: Option<i64>,
}

impl Follower {
    pub(super) fn new(
        connection: SqliteConnection,
        shared: Arc<Shared>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            connection,
            shared,
            closing,
            version: None,
        }
    }

    pub(super) async fn run(mut self) {
        let _alive = Alive(self.shared.clone());
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.closing.cancelled() => break,
                _ = ticks.tick() => {}
            }
            match self.look().await {
                Ok(()) => failing = false,
                Err(error) => {
                    let error = fault::explain(error, "read");
                    if error.kind() == StoreErrorKind::Stopped {
                        self.shared.stop(&error);
                        break;
                    }
                    if !failing {
                        tracing::warn!(%error, "the database does not say what has changed");
                    }
                    failing = true;
                }
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }

    async fn look(&mut self) -> sqlx::Result<()> {
        let version = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut self.connection)
            .await?;
        if self.version == Some(version) {
            self.shared.heard();
            return Ok(());
        }
        // One snapshot: the counters and the changes that led to them.
        let mut transaction = self.connection.begin().await?;
        let head = Head::read(&mut transaction).await?;
        let changes = rows::changes(&mut transaction, self.shared.next_change()).await?;
        transaction.commit().await?;
        self.shared.announce(head, changes);
        // Only now, so that what could not be read is asked for again.
        self.version = Some(version);
        Ok(())
    }
}
