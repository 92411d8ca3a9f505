//! Answers to calls from other members.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, VoteRequest,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    Raft,
    calls::{Hello, Pinged, Wish},
    codec,
    group::{Command, Group},
    identity, membership, network,
    node::Node,
};
use crate::channel::{Call, Gate, Handler, Topic};

#[async_trait]
impl Handler for Raft {
    async fn handle(&self, call: Call, timeout: Duration) -> Result<Bytes, String> {
        answer(&self.node, call, timeout).await
    }
}

impl Gate for Raft {
    fn admit(&self, call: &Call) -> Result<(), String> {
        check(&self.node, call)
    }
}

async fn answer(node: &Arc<Node>, call: Call, timeout: Duration) -> Result<Bytes, String> {
    if let Some(reason) = node.stopped() {
        return Err(reason);
    }
    check(node, &call)?;
    let deadline = Instant::now() + timeout;
    let from = call.from;
    match call.topic {
        Topic::Hello => {
            let (theirs, ours) = (read::<Hello>(&call)?, hello(node));
            let lists = [theirs.list, ours.list];
            if theirs.cluster == 0
                && ours.cluster == 0
                && lists[0] != lists[1]
                && !lists.contains(&0)
            {
                // Whoever sees it first may be gone before the other asks.
                node.differs.send_replace(Some(theirs.peer));
            }
            write(&ours)
        }
        Topic::RaftAppend => {
            let rpc: AppendEntriesRequest<Group> = read(&call)?;
            let answer = network::answer_append(&node.raft, rpc).await;
            if !matches!(&answer, Ok(AppendEntriesResponse::HigherVote(_)) | Err(_)) {
                node.heard.note(from);
            }
            write(&answer)
        }
        Topic::RaftVote => {
            let rpc: VoteRequest<u64> = read(&call)?;
            write(&network::answer_vote(&node.raft, rpc).await)
        }
        Topic::RaftSnapshot => {
            let rpc: InstallSnapshotRequest<Group> = read(&call)?;
            let answer = network::answer_snapshot(&node.raft, rpc).await;
            if answer.is_ok() {
                node.heard.note(from);
            }
            write(&answer)
        }
        Topic::Submit => {
            let commands: Vec<Command> = read(&call)?;
            write(&node.queue.submit_for(commands, deadline).await)
        }
        Topic::ReadIndex => {
            read::<()>(&call)?;
            write(&node.barrier.read_index(deadline).await)
        }
        Topic::Membership => {
            let wish: Wish = read(&call)?;
            write(&membership::grant(node, wish, deadline).await)
        }
        Topic::Ping => {
            read::<()>(&call)?;
            write(&Pinged::Ok(()))
        }
        Topic::StoreKey | Topic::Push | Topic::Question => {
            Err(format!("the store does not answer `{:?}`", call.topic))
        }
    }
}

/// Refuses who belongs to another cluster, or means another node.
fn check(node: &Node, call: &Call) -> Result<(), String> {
    let ours = node.cluster();
    let stranger = match call.topic {
        // Those that belong to no cluster yet may ask who we are, and to join.
        Topic::Hello | Topic::Membership => call.cluster != 0 && ours != 0 && call.cluster != ours,
        _ => call.cluster != ours || ours == 0,
    };
    if stranger {
        tracing::warn!(from = call.from, cluster = call.cluster, ours, topic = ?call.topic,
            "a call from another cluster is refused");
        return Err(format!(
            "this node belongs to cluster `{ours:016x}`, the call to `{:016x}`",
            call.cluster
        ));
    }
    if call.to != 0 && call.to != node.id {
        tracing::warn!(from = call.from, to = call.to, ours = node.id, topic = ?call.topic,
            "a call for another node is refused");
        return Err(format!(
            "this node is `{:016x}`, the call is for `{:016x}`",
            node.id, call.to
        ));
    }
    Ok(())
}

/// Says who this node is.
pub(crate) fn hello(node: &Node) -> Hello {
    let founders = &node.options.founders;
    Hello {
        id: node.id,
        peer: node.peer(),
        cluster: node.cluster(),
        list: if founders.is_empty() {
            0
        } else {
            identity::list_hash(&node.options.founder_peers())
        },
        founders: node.identity.facts().founders,
        clock_ms: node.now_ms(),
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, String> {
    codec::decode(&call.body).map_err(|error| format!("malformed `{:?}`: {error}", call.topic))
}

fn write<T: Serialize>(answer: &T) -> Result<Bytes, String> {
    let bytes = codec::encode(answer).map_err(|error| error.to_string())?;
    Ok(bytes.into())
}
