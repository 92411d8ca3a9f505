//! The types of the Raft group, and what its entries say.

use std::{io::Cursor, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Answer, Operation};

openraft::declare_raft_types!(
    /// The group that keeps the metadata.
    pub(crate) Group:
        D = Proposal,
        R = Outcomes,
        NodeId = u64,
        Node = Peer,
        Entry = openraft::Entry<Group>,
        SnapshotData = Cursor<Vec<u8>>,
        Responder = openraft::impls::OneshotResponder<Group>,
        AsyncRuntime = openraft::TokioRuntime,
);

pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type Entry = openraft::Entry<Group>;
pub(crate) type Membership = openraft::StoredMembership<u64, Peer>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, Peer>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type StorageIoError = openraft::StorageIOError<u64>;
pub(crate) type Metrics = openraft::RaftMetrics<u64, Peer>;

/// A member, as the membership names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// Where it is reached; empty for a cluster of one that nobody reaches.
    pub(crate) address: String,
}

/// What a normal entry says: commands, done in order, and when their leader took them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// In milliseconds since 1970, by the leader's clock.
    pub(crate) now_ms: u64,
    /// Shared, for an entry is copied to every follower.
    pub(crate) commands: Arc<Vec<Command>>,
}

/// What one caller submitted. Its operations have the numbers `serial`, `serial + 1`, … of its proposer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) proposer: u64,
    pub(crate) serial: u64,
    pub(crate) operations: Vec<Operation>,
}

impl Command {
    pub(crate) fn weight(&self) -> usize {
        64 + self.operations.iter().map(Operation::weight).sum::<usize>()
    }
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Each operation's answer, now or when it was done the first time.
    Answers(Vec<Answer>),
    /// It came so late that nobody knows any more whether it was done: it was not done now.
    Expired,
}

/// What an entry came to: an outcome for each command.
pub(crate) type Outcomes = Vec<Outcome>;

/// Returns the index behind a log id; 0 where there is none.
pub(crate) fn next_index(id: Option<&LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}
