//! A batch as lines of text.

use hermod_sdk::{Batch, Format, Outcome, Written};

/// The lines of a batch in one buffer, and what is already known of each message.
pub(crate) struct Lines {
    /// The text, each line with its line break.
    pub(crate) text: Vec<u8>,
    /// What becomes of the batch once the text is written.
    pub(crate) written: Written,
}

impl Lines {
    /// Puts a batch into lines; a message that cannot stand on a line is rejected by itself.
    pub(crate) fn of(format: Format, batch: &Batch) -> Self {
        let size: usize = batch.records.iter().map(|r| r.message.payload.size()).sum();
        let mut text = Vec::with_capacity(size + batch.records.len());
        let mut outcomes = Outcomes::new(batch.records.len());
        for record in &batch.records {
            match format.line(&record.message) {
                Ok(line) => {
                    text.extend_from_slice(&line);
                    text.push(b'\n');
                    outcomes.written();
                }
                Err(error) => outcomes.rejected(error.to_string()),
            }
        }
        Self {
            text,
            written: outcomes.finish(),
        }
    }
}

/// Collects outcomes and allocates for them only once something is rejected.
pub(crate) struct Outcomes {
    count: usize,
    written: usize,
    each: Vec<Outcome>,
}

impl Outcomes {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count,
            written: 0,
            each: Vec::new(),
        }
    }

    pub(crate) fn written(&mut self) {
        self.written += 1;
        if !self.each.is_empty() {
            self.each.push(Outcome::Written);
        }
    }

    pub(crate) fn rejected(&mut self, reason: String) {
        if self.each.is_empty() {
            self.each.reserve(self.count);
            self.each.resize(self.written, Outcome::Written);
        }
        self.each.push(Outcome::Rejected { reason });
    }

    pub(crate) fn finish(self) -> Written {
        if self.each.is_empty() {
            Written::All
        } else {
            Written::Each(self.each)
        }
    }
}
