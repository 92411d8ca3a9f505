//! The transactional token: one row per workflow, sink and stream in the table `hermod_tokens`.
//!
//! A row holds the epoch of the lease under which the stream is written, the last sequence number that is
//! written, and the source position after it. It is locked and written in the transaction of the data itself,
//! so it says exactly what the table holds. The epoch only fences, the sequence only skips repeats; they are
//! never compared as a pair. The row with an empty stream name is the fence of the whole sink (I5).

use bytes::Bytes;
use hermod_sdk::{
    Batch, Committed, ConnectorError, ErrorKind, Position, Record, SinkContext, Tenure, Text,
};
use tokio_postgres::{Client, Row, Statement};

use super::failure::connector_error;

/// Statements that lock and write a stream's row.
pub(super) struct TokenStatements {
    pub(super) lock: Statement,
    pub(super) update: Statement,
}

/// What a stream's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Last sequence number that is written.
    pub(super) last: Option<u64>,
}

/// Returns the statement that creates the table. Half of each page is left free, so that the rows, which are
/// written with every batch, are updated in place.
pub(super) fn create_sql(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (workflow text NOT NULL, sink text NOT NULL, stream text NOT NULL, \
         epoch bigint NOT NULL, sequence bigint, position bytea, updated_at timestamptz NOT NULL DEFAULT now(), \
         PRIMARY KEY (workflow, sink, stream)) WITH (fillfactor = 50)"
    )
}

impl Held {
    /// Returns a batch's records that are not written yet.
    pub(super) fn fresh<'a>(&self, batch: &'a Batch) -> Vec<&'a Record> {
        let is_fresh = |record: &&Record| self.last.is_none_or(|last| record.seq > last);
        batch.records.iter().filter(is_fresh).collect()
    }
}

impl TokenStatements {
    pub(super) async fn prepare(
        client: &Client,
        table: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let row = "workflow = $1 AND sink = $2 AND stream = $3";
        let lock = format!("SELECT epoch, sequence FROM {table} WHERE {row} FOR UPDATE");
        let update = format!(
            "UPDATE {table} SET epoch = $4, sequence = GREATEST(sequence, $5), \
             position = COALESCE($6, position), updated_at = now() WHERE {row}"
        );
        Ok(Self {
            lock: client.prepare(&lock).await?,
            update: client.prepare(&update).await?,
        })
    }
}

/// Reads a locked row and refuses the batch if it is not ours to write.
pub(super) fn check(row: Option<&Row>, stream: &str, epoch: u64) -> Result<Held, ConnectorError> {
    // I5: without a row of its own, or under a higher epoch there, a writer is stale.
    let Some(row) = row else {
        let message = format!(
            "the sink holds no row of the stream `{stream}`; a newer owner has taken it over"
        );
        return Err(ConnectorError::new(ErrorKind::Fenced, message));
    };
    let held = number(row.try_get("epoch").map_err(connector_error)?)?;
    if held > epoch {
        return Err(fenced(stream, held, epoch));
    }
    let last: Option<i64> = row.try_get("sequence").map_err(connector_error)?;
    Ok(Held {
        last: last.map(number).transpose()?,
    })
}

/// Opens the sink under a lease's epoch, in one transaction, and returns what the streams hold.
pub(super) async fn take(
    client: &mut Client,
    table: &str,
    cx: &SinkContext,
) -> Result<Vec<Committed>, ConnectorError> {
    if cx.stream.is_empty() {
        let message = "the stream's name is empty, which is the name of the fence";
        return Err(ConnectorError::new(ErrorKind::Internal, message));
    }
    let transaction = client.transaction().await.map_err(connector_error)?;
    let (workflow, sink, stream) = (&*cx.workflow, &*cx.sink, &*cx.stream);
    let epoch = stored(cx.epoch)?;
    let ours = "workflow = $1 AND sink = $2";

    // I5: whoever opens locks the fence first, so that two of them never raise rows at the same time.
    let insert = format!(
        "INSERT INTO {table} (workflow, sink, stream, epoch) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    );
    transaction
        .execute(&insert, &[&workflow, &sink, &"", &0_i64])
        .await
        .map_err(connector_error)?;
    let fence = format!("SELECT epoch FROM {table} WHERE {ours} AND stream = '' FOR UPDATE");
    let row = transaction
        .query_one(&fence, &[&workflow, &sink])
        .await
        .map_err(connector_error)?;
    let fence = number(row.try_get(0).map_err(connector_error)?)?;
    if fence > cx.epoch {
        return Err(fenced("", fence, cx.epoch));
    }

    match cx.tenure {
        // All rows: those of streams that other nodes still write, too.
        Tenure::Owner => {
            let raise = format!(
                "UPDATE {table} SET epoch = $3, updated_at = now() WHERE {ours} AND epoch < $3"
            );
            transaction
                .execute(&raise, &[&workflow, &sink, &epoch])
                .await
        }
        Tenure::Drain => {
            let raise = format!(
                "UPDATE {table} SET epoch = $4, updated_at = now() \
                 WHERE {ours} AND stream = $3 AND epoch < $4"
            );
            transaction
                .execute(&raise, &[&workflow, &sink, &stream, &epoch])
                .await
        }
    }
    .map_err(connector_error)?;
    transaction
        .execute(&insert, &[&workflow, &sink, &stream, &epoch])
        .await
        .map_err(connector_error)?;

    let list = format!(
        "SELECT stream, epoch, sequence, position FROM {table} WHERE {ours} AND stream <> '' ORDER BY stream"
    );
    let rows = transaction
        .query(&list, &[&workflow, &sink])
        .await
        .map_err(connector_error)?;
    let mut held = Vec::new();
    for row in &rows {
        let name: &str = row.try_get(0).map_err(connector_error)?;
        let its_epoch = number(row.try_get(1).map_err(connector_error)?)?;
        if name == stream && its_epoch > cx.epoch {
            return Err(fenced(stream, its_epoch, cx.epoch));
        }
        held.extend(committed(row, name, its_epoch)?);
    }
    transaction.commit().await.map_err(connector_error)?;
    Ok(held)
}

/// Returns what a row says; nothing if nothing of its stream was written yet.
fn committed(row: &Row, stream: &str, epoch: u64) -> Result<Option<Committed>, ConnectorError> {
    let last: Option<i64> = row.try_get(2).map_err(connector_error)?;
    let position: Option<Vec<u8>> = row.try_get(3).map_err(connector_error)?;
    let Some(last) = last else { return Ok(None) };
    // A position that cannot be read is `Corrupt`, never "none".
    let position = position
        .map(|bytes| Position::from_bytes(&Bytes::from(bytes)))
        .transpose()?;
    Ok(Some(Committed {
        stream: Text::from(stream),
        epoch,
        last: number(last)?,
        position,
    }))
}

fn fenced(stream: &str, held: u64, ours: u64) -> ConnectorError {
    let whose = if stream.is_empty() {
        "the sink".to_owned()
    } else {
        format!("the stream `{stream}`")
    };
    let message = format!(
        "{whose} is held under epoch {held}, ours is {ours}: a newer owner has taken it over"
    );
    ConnectorError::new(ErrorKind::Fenced, message)
}

/// Returns a number as the database keeps it.
pub(super) fn stored(number: u64) -> Result<i64, ConnectorError> {
    i64::try_from(number).map_err(|_| {
        let message = format!("{number} is too large for the token's column");
        ConnectorError::new(ErrorKind::Internal, message)
    })
}

fn number(stored: i64) -> Result<u64, ConnectorError> {
    u64::try_from(stored).map_err(|_| {
        let message = format!("the token holds {stored}, which is not one of its numbers");
        ConnectorError::new(ErrorKind::Corrupt, message)
    })
}
