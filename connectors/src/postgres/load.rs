//! A batch in one transaction: the token's row, the data, the token again.
//!
//! Three ways lead there. `Direct` copies the rows into the table itself; it is the fastest, and fails when a
//! key is there already. `Staged` copies them into a temporary table and moves them from there with one
//! statement that inserts, replaces and deletes. `Narrow` does the same in ever smaller parts, to find the one
//! row that the server refuses.

mod narrow;

use std::{ops::Range, pin::pin};

use bytes::Bytes;
use futures_util::SinkExt as _;
use hermod_sdk::{Batch, ConnectorError, ErrorKind, Operation, Outcome, Position, Record, Written};
use tokio_postgres::{Statement, types::ToSql};

use super::{
    PostgresOperationMode,
    failure::{Failure, connector_error},
    row::Rows,
    session::Session,
    token,
};

/// How much is handed to the connection at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Longest stretch of batches for which the direct way is not tried after it has failed.
const PAUSE_MAX: u32 = 255;

/// Says when the direct way is worth a try: each failure doubles the stretch of batches that go without it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pause: u32,
    left: u32,
}

impl Pace {
    fn allows(&mut self) -> bool {
        let is_over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_over
    }

    fn failed(&mut self) {
        self.pause = (2 * self.pause + 1).min(PAUSE_MAX);
        self.left = self.pause;
    }

    fn worked(&mut self) {
        self.pause = 0;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Staged,
    Narrow,
}

/// How far a transaction got.
struct Reached {
    /// How many of the fresh records are written: all of them, or those before the refused one's number.
    count: usize,
    refused: Option<Refused>,
}

/// The record at which a transaction stopped.
struct Refused {
    /// Its place among the fresh records.
    index: usize,
    reason: String,
}

impl Session {
    /// Writes a batch.
    ///
    /// An error leaves the transaction, and perhaps the connection, as it is: the session is to be dropped.
    pub(super) async fn load(
        &self,
        batch: &Batch,
        pace: &mut Pace,
    ) -> Result<Written, ConnectorError> {
        let mut way = self.first_way(batch, pace);
        loop {
            let refusal = match self.attempt(batch, way).await {
                Ok(written) => {
                    if way == Way::Direct {
                        pace.worked();
                    }
                    return Ok(written);
                }
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::Refused(refusal)) => refusal,
            };
            self.client
                .batch_execute("ROLLBACK")
                .await
                .map_err(connector_error)?;
            way = match way {
                Way::Direct if refusal.unique && self.upserts() => {
                    pace.failed();
                    Way::Staged
                }
                Way::Direct | Way::Staged => Way::Narrow,
                // Refused by something that looks at the transaction as a whole.
                Way::Narrow => {
                    return Err(ConnectorError::new(ErrorKind::Rejected, refusal.reason));
                }
            };
        }
    }

    fn upserts(&self) -> bool {
        self.target.mode != PostgresOperationMode::Insert
    }

    fn first_way(&self, batch: &Batch, pace: &mut Pace) -> Way {
        let is_new = |record: &Record| {
            matches!(
                record.message.operation,
                Operation::Event | Operation::Create | Operation::Snapshot
            )
        };
        let direct = self.target.takes_copy
            && (!self.upserts() || (batch.records.iter().all(is_new) && pace.allows()));
        if direct { Way::Direct } else { Way::Staged }
    }

    async fn attempt(&self, batch: &Batch, way: Way) -> Result<Written, Failure> {
        let stream = &*batch.token.stream;
        let (workflow, sink) = (&*self.workflow, &*self.sink);
        let key: [&(dyn ToSql + Sync); 3] = [&workflow, &sink, &stream];
        // Sent together: one round trip.
        let (begin, row) = tokio::join!(
            biased;
            self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
            self.client.query_opt(&self.token.lock, &key),
        );
        begin?;
        let held = token::check(row?.as_ref(), stream, batch.token.epoch)?;
        let is_fresh = |record: &&Record| held.last.is_none_or(|last| record.seq > last);
        let fresh: Vec<&Record> = batch.records.iter().filter(is_fresh).collect();

        let reached = self.put(&fresh, way).await?;
        let Some((last, position)) = new_token(batch, &fresh, &reached) else {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(written(batch, held.last, &reached));
        };
        if held.last.is_some_and(|held| held >= last) {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(written(batch, held.last, &reached));
        }
        let (epoch, last) = (token::stored(batch.token.epoch)?, token::stored(last)?);
        let position = position.map(Position::to_bytes);
        let values: [&(dyn ToSql + Sync); 6] =
            [&workflow, &sink, &stream, &epoch, &last, &position];
        // The token in the data's own transaction: both stand, or neither does.
        let (updated, committed) = tokio::join!(
            biased;
            self.client.execute(&self.token.update, &values),
            self.client.batch_execute("COMMIT"),
        );
        updated?;
        committed?;
        Ok(written(batch, held.last, &reached))
    }

    /// Puts records into the table, in the transaction that is open.
    async fn put(&self, fresh: &[&Record], way: Way) -> Result<Reached, Failure> {
        let staged = match way {
            Way::Direct => false,
            Way::Staged => true,
            Way::Narrow => self.upserts() || !self.target.takes_copy,
        };
        let (mut rows, reason) = Rows::encode(&self.target, fresh, staged);
        let index = rows.len();
        let refused = reason.map(|reason| Refused { index, reason });
        if refused.is_some() {
            rows.truncate(number_start(fresh, index));
        }
        let whole = Reached {
            count: rows.len(),
            refused,
        };
        if rows.len() == 0 {
            return Ok(whole);
        }
        match way {
            Way::Direct | Way::Staged => {
                self.put_part(&rows, 0..rows.len(), staged).await?;
                Ok(whole)
            }
            Way::Narrow => Ok(self.narrow(fresh, &rows, staged).await?.unwrap_or(whole)),
        }
    }

    async fn put_part(
        &self,
        rows: &Rows,
        part: Range<usize>,
        staged: bool,
    ) -> Result<(), tokio_postgres::Error> {
        let bytes = rows.slice(part);
        let staged = match &self.staged {
            Some(statements) if staged => statements,
            _ => return self.copy(&self.copy, bytes).await,
        };
        self.copy(&staged.copy, bytes).await?;
        if rows.has_delete
            && let Some(delete) = &staged.delete
        {
            self.client.execute(delete, &[]).await?;
        }
        self.client.execute(&staged.merge, &[]).await?;
        Ok(())
    }

    async fn copy(
        &self,
        statement: &Statement,
        mut bytes: Bytes,
    ) -> Result<(), tokio_postgres::Error> {
        let mut sink = pin!(self.client.copy_in(statement).await?);
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            sink.feed(chunk).await?;
        }
        sink.finish().await?;
        Ok(())
    }
}

/// Returns the sequence number and the position that the token has after this transaction; `None` if nothing
/// of the batch stands before a refused record.
fn new_token<'a>(
    batch: &'a Batch,
    fresh: &[&'a Record],
    reached: &Reached,
) -> Option<(u64, Option<&'a Position>)> {
    let Some(refused) = &reached.refused else {
        return Some((batch.token.last, batch.token.position.as_ref()));
    };
    // Behind a refused message nothing is written until its dead letter is on disk: the token stops just
    // before it. Numbers without a record there were filtered on purpose.
    let done = &fresh[..reached.count];
    let refused = fresh.get(refused.index)?;
    let position = done
        .iter()
        .rev()
        .find_map(|record| record.message.position.as_ref());
    (!done.is_empty()).then(|| (refused.seq - 1, position))
}

fn written(batch: &Batch, held: Option<u64>, reached: &Reached) -> Written {
    let Some(refused) = &reached.refused else {
        return Written::All;
    };
    let mut fresh = 0..;
    let outcomes = batch.records.iter().map(|record| {
        if held.is_some_and(|last| record.seq <= last) {
            return Outcome::Written;
        }
        match fresh.next() {
            Some(index) if index < reached.count => Outcome::Written,
            Some(index) if index == refused.index => Outcome::Rejected {
                reason: refused.reason.clone(),
            },
            _ => Outcome::Retry {
                reason: "a message before it, or of the same number, is refused".to_owned(),
                after: None,
            },
        }
    });
    Written::Each(outcomes.collect())
}

/// Returns where the records of one number begin. A workflow may make several messages of one: the token counts
/// them as one, so they are written together or not at all.
fn number_start(records: &[&Record], mut index: usize) -> usize {
    while index > 0 && records[index - 1].seq == records[index].seq {
        index -= 1;
    }
    index
}

/// Returns where the records of one number end.
fn number_end(records: &[&Record], index: usize) -> usize {
    let seq = records[index].seq;
    let more = records[index..]
        .iter()
        .take_while(|record| record.seq == seq);
    index + more.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direct_way_is_tried_less_and_less_while_it_fails() {
        let mut pace = Pace::default();
        let mut tries = Vec::new();
        for batch in 0..40 {
            if pace.allows() {
                tries.push(batch);
                pace.failed();
            }
        }
        assert_eq!(tries, [0, 2, 6, 14, 30]);
        pace.worked();
        pace.left = 0;
        assert!(pace.allows() && pace.allows());
    }
}
