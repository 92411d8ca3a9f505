//! Settings of a member.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{group::Peer, machine::Probe};
use crate::{channel::Channel, memory};

/// How fast members notice that one is gone.
///
/// Each member has a patience of its own between the shortest and the longest, so that no two of them ask for votes at the
/// same time. It misses the leader after that, and asks after it has passed once more; whoever is turned down, for its log
/// is shorter, comes again after the next. With the defaults writes are to be back well within 3 s (see `make chaos`). Slow disks
/// want 250, 900 and 1,600 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Between two signs of life of the leader; also the time limit of each message to a follower.
    pub heartbeat: Duration,
    /// The shortest patience; also the time limit of a question for votes.
    pub election_min: Duration,
    /// The longest, less than twice the shortest: whoever is asked must have missed the leader too.
    pub election_max: Duration,
}

impl Timings {
    /// Returns the patience of one member: its place among all that found the cluster, by name, or a random one if it joins.
    pub(crate) fn patience(&self, name: &str, founders: &[(String, String)], id: u64) -> Duration {
        let earlier = founders.iter().filter(|founder| *founder.0 < *name).count();
        let share = match founders.len() {
            0 | 1 => id as f64 / u64::MAX as f64,
            all => earlier as f64 / (all - 1) as f64,
        };
        self.election_min
            + self
                .election_max
                .saturating_sub(self.election_min)
                .mul_f64(share)
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(350),
            election_max: Duration::from_millis(600),
        }
    }
}

/// Settings of a member; [`RaftOptions::new`] gives the defaults.
#[derive(Clone)]
pub struct RaftOptions {
    /// Directory of identity, log and snapshots. It is made if it is missing.
    pub dir: PathBuf,
    /// The node's name among the members. A label: a wiped disk under a known name is a stranger.
    pub name: String,
    /// Where the others reach this node, `host:port`; none for a cluster of one that nobody reaches.
    pub address: Option<String>,
    /// Names and addresses of all that start a new cluster together, this node among them. Empty for a cluster of one.
    pub founders: Vec<(String, String)>,
    /// The address of any member of the cluster that this node is to join. It never founds one then.
    pub join: Option<String>,
    /// How members are reached.
    pub channel: Arc<dyn Channel>,
    /// How fast members notice that one is gone.
    pub timings: Timings,
    /// How long a write waits, 5 s.
    pub write_timeout: Duration,
    /// How long a read that must be fresh waits, 5 s.
    pub read_timeout: Duration,
    /// Bytes of the log after which a snapshot is taken, 16 MiB.
    pub snapshot_bytes: u64,
    /// Bytes of the log that stay below a snapshot, for members that lag, 16 MiB.
    pub log_bytes: u64,
    /// How far a leader's clock may be off the median of all, 400 ms: a twenty-fifth of the leases' time to live.
    pub clock_skew_max: Duration,
    /// The clock, in milliseconds since 1970.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Called with every operation before it is applied: how a test makes a node fail.
    #[doc(hidden)]
    pub probe: Option<Probe>,
}

impl RaftOptions {
    /// The defaults for a cluster of one in `dir`.
    pub fn new(
        dir: impl Into<PathBuf>,
        name: impl Into<String>,
        channel: Arc<dyn Channel>,
    ) -> Self {
        Self {
            dir: dir.into(),
            name: name.into(),
            address: None,
            founders: Vec::new(),
            join: None,
            channel,
            timings: Timings::default(),
            write_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            snapshot_bytes: 16 << 20,
            log_bytes: 16 << 20,
            clock_skew_max: Duration::from_millis(400),
            clock: Arc::new(memory::wall_ms),
            probe: None,
        }
    }

    pub(crate) fn founder_peers(&self) -> Vec<Peer> {
        let founders = self.founders.iter().cloned();
        founders
            .map(|(name, address)| Peer { name, address })
            .collect()
    }
}

impl fmt::Debug for RaftOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftOptions")
            .field("dir", &self.dir)
            .field("name", &self.name)
            .field("address", &self.address)
            .field("founders", &self.founders)
            .field("join", &self.join)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_founders_have_the_same_patience() {
        let timings = Timings::default();
        let founders = ["n3", "n1", "n2"].map(|name| (name.to_owned(), String::new()));
        let of = |name| timings.patience(name, &founders, 7).as_millis();
        assert_eq!([of("n1"), of("n2"), of("n3")], [350, 475, 600]);
        let joined = |id| timings.patience("n4", &[], id);
        assert_eq!(joined(1), timings.election_min);
        assert_eq!(joined(u64::MAX), timings.election_max);
    }
}
