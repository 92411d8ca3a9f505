//! A part of a sink's work: messages that are written together, and what the cursor may pass with them.

use hermod_sdk::{Batch, Position, Record, Text, Token};

use crate::progress::Mark;

/// What the cursor may pass once everything before it is settled.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Boundary {
    pub(super) next: u64,
    pub(super) position: Option<Position>,
}

pub(super) struct Part {
    records: Vec<Record>,
    // How often the sink refused each record.
    refusals: Vec<u32>,
    boundary: Boundary,
}

/// A record with how often the sink refused it.
pub(super) struct Attempt {
    pub(super) record: Record,
    pub(super) refusals: u32,
}

impl Part {
    pub(super) fn new(records: Vec<Record>, boundary: Boundary) -> Self {
        let refusals = vec![0; records.len()];
        Self {
            records,
            refusals,
            boundary,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            next: self.boundary.next,
            position: self.boundary.position.clone(),
        }
    }

    /// Moves the records into a batch; [`Part::take_back`] returns them.
    pub(super) fn lend(&mut self, stream: &Text, epoch: u64) -> Batch {
        let token = Token {
            stream: stream.clone(),
            epoch,
            first: self.records.first().map_or(0, |record| record.seq),
            last: self.boundary.next.saturating_sub(1),
            position: self.boundary.position.clone(),
        };
        Batch {
            records: std::mem::take(&mut self.records),
            token,
        }
    }

    pub(super) fn take_back(&mut self, batch: Batch) {
        self.records = batch.records;
    }

    /// Returns when the oldest record was taken in, in milliseconds since 1970.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        self.records
            .iter()
            .map(|record| record.message.ingest_time_ms)
            .min()
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.refusals.clear();
    }

    /// Takes everything out; [`Part::put`] puts back what must be written again.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Attempt> + use<> {
        let records = std::mem::take(&mut self.records);
        let refusals = std::mem::take(&mut self.refusals);
        records
            .into_iter()
            .zip(refusals)
            .map(|(record, refusals)| Attempt { record, refusals })
    }

    pub(super) fn put(&mut self, attempt: Attempt) {
        self.records.push(attempt.record);
        self.refusals.push(attempt.refusals);
    }

    /// Returns whether the part can be halved: messages of one number stay together.
    pub(super) fn divisible(&self) -> bool {
        self.records.first().map(|record| record.seq)
            != self.records.last().map(|record| record.seq)
    }

    /// Halves the part; the first half's cursor ends at its own last message.
    pub(super) fn halves(mut self) -> (Self, Self) {
        let at = split(&self.records, self.records.len() / 2);
        let second = Self {
            records: self.records.split_off(at),
            refusals: self.refusals.split_off(at),
            boundary: self.boundary,
        };
        let boundary = boundary_after(&self.records);
        (
            Self {
                records: self.records,
                refusals: self.refusals,
                boundary,
            },
            second,
        )
    }
}

/// Returns the boundary that ends with the last of these records.
pub(super) fn boundary_after(records: &[Record]) -> Boundary {
    Boundary {
        next: records.last().map_or(0, |record| record.seq + 1),
        position: records
            .iter()
            .rev()
            .find_map(|record| record.message.position.clone()),
    }
}

/// Moves a place to cut so that messages of one number, which a graph made of one, stay together: a
/// sink that skips repeats by number would take the second half of them for repeats.
pub(super) fn split(records: &[Record], wanted: usize) -> usize {
    let together =
        |at: usize| at > 0 && at < records.len() && records[at - 1].seq == records[at].seq;
    let mut at = wanted.max(1);
    while together(at) {
        at += 1;
    }
    if at >= records.len() {
        at = wanted;
        while at > 1 && together(at) {
            at -= 1;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use hermod_sdk::Message;

    use super::*;

    fn records(seqs: &[u64]) -> Vec<Record> {
        let record = |seq: &u64| Record {
            seq: *seq,
            message: Message::new(seq.to_string(), ""),
        };
        seqs.iter().map(record).collect()
    }

    #[test]
    fn halves_keep_messages_of_one_number_together() {
        let end = Boundary {
            next: 10,
            position: None,
        };
        let (first, second) = Part::new(records(&[1, 2, 2, 2, 3]), end.clone()).halves();
        let seqs = |part: &Part| part.records.iter().map(|r| r.seq).collect::<Vec<_>>();
        assert_eq!((seqs(&first), seqs(&second)), (vec![1, 2, 2, 2], vec![3]));
        assert_eq!((first.mark().next, second.mark().next), (3, 10));
        let (first, second) = Part::new(records(&[1, 2, 2]), end.clone()).halves();
        assert_eq!((seqs(&first), seqs(&second)), (vec![1], vec![2, 2]));
        assert!(!Part::new(records(&[2, 2]), end).divisible());
    }
}
