//! What all parts of a member share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::ServerState;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    RaftError, RaftOptions,
    calls::Caller,
    clock::Stamp,
    group::{Group, Metrics, Peer, Vote},
    identity::Identity,
    log::LogStore,
    machine::Machine,
    network::Heard,
    proposer::Queue,
    reads::Barrier,
};
use crate::{
    Health, Role,
    channel::{CallError, Topic},
};

/// Why nothing is waited for.
pub(crate) const CUT_OFF: &str = "this node is cut off from the others";

/// Everything that a member is made of.
pub(crate) struct Node {
    pub(crate) options: RaftOptions,
    pub(crate) id: u64,
    pub(crate) identity: Identity,
    /// The same as in the identity, at hand.
    pub(crate) cluster: Arc<AtomicU64>,
    pub(crate) raft: openraft::Raft<Group>,
    pub(crate) machine: Machine,
    pub(crate) log: LogStore,
    /// When followers last answered, and when leaders last asked.
    pub(crate) heard: Heard,
    /// The vote under which this node, as leader, has committed an entry of its own.
    pub(crate) announced: watch::Sender<Option<Vote>>,
    /// The latest that the clock has said.
    pub(crate) latest_ms: AtomicU64,
    pub(crate) queue: Queue,
    pub(crate) barrier: Barrier,
    /// Whether the proposer waits, while leadership is handed over.
    pub(crate) paused: watch::Sender<bool>,
    /// What entries are stamped with.
    pub(crate) stamp: watch::Sender<Stamp>,
    /// Who has asked with another list of founders.
    pub(crate) differs: watch::Sender<Option<Peer>>,
    /// Whether the group is formed, or why not.
    pub(crate) formed: watch::Sender<Option<Result<(), Arc<RaftError>>>>,
    /// Why it has stopped by itself.
    pub(crate) failed: watch::Sender<Option<String>>,
    /// It takes nothing new.
    pub(crate) draining: AtomicBool,
    pub(crate) closing: AtomicBool,
    /// One change of the membership at a time.
    pub(crate) change: Mutex<()>,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
}

/// Who leads, as far as a node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    Here,
    There { id: u64, address: String },
    Nobody,
}

impl Node {
    pub(crate) fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow().clone()
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            name: self.options.name.clone(),
            address: self.options.address.clone().unwrap_or_default(),
        }
    }

    /// The clock, which never goes back, whatever the machine's does.
    pub(crate) fn now_ms(&self) -> u64 {
        let now_ms = (self.options.clock)();
        self.latest_ms
            .fetch_max(now_ms, Ordering::AcqRel)
            .max(now_ms)
    }

    pub(crate) fn cluster(&self) -> u64 {
        self.cluster.load(Ordering::Acquire)
    }

    pub(crate) fn leader(&self) -> Leader {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        match metrics.current_leader {
            Some(id) if id == self.id && metrics.state == ServerState::Leader => Leader::Here,
            Some(id) if id != self.id => {
                let peer = metrics.membership_config.membership().get_node(&id);
                peer.map_or(Leader::Nobody, |peer| Leader::There {
                    id,
                    address: peer.address.clone(),
                })
            }
            _ => Leader::Nobody,
        }
    }

    /// Returns why nothing goes any more.
    pub(crate) fn stopped(&self) -> Option<String> {
        if self.closing.load(Ordering::Acquire) {
            return Some("the store is closed".into());
        }
        if self.machine.is_broken() {
            return Some("the state machine has panicked".into());
        }
        self.failed.borrow().clone()
    }

    /// Takes note that the node has stopped by itself. It is not to be trusted any more, and ends.
    pub(crate) fn fail(&self, reason: &str) {
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        self.failed.send_if_modified(|failed| {
            let news = failed.is_none();
            if news {
                tracing::error!(reason, "the metadata store has stopped");
                *failed = Some(reason.into());
            }
            news
        });
    }

    /// Asks another member.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        to: u64,
        address: &str,
        topic: Topic,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let caller = Caller {
            channel: self.options.channel.as_ref(),
            cluster: self.cluster(),
            from: self.id,
        };
        caller.ask(to, address, topic, question, timeout).await
    }

    /// Waits until everything before an index is applied here. Returns whether it is.
    pub(crate) async fn wait_applied(&self, next: u64, deadline: Instant) -> bool {
        let mut applied = self.machine.applied();
        let wait = timeout_at(deadline, applied.wait_for(|applied| *applied >= next));
        matches!(wait.await, Ok(Ok(_)))
    }

    /// Returns how long ago a quorum confirmed this leader.
    pub(crate) fn quorum_age(&self, metrics: &Metrics) -> Duration {
        let mut oldest = Duration::ZERO;
        for config in metrics.membership_config.membership().get_joint_config() {
            let mut ages: Vec<_> = config
                .iter()
                .map(|id| match *id {
                    id if id == self.id => Duration::ZERO,
                    id => self.heard.age(id).unwrap_or(Duration::MAX),
                })
                .collect();
            ages.sort_unstable();
            let quorum = config.len() / 2;
            oldest = oldest.max(ages.get(quorum).copied().unwrap_or_default());
        }
        oldest
    }

    /// Returns why a write would not be taken by this node as leader.
    pub(crate) fn refuses_writes(&self) -> Option<String> {
        if let Some(reason) = self.stopped() {
            return Some(reason);
        }
        if !self.log.has_room() {
            // I8: what is left is for what must go through.
            return Some("the disk is full".into());
        }
        match self.quorum_age(&self.metrics()) {
            Duration::MAX => Some("the leader has not heard its quorum yet".into()),
            age if age > self.options.timings.election_max * 2 => {
                Some("the leader has lost its quorum".into())
            }
            _ => None,
        }
    }

    /// Returns whether the others are out of reach, for so long that what waits for them is answered elsewhere by now: a
    /// leader without its quorum, or another member that hears nobody, longer than an election takes.
    pub(crate) fn is_cut_off(&self) -> bool {
        let (metrics, longest) = (self.metrics(), self.options.timings.election_max);
        if matches!(self.leader(), Leader::Here) {
            let age = self.quorum_age(&metrics);
            return age > longest * 2 && age < Duration::MAX;
        }
        let members = metrics.membership_config.membership();
        let others = members.nodes().filter(|(id, _)| **id != self.id);
        let ages = others.filter_map(|(id, _)| self.heard.age(*id));
        ages.min().is_some_and(|age| age > longest * 3)
    }

    /// Waits until another than this one leads, or nobody: whoever waits for its answer does better to ask anew.
    pub(crate) async fn deposed(&self, leader: u64) {
        let mut metrics = self.raft.metrics();
        // Its end is the core's, which others notice.
        let gone = metrics.wait_for(|metrics| metrics.current_leader != Some(leader));
        if gone.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this node [is cut off](Self::is_cut_off).
    pub(crate) async fn cut_off(&self) {
        while !self.is_cut_off() {
            tokio::time::sleep(self.options.timings.heartbeat).await;
        }
    }

    /// Returns whether a quorum has confirmed this leader since it was opened. Opened again, it leads in its old term, and
    /// does not know yet what became of it.
    pub(crate) fn has_heard_quorum(&self) -> bool {
        self.quorum_age(&self.metrics()) < Duration::MAX
    }

    pub(crate) fn health(&self) -> Health {
        let metrics = self.metrics();
        let (age, reason) = match self.leader() {
            Leader::Here => (self.quorum_age(&metrics), self.refuses_writes()),
            Leader::There { id, .. } => {
                let age = self.heard.age(id).unwrap_or(Duration::MAX);
                let silent = age > self.options.timings.election_max * 2;
                (age, silent.then(|| "the leader is silent".into()))
            }
            Leader::Nobody => {
                let members = metrics.membership_config.membership();
                let ages = members.nodes().filter_map(|(id, _)| self.heard.age(*id));
                let age = ages.min().unwrap_or(Duration::MAX);
                (age, Some("no leader is known".into()))
            }
        };
        let reason = self.stopped().or(reason);
        let held = self.machine.held();
        Health {
            writable: reason.is_none(),
            role: match metrics.state {
                ServerState::Leader => Role::Leader,
                ServerState::Follower => Role::Follower,
                ServerState::Learner => Role::Learner,
                ServerState::Candidate | ServerState::Shutdown => Role::Candidate,
            },
            age,
            revision: held.state.revision(),
            entries: held.state.entry_count(),
            reason,
        }
    }
}
