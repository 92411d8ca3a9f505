//! A batch in one transaction: the token's row, the data, the token again.
//!
//! Three ways lead there. `Direct` copies the rows into the table itself; it is the fastest, and fails when a
//! key is there already. `Staged` copies them into a temporary table and moves them from there with one
//! statement that inserts, replaces and deletes. `Narrow` does the same in ever smaller parts, to find the one
//! row that the server refuses.

mod narrow;
mod outcome;
mod transaction;

use hermod_sdk::{Batch, ConnectorError, ErrorKind, Operation, Record, Written};

use super::{
    PostgresOperationMode,
    failure::{Failure, connector_error},
    session::Session,
};

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
