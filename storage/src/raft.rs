//! The default store: a Raft group whose members keep everything, on disk as a log and snapshots.
//!
//! ```text
//! submit ─ proposer ─ leader here:  one entry of many commands ─ log ─ followers ─ state machine ─ answers
//!                   └ leader there: a call, one hop, under the same numbers; then until it is applied here
//! ```
//!
//! - The directory holds `identity` (a random id, the cluster's id), `log/` (a log of its own: entries, vote, committed,
//!   purged) and `snapshots/` (the newest two). Only these are durable; the state is in memory, and is the newest sound
//!   snapshot with the log applied on top.
//! - Commands have numbers (a proposer, a serial), and the state keeps the answers of the last 4,096 of each proposer:
//!   whoever does not know what became of a command submits it again under its number.
//! - A purge waits until a snapshot at or above it is durable. Snapshots and purges go by bytes, not by entries.
//! - A leader grants no fresh read before it has committed an entry of its own, and no lease before it has compared its
//!   clock with the others'.
//! - What breaks a promise ends the store: an error or panic of the core or of the state machine shows in
//!   [`Raft::failed`], and the node ends.
//!
//! The core is openraft 0.9; its types stay in this module.

#![expect(
    clippy::result_large_err,
    reason = "openraft's errors are large, and rare"
)]

mod calls;
mod clock;
mod codec;
mod error;
mod forming;
mod group;
mod handler;
mod identity;
mod log;
mod machine;
mod membership;
mod network;
mod node;
mod options;
mod proposer;
mod reads;
mod serials;
mod status;
mod store;
mod supervise;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::SnapshotPolicy;
use tokio::sync::{Mutex, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use error::RaftError;
pub use options::{RaftOptions, Timings};
pub use status::{Member, RaftStatus};

use clock::Stamp;
use identity::Identity;
use log::LogStore;
use machine::Machine;
use network::{Heard, Network};
use node::Node;
use proposer::Queue;
use reads::Barrier;

/// A member of the group. Whoever opened it wires it to its listener: as the [`Handler`](crate::channel::Handler) of
/// [`Topic::STORE`](crate::channel::Topic::STORE), and as the [`Gate`](crate::channel::Gate) of whatever else is answered there.
///
/// Dropped without [`close`](crate::Store::close), it ends as in a crash.
pub struct Raft {
    node: Arc<Node>,
}

impl Raft {
    /// Opens a member. A cluster of one leads when it returns; others form in the background, for which their calls must
    /// be answered: see [`ready`](Self::ready).
    ///
    /// # Errors
    /// Where what is on disk is not to be trusted, or the settings do not fit together.
    pub async fn open(options: RaftOptions) -> Result<Arc<Self>, RaftError> {
        check(&options)?;
        let disk = Disk::open(options.clone());
        let disk = tokio::task::spawn_blocking(disk);
        let Disk {
            identity,
            log,
            machine,
        } = disk.await.map_err(|error| RaftError::Core {
            reason: error.to_string(),
        })??;
        let facts = identity.facts();
        let (cluster, heard) = (Arc::new(AtomicU64::new(facts.cluster)), Heard::default());
        let network = Network {
            channel: Arc::clone(&options.channel),
            cluster: Arc::clone(&cluster),
            from: facts.node,
            heard: heard.clone(),
            silence: options.timings.election_min,
        };
        let config = Arc::new(config(&options, facts.node)?);
        let raft = openraft::Raft::new(facts.node, config, network, log.clone(), machine.clone());
        let raft = raft.await.map_err(|error| RaftError::Core {
            reason: error.to_string(),
        })?;
        let ((queue, jobs), (barrier, askers)) = (Queue::new(), Barrier::new());
        let alone = options.founders.is_empty() && options.join.is_none();
        let node = Arc::new(Node {
            options,
            id: facts.node,
            identity,
            cluster,
            raft,
            machine,
            log,
            heard,
            announced: watch::Sender::new(None),
            latest_ms: AtomicU64::new(0),
            queue,
            barrier,
            paused: watch::Sender::new(false),
            stamp: watch::Sender::new(Stamp::Unknown),
            differs: watch::Sender::new(None),
            formed: watch::Sender::new(None),
            failed: watch::Sender::new(None),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            change: Mutex::new(()),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
        });
        let member = Arc::new(Self { node });
        member.run("core", supervise::core);
        member.run("tend", supervise::tend);
        member.run("clock", clock::watch);
        member.run("announce", reads::announce);
        member.run("form", forming::form);
        member.run("proposer", move |node| proposer::run(node, jobs));
        member.run("barrier", move |node| reads::run(node, askers));
        let members = member.count().await?;
        if alone && members <= 1 {
            member.ready().await?;
        }
        Ok(member)
    }

    /// Counts the members that the log knows of. The metrics say nothing before the core's first round.
    async fn count(&self) -> Result<usize, RaftError> {
        let members = self.node.raft.with_raft_state(|state| {
            let members = state.membership_state.effective();
            members.membership().nodes().count()
        });
        members.await.map_err(|fatal| RaftError::Core {
            reason: fatal.to_string(),
        })
    }

    /// Waits until the node belongs to its group and knows a leader.
    ///
    /// # Errors
    /// Where it must not belong to it. It has [`failed`](Self::failed) then.
    pub async fn ready(&self) -> Result<(), RaftError> {
        let mut formed = self.node.formed.subscribe();
        let formed = tokio::select! {
            formed = formed.wait_for(Option::is_some) => formed.map(|formed| formed.clone()),
            error = self.failed() => return Err(self.formation_error().unwrap_or(error)),
            () = self.node.cancel.cancelled() => return Err(RaftError::Closed),
        };
        match formed {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => Err(again(&error)),
            Ok(None) | Err(_) => Err(RaftError::Closed),
        }
    }

    /// Waits until the store has stopped by itself, and says why. The node must end then: it is not to be trusted.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn failed(&self) -> RaftError {
        let mut failed = self.node.failed.subscribe();
        let reason = failed.wait_for(Option::is_some).await;
        // Nothing of the watch is held while it waits, so that the future may move between threads.
        match reason.map(|reason| reason.clone().unwrap_or_default()) {
            Ok(reason) => RaftError::Core { reason },
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns the node's id: a random number, made with its directory.
    pub fn id(&self) -> u64 {
        self.node.id
    }

    /// Returns the cluster's id: 0 while the node belongs to none.
    pub fn cluster(&self) -> u64 {
        self.node.cluster.load(Ordering::Acquire)
    }

    fn formation_error(&self) -> Option<RaftError> {
        match &*self.node.formed.borrow() {
            Some(Err(error)) => Some(again(error)),
            _ => None,
        }
    }

    /// Starts a task that ends with the member. A panic of it is the member's end.
    fn run<F>(&self, name: &'static str, task: impl FnOnce(Arc<Node>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let node = Arc::clone(&self.node);
        let task = self.node.tasks.spawn(task(Arc::clone(&self.node)));
        self.node.tasks.spawn(async move {
            if let Err(error) = task.await
                && error.is_panic()
            {
                node.fail(&format!("task `{name}` has panicked"));
            }
        });
    }
}

impl Drop for Raft {
    fn drop(&mut self) {
        self.node.cancel.cancel();
        self.node.machine.close();
    }
}

/// What is on disk.
struct Disk {
    identity: Identity,
    log: LogStore,
    machine: Machine,
}

impl Disk {
    fn open(options: RaftOptions) -> impl FnOnce() -> Result<Self, RaftError> {
        move || {
            let dir = &options.dir;
            std::fs::create_dir_all(dir).map_err(|source| RaftError::Io {
                path: dir.clone(),
                source,
            })?;
            // First, for it locks the directory.
            let log = LogStore::open(&dir.join("log"))?;
            // One that others reach may not be alone; a cluster of one resumes its office at once.
            if options.address.is_some() {
                log.begin_as_follower();
            }
            let identity = Identity::open(dir)?;
            let probe = options.probe.clone();
            let machine = Machine::open(&dir.join("snapshots"), log.clone(), probe)?;
            Ok(Self {
                identity,
                log,
                machine,
            })
        }
    }
}

fn check(options: &RaftOptions) -> Result<(), RaftError> {
    let wrong = |reason: &str| {
        Err(RaftError::Settings {
            reason: reason.into(),
        })
    };
    if options.name.is_empty() {
        return wrong("a member needs a name");
    }
    let reached = !options.founders.is_empty() || options.join.is_some();
    if reached && options.address.is_none() {
        return wrong("a member of a cluster needs an address that the others reach it at");
    }
    let twice = |part: fn(&(String, String)) -> &String| {
        let parts: BTreeSet<_> = options.founders.iter().map(part).collect();
        parts.len() < options.founders.len()
    };
    if twice(|founder| &founder.0) || twice(|founder| &founder.1) {
        return wrong("a name or an address stands twice in the list of peers");
    }
    if !options.founders.is_empty() && options.join.is_some() {
        return wrong("a node either starts a cluster with its peers or joins one");
    }
    let Timings {
        election_min,
        election_max,
        ..
    } = options.timings;
    if election_max < election_min || election_max >= election_min * 2 {
        return wrong("the longest patience is less than twice the shortest");
    }
    Ok(())
}

fn config(options: &RaftOptions, id: u64) -> Result<openraft::Config, RaftError> {
    let ms = |duration: Duration| duration.as_millis() as u64;
    let timings = &options.timings;
    let patience = ms(timings.patience(&options.name, &options.founders, id));
    let config = openraft::Config {
        cluster_name: "hermod".into(),
        heartbeat_interval: ms(timings.heartbeat),
        // Drawn once for each process, so that two equal draws would ask at the same time again and again.
        election_timeout_min: patience,
        election_timeout_max: patience + 1,
        // Entries carry many commands: snapshots and trims go by bytes, not by their count.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 1_000_000,
        // The final piece is answered after the whole snapshot is installed.
        install_snapshot_timeout: 30_000,
        snapshot_max_chunk_size: 1 << 20,
        ..openraft::Config::default()
    };
    config.validate().map_err(|error| RaftError::Settings {
        reason: error.to_string(),
    })
}

/// Says the same once more: whoever asks gets an error of its own.
fn again(error: &Arc<RaftError>) -> RaftError {
    match error.as_ref() {
        RaftError::ListsDiffer { name, address } => RaftError::ListsDiffer {
            name: name.clone(),
            address: address.clone(),
        },
        RaftError::NameTaken { name } => RaftError::NameTaken { name: name.clone() },
        RaftError::NotListed { name } => RaftError::NotListed { name: name.clone() },
        RaftError::AddressChanged { name, address } => RaftError::AddressChanged {
            name: name.clone(),
            address: address.clone(),
        },
        other => RaftError::Refused {
            reason: other.to_string(),
        },
    }
}
