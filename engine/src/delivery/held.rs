//! What a transactional sink already holds of a re-readable source.

use std::sync::Arc;

use hermod_sdk::{Position, Record, Repeats, Sink, SinkFactory, SourceFactory};

/// Skips messages that the sink's own rows cover: after a crash the source is read again from a
/// checkpoint that may be older than the sink's last transaction.
pub(super) struct Held {
    covers: Option<Arc<dyn SourceFactory>>,
    // Cleared at the first message beyond it.
    position: Option<Position>,
}

impl Held {
    pub(super) fn of(
        sink: &dyn Sink,
        factory: &dyn SinkFactory,
        covers: Option<Arc<dyn SourceFactory>>,
    ) -> Self {
        let position = match &covers {
            Some(covers) if factory.repeats() == Repeats::Transactional => sink
                .committed()
                .iter()
                .filter_map(|row| row.position.clone())
                .reduce(|a, b| if covered(&**covers, &b, &a) { b } else { a }),
            _ => None,
        };
        Self { covers, position }
    }

    /// Leaves out what the sink holds.
    pub(super) fn skip(&mut self, records: Vec<Record>) -> Vec<Record> {
        let (Some(held), Some(covers)) = (&self.position, &self.covers) else {
            return records;
        };
        let at = |record: &Record| record.message.position.clone();
        let last_covered = records
            .iter()
            .rposition(|record| at(record).is_some_and(|at| covered(&**covers, held, &at)));
        let last_positioned = records.iter().rposition(|record| at(record).is_some());
        if last_positioned > last_covered {
            self.position = None;
        }
        records
            .into_iter()
            .skip(last_covered.map_or(0, |last| last + 1))
            .collect()
    }
}

/// A position that cannot be compared covers nothing: the message is written again, never skipped.
fn covered(covers: &dyn SourceFactory, position: &Position, other: &Position) -> bool {
    covers.covers(position, other).unwrap_or(false)
}
