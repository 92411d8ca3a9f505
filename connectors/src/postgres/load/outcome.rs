//! What a transaction means for the token and for each message.

use hermod_sdk::{Batch, Outcome, Position, Record, Written};

/// How far a transaction got.
pub(super) struct Reached {
    /// How many of the fresh records are written: all of them, or those before the refused one's number.
    pub(super) count: usize,
    pub(super) refused: Option<Refused>,
}

/// The record at which a transaction stopped.
pub(super) struct Refused {
    /// Its place among the fresh records.
    pub(super) index: usize,
    pub(super) reason: String,
}

/// Returns the sequence number and the position that the token has after this transaction; `None` if they are
/// what it has already, or nothing of the batch stands before a refused record.
pub(super) fn new_token<'a>(
    batch: &'a Batch,
    held: Option<u64>,
    fresh: &[&'a Record],
    reached: &Reached,
) -> Option<(u64, Option<&'a Position>)> {
    let Some(refused) = &reached.refused else {
        let is_new = held.is_none_or(|held| batch.token.last > held);
        return is_new.then_some((batch.token.last, batch.token.position.as_ref()));
    };
    // Behind a refused message nothing is written until its dead letter is on disk: the token stops just
    // before it. Numbers without a record there were filtered on purpose.
    let done = &fresh[..reached.count];
    let refused = fresh.get(refused.index)?;
    let mut latest = done.iter().rev();
    let position = latest.find_map(|record| record.message.position.as_ref());
    (!done.is_empty()).then(|| (refused.seq - 1, position))
}

/// Says what became of each message.
pub(super) fn written(batch: &Batch, held: Option<u64>, reached: &Reached) -> Written {
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
pub(super) fn number_start(records: &[&Record], mut index: usize) -> usize {
    while index > 0 && records[index - 1].seq == records[index].seq {
        index -= 1;
    }
    index
}

/// Returns where the records of one number end.
pub(super) fn number_end(records: &[&Record], index: usize) -> usize {
    let seq = records[index].seq;
    let more = records[index..]
        .iter()
        .take_while(|record| record.seq == seq);
    index + more.count()
}
