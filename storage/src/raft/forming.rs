//! How a group comes to be, and how a node comes into one. What is done wrong here splits a cluster in two.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering, time::Duration};

use openraft::error::{InitializeError, RaftError as CoreError};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    RaftError,
    calls::{Hello, Wish, Wished},
    group::Peer,
    handler,
    identity::{self, Founder},
    membership,
    node::{Leader, Node},
};
use crate::channel::Topic;

/// How long one question waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two rounds of questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Brings the node into its group, whatever that takes.
pub(crate) async fn form(node: Arc<Node>) {
    let mut differs = node.differs.subscribe();
    let formed = tokio::select! {
        formed = try_form(&node) => formed,
        Ok(Some(Peer { name, address })) = async {
            differs.wait_for(Option::is_some).await.map(|peer| peer.clone())
        } => Err(RaftError::ListsDiffer { name, address }),
        () = node.cancel.cancelled() => return,
    };
    if let Err(error) = &formed {
        node.fail(&error.to_string());
    }
    node.formed.send_replace(Some(formed.map_err(Arc::new)));
}

async fn try_form(node: &Node) -> Result<(), RaftError> {
    let facts = node.identity.facts();
    if facts.cluster != 0 {
        // A crash may lie between the list and what came of it.
        if node.log.is_pristine() && !facts.founders.is_empty() {
            initialize(node, &facts.founders).await?;
        }
        return settle(node).await;
    }
    if !node.log.is_pristine() {
        return Err(RaftError::Malformed {
            what: node.options.dir.display().to_string(),
            reason: "there is a log and no identity that it belongs to".into(),
        });
    }
    if let Some(address) = &node.options.join {
        return join(node, address).await;
    }
    if node.options.founders.is_empty() {
        return found(node, vec![(node.id, node.peer())]).await;
    }
    meet(node).await
}

/// Founds a cluster with a list. Every member of the list does the same.
async fn found(node: &Node, founders: Vec<Founder>) -> Result<(), RaftError> {
    let cluster = identity::cluster_id(&founders);
    node.identity.belong(cluster, founders.clone())?;
    node.cluster.store(cluster, Ordering::Release);
    initialize(node, &founders).await?;
    settle(node).await
}

async fn initialize(node: &Node, founders: &[Founder]) -> Result<(), RaftError> {
    let members: BTreeMap<_, _> = founders.iter().cloned().collect();
    match node.raft.initialize(members).await {
        // Another founder's list, the same as ours, was here first.
        Ok(()) | Err(CoreError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(error) => Err(RaftError::Core {
            reason: error.to_string(),
        }),
    }
}

/// Asks all founders who they are, until all answer.
async fn meet(node: &Node) -> Result<(), RaftError> {
    let ours = handler::hello(node);
    let peers = node.options.founder_peers();
    if !peers.contains(&node.peer()) {
        return Err(RaftError::NotListed {
            name: node.options.name.clone(),
        });
    }
    loop {
        let mut founders = vec![(node.id, node.peer())];
        let mut clusters = Vec::new();
        for peer in peers.iter().filter(|peer| **peer != ours.peer) {
            let asked = node.ask::<_, Hello>(0, &peer.address, Topic::Hello, &ours, PATIENCE);
            let hello = match asked.await {
                Ok(hello) => hello,
                Err(error) => {
                    tracing::info!(peer = peer.name, %error, "waiting for a founder");
                    continue;
                }
            };
            if hello.founders.contains(&(node.id, node.peer()))
                && identity::cluster_id(&hello.founders) == hello.cluster
            {
                // It was quicker, and counts on this node.
                return found(node, hello.founders).await;
            }
            if hello.cluster != 0 {
                clusters.push((hello.cluster, peer.address.clone()));
            } else if hello.list != ours.list {
                // With different lists, two clusters could come out of one.
                return Err(RaftError::ListsDiffer {
                    name: peer.name.clone(),
                    address: peer.address.clone(),
                });
            }
            if hello.peer != *peer {
                return Err(RaftError::Impostor {
                    address: peer.address.clone(),
                    name: peer.name.clone(),
                    found: hello.peer.name,
                });
            }
            founders.push((hello.id, hello.peer));
        }
        if founders.len() == peers.len() {
            let cluster = identity::cluster_id(&founders);
            match clusters.iter().find(|(other, _)| *other != cluster) {
                // All are pristine, or have founded with this very list.
                None => return found(node, founders).await,
                Some((_, address)) => return join(node, address).await,
            }
        }
        if let Some((_, address)) = clusters.first()
            && try_join(node, address).await?
        {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

/// Joins a cluster through any of its members. It never founds one.
async fn join(node: &Node, home: &str) -> Result<(), RaftError> {
    let mut address = home.to_string();
    loop {
        match ask_to_join(node, &address).await? {
            Asked::Voter => return settle(node).await,
            Asked::There(leader) => address = leader,
            // The leader may have gone: any member knows the next.
            Asked::Later => home.clone_into(&mut address),
        }
        sleep(PAUSE).await;
    }
}

/// Asks once, while it is not certain that there is a cluster to join.
async fn try_join(node: &Node, address: &str) -> Result<bool, RaftError> {
    match ask_to_join(node, address).await? {
        Asked::Voter => settle(node).await?,
        Asked::There(leader) => join(node, &leader).await?,
        Asked::Later => return Ok(false),
    }
    Ok(true)
}

enum Asked {
    Voter,
    There(String),
    Later,
}

async fn ask_to_join(node: &Node, address: &str) -> Result<Asked, RaftError> {
    let wish = Wish::Join((node.id, node.peer()));
    let asked = node.ask::<_, Wished>(0, address, Topic::Membership, &wish, PATIENCE);
    match asked.await {
        Ok(Wished::Joined { cluster, voter }) => {
            node.identity.belong(cluster, Vec::new())?;
            node.cluster.store(cluster, Ordering::Release);
            Ok(if voter { Asked::Voter } else { Asked::Later })
        }
        Ok(Wished::NotLeader {
            address: Some(leader),
        }) => Ok(Asked::There(leader)),
        Ok(Wished::NameTaken) => Err(RaftError::NameTaken {
            name: node.options.name.clone(),
        }),
        Ok(Wished::Refused { reason }) => Err(RaftError::Refused { reason }),
        Ok(Wished::Busy { reason }) => {
            tracing::info!(address, reason, "waiting to join");
            Ok(Asked::Later)
        }
        Ok(Wished::Done | Wished::NotLeader { address: None }) => Ok(Asked::Later),
        Err(error) => {
            tracing::info!(address, %error, "waiting to join");
            Ok(Asked::Later)
        }
    }
}

/// Waits for a leader, and sees to it that the membership knows this node as it is.
async fn settle(node: &Node) -> Result<(), RaftError> {
    loop {
        let metrics = node.metrics();
        let members = metrics.membership_config.membership();
        let known = members.get_node(&node.id);
        let alone = members.nodes().count() == 1;
        match known {
            Some(known) if *known == node.peer() => {
                if node.leader() != Leader::Nobody {
                    return Ok(());
                }
            }
            Some(_) if alone => {
                if node.leader() == Leader::Here {
                    let deadline = Instant::now() + node.options.write_timeout;
                    let moved = membership::move_alone(&node.raft, node.id, node.peer());
                    if let Ok(Err(error)) = timeout_at(deadline, moved).await {
                        tracing::warn!(%error, "the address was not changed yet");
                    }
                }
            }
            Some(known) => {
                return Err(RaftError::AddressChanged {
                    name: known.name.clone(),
                    address: known.address.clone(),
                });
            }
            // A crash may lie between the wish to join and the vote.
            None => {
                if let Some(address) = &node.options.join {
                    ask_to_join(node, address).await?;
                }
            }
        }
        let is_voter = members.voter_ids().any(|id| id == node.id);
        if known.is_some()
            && !is_voter
            && let Some(address) = &node.options.join
        {
            ask_to_join(node, address).await?;
        }
        sleep(PAUSE / 4).await;
    }
}
