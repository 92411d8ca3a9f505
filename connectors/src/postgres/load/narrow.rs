//! Finding the one record that the server refuses.

use std::ops::Range;

use hermod_sdk::Record;

use super::outcome::{Reached, Refused, number_end};
use crate::postgres::{
    failure::{Failure, Refusal},
    row::Rows,
    session::Session,
};

impl Session {
    /// Puts all rows before the number of the first refused one; `None` if none is refused on its own.
    ///
    /// Halves the part that is suspected. A half that goes through stays, so each row is sent a few times at
    /// most, and in the end the rows before the refused one stand in the transaction. Records of one number
    /// are never parted.
    pub(super) async fn narrow(
        &self,
        records: &[&Record],
        rows: &Rows,
        staged: bool,
    ) -> Result<Option<Reached>, Failure> {
        // A deferred constraint would speak up at the commit only, without saying which row it means.
        self.client
            .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
            .await?;
        let (mut done, mut suspected) = (0, rows.len());
        while done < rows.len() {
            if done == suspected {
                suspected = rows.len();
            }
            let first = number_end(records, done);
            let middle = number_end(records, done + (suspected - done - 1) / 2);
            let end = if middle < suspected { middle } else { first };
            match self.try_part(rows, done..end, staged).await? {
                None => done = end,
                Some(refusal) if end == first => {
                    let refused = self.culprit(rows, done..end, staged, refusal).await?;
                    return Ok(Some(Reached {
                        count: done,
                        refused: Some(refused),
                    }));
                }
                Some(_) => suspected = end,
            }
        }
        Ok(None)
    }

    /// Finds the refused one among the rows of one number, and takes all of them back.
    async fn culprit(
        &self,
        rows: &Rows,
        part: Range<usize>,
        staged: bool,
        whole: Refusal,
    ) -> Result<Refused, Failure> {
        let mut found = Refused {
            index: part.end - 1,
            reason: whole.reason,
        };
        if part.len() == 1 {
            return Ok(found);
        }
        self.client.batch_execute("SAVEPOINT number").await?;
        for index in part {
            if let Some(refusal) = self.try_part(rows, index..index + 1, staged).await? {
                found = Refused {
                    index,
                    reason: refusal.reason,
                };
                break;
            }
        }
        self.client
            .batch_execute("ROLLBACK TO SAVEPOINT number; RELEASE SAVEPOINT number")
            .await?;
        Ok(found)
    }

    /// Puts some rows, or takes all of them back and returns the refusal.
    async fn try_part(
        &self,
        rows: &Rows,
        part: Range<usize>,
        staged: bool,
    ) -> Result<Option<Refusal>, Failure> {
        self.client.batch_execute("SAVEPOINT part").await?;
        let put = async {
            self.put_part(rows, part, staged).await?;
            if let Some(staged) = &self.staged {
                self.client.execute(&staged.clear, &[]).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        };
        let failure = match put.await {
            Ok(()) => {
                self.client.batch_execute("RELEASE SAVEPOINT part").await?;
                return Ok(None);
            }
            Err(error) => Failure::from(error),
        };
        match failure {
            Failure::Error(_) => Err(failure),
            Failure::Refused(refusal) => {
                self.client
                    .batch_execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
                    .await?;
                Ok(Some(refusal))
            }
        }
    }
}
