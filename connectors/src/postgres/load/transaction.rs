//! The transaction itself, with as few round trips as it takes: one to lock the token and begin the copy, one for
//! the rows, the token and the commit.

use std::{ops::Range, pin::Pin, pin::pin};

use bytes::Bytes;
use futures_util::SinkExt as _;
use hermod_sdk::{Batch, ConnectorError, ErrorKind, Position, Record, Written};
use tokio_postgres::{CopyInSink, Error, Statement, types::ToSql};

use super::{
    Way,
    outcome::{Reached, Refused, new_token, number_start, written},
};
use crate::postgres::{
    failure::Failure,
    row::Rows,
    session::{Session, Staged},
    token::{self, Held},
};

/// How much is handed to the connection at once.
const CHUNK_BYTES: usize = 256 << 10;

impl Session {
    pub(super) async fn attempt(&self, batch: &Batch, way: Way) -> Result<Written, Failure> {
        match way {
            Way::Direct => self.attempt_whole(batch, None).await,
            Way::Staged => self.attempt_whole(batch, self.staged.as_ref()).await,
            Way::Narrow => self.attempt_narrow(batch).await,
        }
    }

    /// Writes all records, or none of them and returns the refusal.
    async fn attempt_whole(
        &self,
        batch: &Batch,
        staged: Option<&Staged>,
    ) -> Result<Written, Failure> {
        let copy = staged.map_or(&self.copy, |staged| &staged.copy);
        let (held, copy) = tokio::join!(biased; self.begin(batch), self.client.copy_in(copy));
        let held = held?;
        let mut copy = pin!(copy?);
        let fresh = held.fresh(batch);
        let (rows, refused) = self.encode(&fresh, staged.is_some());
        let reached = Reached {
            count: rows.len(),
            refused,
        };
        let bytes = rows.slice(0..rows.len());
        let Some((last, position)) = new_token(batch, held.last, &fresh, &reached) else {
            pour(copy.as_mut(), Bytes::new()).await?;
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(written(batch, held.last, &reached));
        };
        let (delete, merge) = match staged {
            Some(staged) => (
                staged.delete.as_ref().filter(|_| rows.has_delete),
                Some(&staged.merge),
            ),
            None => (None, None),
        };
        // Sent together. Where one of them fails, the rest fail too, and the commit becomes a rollback.
        let (poured, deleted, merged, committed) = tokio::join!(
            biased;
            pour(copy.as_mut(), bytes),
            self.run(delete),
            self.run(merge),
            self.commit(batch, last, position),
        );
        poured?;
        deleted?;
        merged?;
        committed?;
        Ok(written(batch, held.last, &reached))
    }

    /// Writes the records before the one that the server refuses.
    async fn attempt_narrow(&self, batch: &Batch) -> Result<Written, Failure> {
        let held = self.begin(batch).await?;
        let fresh = held.fresh(batch);
        let staged = self.upserts() || !self.target.takes_copy;
        let (rows, refused) = self.encode(&fresh, staged);
        let reached = match self.narrow(&fresh, &rows, staged).await? {
            Some(reached) => reached,
            None => Reached {
                count: rows.len(),
                refused,
            },
        };
        match new_token(batch, held.last, &fresh, &reached) {
            Some((last, position)) => self.commit(batch, last, position).await?,
            None => self.client.batch_execute("ROLLBACK").await?,
        }
        Ok(written(batch, held.last, &reached))
    }

    /// Begins a transaction and locks the token's row.
    async fn begin(&self, batch: &Batch) -> Result<Held, Failure> {
        let stream = &*batch.token.stream;
        let (workflow, sink) = (&*self.workflow, &*self.sink);
        let key: [&(dyn ToSql + Sync); 3] = [&workflow, &sink, &stream];
        let (begun, row) = tokio::join!(
            biased;
            self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
            self.client.query_opt(&self.token.lock, &key),
        );
        begun?;
        Ok(token::check(row?.as_ref(), stream, batch.token.epoch)?)
    }

    /// Writes the token in the data's own transaction, and commits: both stand, or neither does.
    async fn commit(
        &self,
        batch: &Batch,
        last: u64,
        position: Option<&Position>,
    ) -> Result<(), Failure> {
        let stream = &*batch.token.stream;
        let (workflow, sink) = (&*self.workflow, &*self.sink);
        let (epoch, last) = (token::stored(batch.token.epoch)?, token::stored(last)?);
        let position = position.map(Position::to_bytes);
        let values: [&(dyn ToSql + Sync); 6] =
            [&workflow, &sink, &stream, &epoch, &last, &position];
        let (updated, committed) = tokio::join!(
            biased;
            self.client.execute(&self.token.update, &values),
            self.client.batch_execute("COMMIT"),
        );
        if updated? != 1 {
            let message = "the token's row is gone though it was locked";
            return Err(ConnectorError::new(ErrorKind::Internal, message).into());
        }
        committed?;
        Ok(())
    }

    async fn run(&self, statement: Option<&Statement>) -> Result<(), Error> {
        if let Some(statement) = statement {
            self.client.execute(statement, &[]).await?;
        }
        Ok(())
    }

    /// Encodes the records before the number of the first that cannot be encoded.
    fn encode(&self, fresh: &[&Record], staged: bool) -> (Rows, Option<Refused>) {
        let (mut rows, reason) = Rows::encode(&self.target, fresh, staged);
        let index = rows.len();
        let refused = reason.map(|reason| Refused { index, reason });
        if refused.is_some() {
            rows.truncate(number_start(fresh, index));
        }
        (rows, refused)
    }

    /// Puts some rows into the table, in the transaction that is open.
    pub(super) async fn put_part(
        &self,
        rows: &Rows,
        part: Range<usize>,
        staged: bool,
    ) -> Result<(), Error> {
        let staged = self.staged.as_ref().filter(|_| staged);
        let copy = staged.map_or(&self.copy, |staged| &staged.copy);
        let mut copy = pin!(self.client.copy_in(copy).await?);
        pour(copy.as_mut(), rows.slice(part)).await?;
        if let Some(staged) = staged {
            self.run(staged.delete.as_ref().filter(|_| rows.has_delete))
                .await?;
            self.run(Some(&staged.merge)).await?;
        }
        Ok(())
    }
}

/// Sends a copy's rows and ends it.
async fn pour(mut copy: Pin<&mut CopyInSink<Bytes>>, mut bytes: Bytes) -> Result<(), Error> {
    while !bytes.is_empty() {
        let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
        copy.feed(chunk).await?;
    }
    copy.finish().await?;
    Ok(())
}
