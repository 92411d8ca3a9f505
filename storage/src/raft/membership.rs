//! Changes of the membership, and the hand-over of leadership.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use openraft::{
    ChangeMembers, ServerState,
    error::{ChangeMembershipError, ClientWriteError, RaftError as CoreError},
};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    calls::{Wish, Wished},
    group::{Group, Peer, next_index},
    node::{Leader, Node},
};
use crate::channel::Topic;

/// Entries that a learner may lack when it is given a vote.
const LAG_MAX: u64 = 64;
const PAUSE: Duration = Duration::from_millis(20);

/// Does what a member, or one that wants to be one, asks for.
pub(crate) async fn grant(node: &Arc<Node>, wish: Wish, deadline: Instant) -> Wished {
    if wish == Wish::Elect {
        return match node.raft.trigger().elect().await {
            Ok(()) => Wished::Done,
            Err(fatal) => refused(&fatal),
        };
    }
    if node.leader() != Leader::Here {
        return not_leader(node);
    }
    match wish {
        Wish::Join((id, peer)) => join(node, id, peer, deadline).await,
        Wish::Remove { name } => remove(node, &name, deadline).await,
        Wish::Transfer { to } => transfer(node, to.as_deref(), deadline).await,
        Wish::Elect => Wished::Done,
    }
}

/// Does it here, or has the leader do it, within the time.
pub(crate) async fn wish(node: &Arc<Node>, wish: Wish, deadline: Instant) -> Wished {
    loop {
        let answer = match node.leader() {
            Leader::Here => grant(node, wish.clone(), deadline).await,
            Leader::There { id, address } => {
                let left = deadline.saturating_duration_since(Instant::now());
                let asked = node.ask(id, &address, Topic::Membership, &wish, left);
                asked.await.unwrap_or_else(|error| Wished::Busy {
                    reason: error.to_string(),
                })
            }
            Leader::Nobody => Wished::Busy {
                reason: "no leader is known".into(),
            },
        };
        let again = matches!(answer, Wished::NotLeader { .. } | Wished::Busy { .. });
        if !again || Instant::now() + PAUSE >= deadline || node.stopped().is_some() {
            return answer;
        }
        sleep(PAUSE).await;
    }
}

fn not_leader(node: &Node) -> Wished {
    let address = match node.leader() {
        Leader::There { address, .. } => Some(address),
        Leader::Here | Leader::Nobody => None,
    };
    Wished::NotLeader { address }
}

fn refused(reason: &dyn std::fmt::Display) -> Wished {
    Wished::Refused {
        reason: reason.to_string(),
    }
}

/// Takes in a node: as a learner first, and with a vote once it has the log. Asked again, it goes on.
async fn join(node: &Node, id: u64, peer: Peer, deadline: Instant) -> Wished {
    let Ok(_one_at_a_time) = timeout_at(deadline, node.change.lock()).await else {
        return busy("another change is under way");
    };
    let metrics = node.metrics();
    let members = metrics.membership_config.membership();
    let cluster = node.cluster();
    if members.voter_ids().any(|voter| voter == id) {
        return Wished::Joined {
            cluster,
            voter: true,
        };
    }
    // A wiped disk has a new id. Its old one may have voted, and stays until it is removed by hand.
    if members
        .nodes()
        .any(|(other, known)| *other != id && known.name == peer.name)
    {
        return Wished::NameTaken;
    }
    if members.nodes().any(|(other, known)| {
        *other != id && (known.address == peer.address || known.address.is_empty())
    }) {
        return refused(&format!(
            "address `{}` belongs to another member, or the leader has none that it could be reached at",
            peer.address
        ));
    }
    if members.get_node(&id).is_none() {
        let added = timeout_at(deadline, node.raft.add_learner(id, peer, false)).await;
        return match changed(node, added.map(|added| added.map(drop))) {
            Wished::Done => Wished::Joined {
                cluster,
                voter: false,
            },
            other => other,
        };
    }
    let matched = metrics
        .replication
        .as_ref()
        .and_then(|replication| replication.get(&id).copied().flatten());
    let last = metrics.last_log_index.unwrap_or(0);
    if matched.is_none() || next_index(matched.as_ref()) + LAG_MAX < last {
        return Wished::Joined {
            cluster,
            voter: false,
        };
    }
    let change = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
    let added = timeout_at(deadline, node.raft.change_membership(change, true)).await;
    match changed(node, added.map(|added| added.map(drop))) {
        Wished::Done => Wished::Joined {
            cluster,
            voter: true,
        },
        other => other,
    }
}

/// Takes a member out.
async fn remove(node: &Arc<Node>, name: &str, deadline: Instant) -> Wished {
    let metrics = node.metrics();
    let members = metrics.membership_config.membership();
    let Some((&id, _)) = members.nodes().find(|(_, peer)| peer.name == name) else {
        return refused(&format!("no member is called `{name}`"));
    };
    let is_voter = members.voter_ids().any(|voter| voter == id);
    if is_voter && members.voter_ids().count() == 1 {
        return refused(&format!("`{name}` is the only member with a vote"));
    }
    if id == node.id {
        // A leader of two that takes itself out and crashes would leave nobody who may lead.
        return match transfer(node, None, deadline).await {
            Wished::Done => not_leader(node),
            other => other,
        };
    }
    let Ok(_one_at_a_time) = timeout_at(deadline, node.change.lock()).await else {
        return busy("another change is under way");
    };
    let ids = BTreeSet::from([id]);
    let change = if is_voter {
        ChangeMembers::RemoveVoters(ids)
    } else {
        ChangeMembers::RemoveNodes(ids)
    };
    let done = timeout_at(deadline, node.raft.change_membership(change, false)).await;
    let done = changed(node, done.map(|done| done.map(drop)));
    if done == Wished::Done {
        tracing::info!(name, id, "a member was removed");
    }
    done
}

type Changed = Result<(), CoreError<u64, ClientWriteError<u64, Peer>>>;

fn changed(node: &Node, result: Result<Changed, tokio::time::error::Elapsed>) -> Wished {
    match result {
        Ok(Ok(())) => Wished::Done,
        Ok(Err(CoreError::APIError(ClientWriteError::ForwardToLeader(_)))) => not_leader(node),
        Ok(Err(CoreError::APIError(ClientWriteError::ChangeMembershipError(
            error @ ChangeMembershipError::InProgress(_),
        )))) => busy(&error.to_string()),
        Ok(Err(CoreError::APIError(error))) => refused(&error),
        Ok(Err(CoreError::Fatal(fatal))) => {
            node.fail(&fatal.to_string());
            refused(&fatal)
        }
        Err(_) => busy("the change is not confirmed yet"),
    }
}

fn busy(reason: &str) -> Wished {
    Wished::Busy {
        reason: reason.into(),
    }
}

/// Hands leadership over by hand: heartbeats stop, and once the followers owe this leader nothing any more, the best of
/// them asks for votes.
pub(crate) async fn transfer(node: &Arc<Node>, to: Option<&str>, deadline: Instant) -> Wished {
    let Ok(_one_at_a_time) = timeout_at(deadline, node.change.lock()).await else {
        return busy("another change is under way");
    };
    let metrics = node.metrics();
    if metrics.state != ServerState::Leader {
        return not_leader(node);
    }
    let members = metrics.membership_config.membership();
    if let Some(name) = to
        && members.get_node(&node.id).is_some_and(|p| p.name == name)
    {
        return Wished::Done;
    }
    let replication = metrics.replication.clone().unwrap_or_default();
    let best = members
        .voter_ids()
        .filter(|id| *id != node.id)
        .filter_map(|id| Some((id, members.get_node(&id)?)))
        .filter(|(_, peer)| to.is_none_or(|name| peer.name == name))
        .max_by_key(|(id, _)| {
            let silent = node
                .heard
                .age(*id)
                .is_none_or(|age| age > node.options.timings.election_max);
            (!silent, replication.get(id).copied().flatten())
        });
    let Some((id, peer)) = best else {
        return refused(&"no other member with a vote is called that");
    };
    let _resume = Paused::new(node);
    // The followers' lease on this leader must have run out, or they refuse every other.
    sleep(node.options.timings.election_max + PAUSE).await;
    let patience = node.options.timings.election_min;
    let asked = node.ask::<_, Wished>(id, &peer.address, Topic::Membership, &Wish::Elect, patience);
    if let Err(error) = asked.await {
        return busy(&error.to_string());
    }
    let until = deadline.min(Instant::now() + node.options.timings.election_max * 3);
    let mut metrics = node.raft.metrics();
    let gone = metrics.wait_for(|metrics| {
        metrics
            .current_leader
            .is_some_and(|leader| leader != node.id)
    });
    match timeout_at(until, gone).await {
        Ok(Ok(_)) => Wished::Done,
        Ok(Err(_)) | Err(_) => busy("nobody else was elected"),
    }
}

/// While it lives, nothing is proposed and no heartbeat goes out.
struct Paused<'a> {
    node: &'a Node,
}

impl<'a> Paused<'a> {
    fn new(node: &'a Node) -> Self {
        node.paused.send_replace(true);
        node.raft.runtime_config().heartbeat(false);
        Self { node }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.node.raft.runtime_config().heartbeat(true);
        self.node.paused.send_replace(false);
    }
}

/// Gives the only member another address, or name.
pub(crate) async fn move_alone(raft: &openraft::Raft<Group>, id: u64, peer: Peer) -> Changed {
    let change = ChangeMembers::SetNodes([(id, peer)].into());
    raft.change_membership(change, true).await.map(drop)
}
