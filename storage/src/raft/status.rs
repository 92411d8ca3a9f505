//! The members, as an operator sees and changes them.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Raft,
    calls::{Wish, Wished},
    membership,
};
use crate::{Role, StoreError, StoreErrorKind};

/// Long enough for a hand-over, and the change after it.
const CHANGE_PATIENCE: Duration = Duration::from_secs(15);

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Where it is reached; empty for a cluster of one that nobody reaches.
    pub address: String,
    /// Whether it has a vote.
    pub voter: bool,
    /// Whether it leads, as far as this node knows.
    pub leader: bool,
    /// How long this node has not heard it; `None` for never. The leader hears all, a follower hears the leader.
    pub silent: Option<Duration>,
    /// The last entry that it is known to have; only the leader knows.
    pub matched: Option<u64>,
}

/// How the group is, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftStatus {
    /// The cluster's id; 0 while the node belongs to none.
    pub cluster: u64,
    /// This node's id.
    pub id: u64,
    /// What this node is to the group.
    pub role: Role,
    /// The leader's id.
    pub leader: Option<u64>,
    /// Counts elections.
    pub term: u64,
    /// The last entry in this node's log.
    pub last_log: Option<u64>,
    /// The last entry that this node has applied.
    pub applied: Option<u64>,
    /// The last entry in this node's newest snapshot.
    pub snapshot: Option<u64>,
    /// The last entry that this node has let go of.
    pub purged: Option<u64>,
    /// All members, ordered by name.
    pub members: Vec<Member>,
}

impl Raft {
    /// Returns how the group is, without asking anybody.
    pub fn status(&self) -> RaftStatus {
        let node = &self.node;
        let metrics = node.metrics();
        let membership = metrics.membership_config.membership();
        let mut members: Vec<Member> = membership
            .nodes()
            .map(|(&id, peer)| Member {
                id,
                name: peer.name.clone(),
                address: peer.address.clone(),
                voter: membership.voter_ids().any(|voter| voter == id),
                leader: metrics.current_leader == Some(id),
                silent: if id == node.id {
                    Some(Duration::ZERO)
                } else {
                    node.heard.age(id)
                },
                matched: metrics
                    .replication
                    .as_ref()
                    .and_then(|all| Some(all.get(&id)?.as_ref()?.index)),
            })
            .collect();
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        RaftStatus {
            cluster: node.cluster(),
            id: node.id,
            role: node.health().role,
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            snapshot: metrics.snapshot.map(|id| id.index),
            purged: metrics.purged.map(|id| id.index),
            members,
        }
    }

    /// Takes a member out, from any node. It is not told: stop it. If it leads, it hands leadership over first.
    ///
    /// # Errors
    /// `Invalid` where there is no such member or it is the only one with a vote, `Unavailable` where it was not
    /// confirmed in time; it may be asked for again then.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.wish(Wish::Remove { name: name.into() }).await
    }

    /// Hands leadership to a member, or to the one that lags least, from any node. Writes wait meanwhile, about 1.5 s.
    ///
    /// # Errors
    /// `Invalid` where there is no such member with a vote, `Unavailable` where nobody else was elected.
    pub async fn transfer_leader(&self, to: Option<&str>) -> Result<(), StoreError> {
        let to = to.map(Into::into);
        self.wish(Wish::Transfer { to }).await
    }

    /// Takes a snapshot now. It is durable some time after.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn snapshot(&self) -> Result<(), StoreError> {
        let asked = self.node.raft.trigger().snapshot().await;
        asked.map_err(|fatal| StoreError::new(StoreErrorKind::Stopped, fatal.to_string()))
    }

    async fn wish(&self, wish: Wish) -> Result<(), StoreError> {
        if let Some(reason) = self.node.stopped() {
            return Err(StoreError::new(StoreErrorKind::Stopped, reason));
        }
        let deadline = Instant::now() + CHANGE_PATIENCE;
        let retry = Duration::from_secs(1);
        match membership::wish(&self.node, wish, deadline).await {
            Wished::Done | Wished::Joined { .. } => Ok(()),
            Wished::Refused { reason } => Err(StoreError::new(StoreErrorKind::Invalid, reason)),
            Wished::NameTaken => Err(StoreError::new(
                StoreErrorKind::Invalid,
                "the name is taken",
            )),
            Wished::Busy { reason } => Err(StoreError::unavailable(reason, retry)),
            Wished::NotLeader { .. } => {
                Err(StoreError::unavailable("no leader has taken it", retry))
            }
        }
    }
}
