//! The cluster, as the one who knows best sees it: the leader hears every member, a follower only the leader.

use std::time::Duration;

use hermod_api::platform::{Cluster, Member};
use hermod_storage::{Raft, Role, registry::Worker};
use serde_json::Value;

use super::{
    core::{Core, hex},
    peers,
    question::{self, Question},
};

/// A voter that was not heard for so long is not counted on.
const HEARD_MAX: Duration = Duration::from_secs(2);

/// Describes the cluster, as the leader sees it if it answers, and else as this node does.
pub(super) async fn cluster(core: &Core) -> Cluster {
    let leader = match &core.metadata.raft {
        Some(raft) => raft.status().leader.filter(|leader| *leader != raft.id()),
        None => None,
    };
    if let Some(leader) = leader
        && let Some(peer) = peers::find(core, leader).await
        && let Ok(cluster) = question::ask::<Cluster>(core, &peer, &Question::Cluster).await
    {
        return Cluster {
            node: core.name.clone(),
            ..cluster
        };
    }
    as_seen_here(core).await
}

/// Describes the cluster as this node sees it.
pub(super) async fn as_seen_here(core: &Core) -> Cluster {
    let writable = core.store().health().writable;
    let workers = core.registry().workers().await.unwrap_or_default();
    let workers: Vec<Worker> = workers.into_iter().map(|(_, worker)| worker).collect();
    let (leader, term, survives, members) = match &core.metadata.raft {
        Some(raft) => of_group(raft, &workers),
        None => (None, None, 0, of_database(core, &workers)),
    };
    Cluster {
        node: core.name.clone(),
        leader,
        term,
        writable,
        survives,
        members,
    }
}

type Seen = (Option<String>, Option<u64>, u32, Vec<Member>);

fn of_group(raft: &Raft, workers: &[Worker]) -> Seen {
    let status = raft.status();
    let leader = status.members.iter().find(|member| member.leader);
    let leader = leader.map(|leader| leader.name.clone());
    let voters = status.members.iter().filter(|member| member.voter);
    let is_heard =
        |member: &&hermod_storage::Member| member.silent.is_some_and(|silent| silent < HEARD_MAX);
    // Only who is heard is counted on: what nobody knows is no reserve.
    let heard = voters.clone().filter(is_heard).count();
    let survives = heard.saturating_sub(voters.count() / 2 + 1);
    let members = status.members.iter().map(|member| {
        let id = hex(member.id);
        let worker = workers
            .iter()
            .find(|worker| worker.node.as_deref() == Some(&*id));
        Member {
            version: worker.and_then(|worker| text(worker, "version")),
            role: role(member, status.id, status.role).to_owned(),
            name: member.name.clone(),
            address: member.address.clone(),
            voter: member.voter,
            heard_ms_ago: member.silent.map(|silent| silent.as_millis() as u64),
            id,
        }
    });
    let survives = u32::try_from(survives).unwrap_or(0);
    (leader, Some(status.term), survives, members.collect())
}

/// Nodes that share a database: how many may be lost is the database's affair.
fn of_database(core: &Core, workers: &[Worker]) -> Vec<Member> {
    let now_ms = core.store().now_ms();
    let members = workers.iter().filter_map(|worker| {
        Some(Member {
            name: worker.name.clone(),
            id: worker.node.clone()?,
            address: text(worker, "address").unwrap_or_default(),
            role: "client".to_owned(),
            voter: false,
            heard_ms_ago: worker.seen_ms.map(|seen| now_ms.saturating_sub(seen)),
            version: text(worker, "version"),
        })
    });
    members.collect()
}

fn text(worker: &Worker, name: &str) -> Option<String> {
    let value = worker.more.get(name).and_then(Value::as_str);
    value.map(str::to_owned)
}

fn role(member: &hermod_storage::Member, me: u64, mine: Role) -> &'static str {
    match (member.leader, member.voter) {
        (true, _) => "leader",
        (_, false) => "learner",
        _ if member.id == me && mine == Role::Candidate => "candidate",
        _ => "follower",
    }
}
