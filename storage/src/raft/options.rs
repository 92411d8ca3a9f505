//! Settings of a member.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{group::Peer, machine::Probe};
use crate::{channel::Channel, memory};

/// How fast members notice that one is gone.
///
/// A leader is missed after `election_max`, and another asks for votes after a time between both: the defaults bring
/// writes back within 2.1 s. Slow disks want 250, 750 and 1,500 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Between two signs of life of the leader; also the time limit of each message to a follower.
    pub heartbeat: Duration,
    /// The shortest wait before asking for votes; also the time limit of that question.
    pub election_min: Duration,
    /// The longest.
    pub election_max: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(450),
            election_max: Duration::from_millis(900),
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
