//! What the sinks have written, against what was acknowledged.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;

use super::{
    database::Database,
    pushes::{self, Push},
};

/// A row that a sink has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// Order of the rows of one transaction.
    pub(super) seq: u64,
    pub(super) xact: u64,
    pub(super) key: String,
    pub(super) n: u64,
}

/// A change of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) xact: u64,
    pub(super) stream: String,
    pub(super) epoch: u64,
}

/// The rows of one workflow, and the changes of its tokens in their order.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) rows: Vec<Effect>,
    pub(super) changes: Vec<Change>,
}

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Messages that are there, repeats not counted.
    pub(super) delivered: u64,
    /// What is neither there nor a dead letter, although it was acknowledged.
    pub(super) lost: Vec<String>,
    /// Rows that repeat a message.
    pub(super) duplicated: u64,
    /// Repeats that the sender did not cause: more rows than it sent requests.
    pub(super) unexplained: Vec<String>,
    /// Rows that were written under an epoch older than one that held for their stream already, or under none.
    pub(super) stale: u64,
    /// Messages that stand behind a later one of their key in the same stream.
    pub(super) inversions: Vec<String>,
    /// Rows that nobody sent.
    pub(super) strangers: Vec<String>,
}

impl Effects {
    /// Reads what a workflow has written into a table.
    pub(super) fn read(
        database: &Database,
        workflow: &str,
        table: &str,
        key: &str,
    ) -> anyhow::Result<Self> {
        let rows = database.sql(&format!(
            "SELECT seq, xact, {key}, n FROM {table} ORDER BY seq"
        ))?;
        let row = |line: &str| {
            let mut columns = line.split('\t');
            Some(Effect {
                seq: columns.next()?.parse().ok()?,
                xact: columns.next()?.parse().ok()?,
                key: columns.next()?.to_owned(),
                n: columns.next()?.parse().ok()?,
            })
        };
        let changes = database.sql(&format!(
            "SELECT xact, epoch, stream FROM token_history WHERE workflow = '{workflow}' AND stream <> '' ORDER BY serial"
        ))?;
        let change = |line: &str| {
            let mut columns = line.split('\t');
            Some(Change {
                xact: columns.next()?.parse().ok()?,
                epoch: columns.next()?.parse().ok()?,
                stream: columns.next()?.to_owned(),
            })
        };
        Ok(Self {
            rows: rows
                .lines()
                .map(row)
                .collect::<Option<_>>()
                .context("rows cannot be read")?,
            changes: changes
                .lines()
                .map(change)
                .collect::<Option<_>>()
                .context("tokens cannot be read")?,
        })
    }

    /// Counts the rows of stale writers, and orders the others by stream.
    fn by_stream(&self, verdict: &mut Verdict) -> HashMap<&str, Vec<&Effect>> {
        let mut highest: HashMap<&str, u64> = HashMap::new();
        let mut written: HashMap<u64, (usize, &str)> = HashMap::new();
        let mut stale: HashSet<u64> = HashSet::new();
        for (at, change) in self.changes.iter().enumerate() {
            let held = highest.entry(&change.stream).or_default();
            // I5: what is effective under an epoch keeps every older one out.
            if change.epoch < *held {
                stale.insert(change.xact);
            }
            *held = change.epoch.max(*held);
            written.insert(change.xact, (at, &change.stream));
        }
        let mut streams: HashMap<&str, Vec<(usize, &Effect)>> = HashMap::new();
        for row in &self.rows {
            match written.get(&row.xact) {
                None => verdict.stale += 1,
                Some((at, stream)) => {
                    verdict.stale += u64::from(stale.contains(&row.xact));
                    streams.entry(stream).or_default().push((*at, row));
                }
            }
        }
        let mut ordered = HashMap::new();
        for (stream, mut rows) in streams {
            rows.sort_by_key(|(at, row)| (*at, row.seq));
            ordered.insert(stream, rows.into_iter().map(|(_, row)| row).collect());
        }
        ordered
    }

    /// Judges what was pushed. `dead` are the ids of dead letters.
    pub(super) fn judge_pushed(&self, pushes: &[Push], dead: &HashSet<String>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut counts: HashMap<String, u64> = HashMap::new();
        for row in &self.rows {
            *counts.entry(format!("{}-{}", row.key, row.n)).or_default() += 1;
        }
        verdict.delivered = counts.len() as u64;
        verdict.duplicated = self.rows.len() as u64 - verdict.delivered;
        for push in pushes {
            let id = pushes::id(push.key, push.n);
            let count = counts.remove(&id).unwrap_or(0);
            if count == 0 && push.acknowledged.is_some() && !dead.contains(&id) {
                verdict.lost.push(id);
            } else if count > u64::from(push.attempts) {
                verdict.unexplained.push(id);
            }
        }
        verdict.strangers = counts.into_keys().collect();
        for rows in self.by_stream(&mut verdict).into_values() {
            let mut keys: HashMap<&str, (u64, HashSet<u64>)> = HashMap::new();
            for row in rows {
                let (largest, seen) = keys.entry(&row.key).or_default();
                // A repeat may stand anywhere; what counts is where a message stands first.
                if seen.insert(row.n) && row.n < *largest {
                    verdict.inversions.push(format!("{}-{}", row.key, row.n));
                }
                *largest = row.n.max(*largest);
            }
        }
        verdict
    }

    /// Judges what was generated: numbers from 0 on, of which none may be missing, and none be there twice, since the
    /// position stands in the sink.
    pub(super) fn judge_generated(&self, dead: &HashSet<String>) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers: HashSet<u64> = self.rows.iter().map(|row| row.n).collect();
        verdict.delivered = numbers.len() as u64;
        verdict.duplicated = self.rows.len() as u64 - verdict.delivered;
        let end = numbers.iter().max().map_or(0, |last| last + 1);
        verdict.lost = (0..end)
            .filter(|n| !numbers.contains(n) && !dead.contains(&format!("gen-0-{n}")))
            .map(|n| format!("gen-0-{n}"))
            .collect();
        let mut seen = HashSet::new();
        for row in &self.rows {
            if !seen.insert(row.n) {
                verdict.unexplained.push(format!("gen-0-{}", row.n));
            }
        }
        for rows in self.by_stream(&mut verdict).into_values() {
            let mut largest = 0;
            for row in rows {
                if row.n < largest {
                    verdict.inversions.push(format!("gen-0-{}", row.n));
                }
                largest = row.n.max(largest);
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests;
