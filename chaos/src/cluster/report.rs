//! What a run says.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many were measured.
    pub n: usize,
    /// Half took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Times {
    /// Sums up what was measured; nearest rank.
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times
                .get(rank - 1)
                .map_or(0, |time| time.as_millis() as u64)
        };
        Self {
            n: times.len(),
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was done to the nodes.
    pub nemesis: &'static str,
    /// How often.
    pub rounds: u32,
    /// Messages that were pushed, repeats not counted.
    pub sent: u64,
    /// Pushed messages that were answered 200.
    pub acknowledged: u64,
    /// Pushed messages that are in the table, repeats not counted.
    pub delivered: u64,
    /// Acknowledged or generated messages that are neither in their table nor dead letters.
    pub lost: u64,
    /// The first of them.
    pub lost_ids: Vec<String>,
    /// Dead letters.
    pub dead_lettered: u64,
    /// Rows that repeat a pushed message.
    pub duplicated: u64,
    /// Rows, pushed or generated, that repeat a message more often than its sender sent it.
    pub duplicated_by_platform: u64,
    /// The first of them.
    pub duplicated_ids: Vec<String>,
    /// Messages that the generator made and that are in the table.
    pub generated: u64,
    /// Rows that were written under an epoch older than one that held already.
    pub stale_effects: u64,
    /// Messages that stand behind a later one of their key in one stream.
    pub inversions: u64,
    /// Rows that nobody sent.
    pub strangers: u64,
    /// Writes of metadata that were acknowledged.
    pub metadata_writes: u64,
    /// Writes of metadata that are lost, doubled, out of order, or were refused and are there.
    pub metadata_violations: u64,
    /// The first of them.
    pub metadata_faults: Vec<String>,
    /// Reads that did not show an acknowledged write yet; reads are local, so they may.
    pub stale_reads: u64,
    /// From a deed to the end of the first successful write that began after it.
    pub api_back_ms: Times,
    /// From a deed against the owner to the end of the first acknowledged push that began after it, where the owner
    /// stayed away.
    pub workflow_back_ms: Times,
    /// The same where the killed owner was started again at once.
    pub workflow_restarted_ms: Times,
    /// The longest time without a successful write, of each round.
    pub api_gap_ms: Times,
    /// The longest time without an acknowledged push, of each round whose victim was the owner and stayed away. An owner
    /// that is cut off from the other nodes alone goes on until its lease ends, so that this is what tells.
    pub workflow_gap_ms: Times,
    /// How often each answer to a push came; 0 stands for none.
    pub push_answers: BTreeMap<u16, u64>,
    /// How often each answer to a write came; 0 stands for none.
    pub write_answers: BTreeMap<u16, u64>,
    /// How often each kind of node was the victim.
    pub victims: BTreeMap<&'static str, u32>,
    /// Seed of all choices.
    pub seed: u64,
    /// How long the run took, in seconds.
    pub duration_s: u64,
}

impl Report {
    /// Returns whether the cluster kept its promises.
    pub fn holds(&self) -> bool {
        let faults = [
            self.lost,
            self.duplicated_by_platform,
            self.stale_effects,
            self.inversions,
            self.strangers,
            self.metadata_violations,
        ];
        faults.iter().all(|count| *count == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times = Times::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(
            (times.p50, times.p99, times.max, times.n),
            (100, 198, 200, 200)
        );
        let one = Times::of(vec![Duration::from_millis(7)]);
        assert_eq!((one.p50, one.p99, one.max), (7, 7, 7));
        assert_eq!(Times::of(vec![]), Times::default());
    }
}
