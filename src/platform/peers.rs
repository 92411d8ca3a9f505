//! The other nodes: who they are, and how they are asked.

use std::time::Duration;

use bytes::Bytes;
use hermod_storage::channel::{Call, Topic};

use super::core::Core;

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) address: String,
}

/// How long a node that has not been heard of counts as gone for good where there is no list of members.
const GONE_MS: u64 = 60_000;

/// Returns all other nodes: the members of the group, or the workers that share the database.
pub(super) async fn all(core: &Core) -> Vec<Peer> {
    if let Some(raft) = &core.metadata.raft {
        let status = raft.status();
        let others = status
            .members
            .into_iter()
            .filter(|member| member.id != status.id);
        return others
            .map(|member| Peer {
                id: member.id,
                name: member.name,
                address: member.address,
            })
            .collect();
    }
    let now_ms = core.store().now_ms();
    let workers = core.registry().workers().await.unwrap_or_default();
    let live = workers
        .into_iter()
        .map(|(_, worker)| worker)
        .filter(|worker| worker.seen_ms.is_some_and(|seen| now_ms < seen + GONE_MS));
    live.filter_map(|worker| {
        let id = u64::from_str_radix(worker.node.as_deref()?, 16).ok()?;
        let address = worker.more.get("address")?.as_str()?.to_owned();
        (id != core.owner.node).then_some(Peer {
            id,
            name: worker.name,
            address,
        })
    })
    .collect()
}

/// Returns the node of an id.
pub(super) async fn find(core: &Core, id: u64) -> Option<Peer> {
    all(core).await.into_iter().find(|peer| peer.id == id)
}

/// Makes a call to a node.
pub(super) fn call(core: &Core, peer: &Peer, topic: Topic, body: Bytes) -> Call {
    Call {
        cluster: core.metadata.cluster(),
        from: core.owner.node,
        to: peer.id,
        topic,
        body,
    }
}

/// How long a node may take for a question about its own data.
pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
