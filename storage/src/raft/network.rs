//! Raft's own messages, over the channel between nodes.

use std::{
    collections::BTreeMap,
    iter,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::{
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest,
        InstallSnapshotResponse, VoteRequest, VoteResponse,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    calls::{Appended, Caller, Installed, Voted},
    group::{Group, Peer},
};
use crate::channel::{CallError, Channel, Topic};

/// How long a member that cannot be reached is left alone.
const BACKOFF: Duration = Duration::from_millis(200);

/// When members were last heard. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    at: Arc<Mutex<BTreeMap<u64, Instant>>>,
}

impl Heard {
    pub(crate) fn note(&self, id: u64) {
        self.lock().insert(id, Instant::now());
    }

    /// Lets go of those that are no members.
    pub(crate) fn keep(&self, is_member: impl Fn(u64) -> bool) {
        self.lock().retain(|id, _| is_member(*id));
    }

    pub(crate) fn age(&self, id: u64) -> Option<Duration> {
        self.lock().get(&id).map(Instant::elapsed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes connections to members.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) channel: Arc<dyn Channel>,
    /// Known only after the group is formed.
    pub(crate) cluster: Arc<AtomicU64>,
    pub(crate) from: u64,
    /// Members that have answered as followers do.
    pub(crate) heard: Heard,
    /// A member that was not heard for so long is asked whether it answers before it is told who leads.
    pub(crate) silence: Duration,
}

impl RaftNetworkFactory<Group> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, peer: &Peer) -> Connection {
        Connection {
            network: self.clone(),
            target,
            address: peer.address.clone(),
        }
    }
}

/// A way to one member.
pub(crate) struct Connection {
    network: Network,
    target: u64,
    address: String,
}

impl Connection {
    async fn call<Q, A, E>(
        &self,
        topic: Topic,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, RPCError<u64, Peer, RaftError<u64, E>>>
    where
        Q: Serialize,
        A: Serialize,
        E: std::error::Error,
        Result<A, RaftError<u64, E>>: DeserializeOwned,
    {
        let caller = Caller {
            channel: self.network.channel.as_ref(),
            cluster: self.network.cluster.load(Ordering::Acquire),
            from: self.network.from,
        };
        let answer = caller.ask(self.target, &self.address, topic, question, timeout);
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RemoteError::new(self.target, error).into()),
            Err(error @ (CallError::Unreachable { .. } | CallError::Refused { .. })) => {
                tracing::debug!(target = self.target, %error, "a member cannot be reached");
                Err(Unreachable::new(&error).into())
            }
            Err(error @ CallError::Unknown { .. }) => Err(NetworkError::new(&error).into()),
        }
    }
}

impl RaftNetwork<Group> for Connection {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Group>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, Peer, RaftError<u64>>> {
        let age = self.network.heard.age(self.target);
        if age.is_some_and(|age| age > self.network.silence) {
            // A leader that is heard and hears nobody would keep the others from electing another one.
            let () = self.call(Topic::Ping, &(), option.hard_ttl()).await?;
        }
        let answer = self.call(Topic::RaftAppend, &rpc, option.hard_ttl());
        let answer: AppendEntriesResponse<u64> = answer.await?;
        if !matches!(answer, AppendEntriesResponse::HigherVote(_)) {
            self.network.heard.note(self.target);
        }
        Ok(answer)
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Group>,
        option: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<u64>,
        RPCError<u64, Peer, RaftError<u64, InstallSnapshotError>>,
    > {
        let answer = self.call(Topic::RaftSnapshot, &rpc, option.hard_ttl());
        let answer = answer.await?;
        self.network.heard.note(self.target);
        Ok(answer)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, Peer, RaftError<u64>>> {
        let answer = self.call(Topic::RaftVote, &rpc, option.hard_ttl());
        let answer: VoteResponse<u64> = answer.await?;
        if answer.vote_granted {
            // A quorum of these made the leader: it need not wait for another before it takes a write.
            self.network.heard.note(self.target);
        }
        Ok(answer)
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(iter::repeat(BACKOFF))
    }
}

/// The core answers Raft's messages.
pub(crate) async fn answer_append(
    raft: &openraft::Raft<Group>,
    rpc: AppendEntriesRequest<Group>,
) -> Appended {
    raft.append_entries(rpc).await
}

pub(crate) async fn answer_vote(raft: &openraft::Raft<Group>, rpc: VoteRequest<u64>) -> Voted {
    raft.vote(rpc).await
}

pub(crate) async fn answer_snapshot(
    raft: &openraft::Raft<Group>,
    rpc: InstallSnapshotRequest<Group>,
) -> Installed {
    raft.install_snapshot(rpc).await
}
