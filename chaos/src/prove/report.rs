//! What a proof says.

use serde::Serialize;

use super::check::Verdict;
use crate::Machine;

/// The result of a proof.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How often the node was started to be killed.
    pub cycles: u32,
    /// How often it was killed with SIGKILL.
    pub kills: u32,
    /// Messages that were sent, repeats not counted.
    pub sent: u64,
    /// Messages that were answered 200.
    pub acknowledged: u64,
    /// Requests that were sent again, because the connection was cut or the node asked for it.
    pub repeated: u64,
    /// What the checker found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Seed of the moments of the kills.
    pub seed: u64,
    /// Connections that pushed.
    pub connections: usize,
    /// Keys over which the messages were spread.
    pub keys: usize,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// What it ran on.
    pub machine: Machine,
    /// How it was called.
    pub command: String,
}

impl Report {
    /// Returns whether the node kept its promises: nothing lost, nothing out of order, nothing altered.
    pub fn holds(&self) -> bool {
        let Verdict {
            lost,
            order_inversions,
            altered,
            ..
        } = self.verdict;
        lost == 0 && order_inversions == 0 && altered == 0
    }
}
