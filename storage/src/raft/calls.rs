//! What members say to each other, beside Raft's own messages.

use std::time::Duration;

use bytes::Bytes;
use openraft::{
    error::{InstallSnapshotError, RaftError},
    raft::{AppendEntriesResponse, InstallSnapshotResponse, VoteResponse},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    codec,
    group::{Outcome, Peer},
    identity::Founder,
};
use crate::channel::{Call, CallError, Channel, Topic};

pub(crate) type Pinged = Result<(), RaftError<u64>>;
pub(crate) type Appended = Result<AppendEntriesResponse<u64>, RaftError<u64>>;
pub(crate) type Voted = Result<VoteResponse<u64>, RaftError<u64>>;
pub(crate) type Installed =
    Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>;

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    /// 0 for none yet.
    pub(crate) cluster: u64,
    /// The list with which it wants to found a cluster; 0 for none.
    pub(crate) list: u64,
    /// The list with which it has founded its cluster; empty where it joined it.
    pub(crate) founders: Vec<Founder>,
    pub(crate) clock_ms: u64,
}

/// How far operations for the leader came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Submitted {
    /// They are applied with the entry before this index.
    Done { next: u64, outcomes: Vec<Outcome> },
    /// The node does not lead, or has stopped to. Under the same numbers they may be submitted again.
    NotLeader,
    /// Nothing was done: try again after so many milliseconds.
    Busy { retry_ms: u64, reason: String },
    /// Nobody can say.
    Unknown,
}

/// The answer to a question for the read index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReadIndex {
    /// What was answered before the question lies before this index.
    Next(u64),
    NotLeader,
    /// It leads, and cannot show that it still does.
    NoQuorum(String),
}

/// A wish about the membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    Join(Founder),
    Remove {
        name: String,
    },
    Transfer {
        to: Option<String>,
    },
    /// From the leader: ask for votes now.
    Elect,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wished {
    Done,
    /// It belongs to the cluster, with or without a vote.
    Joined {
        cluster: u64,
        voter: bool,
    },
    /// Ask there.
    NotLeader {
        address: Option<String>,
    },
    /// The name belongs to another id.
    NameTaken,
    Refused {
        reason: String,
    },
    Busy {
        reason: String,
    },
}

/// Sends calls on behalf of a node.
pub(crate) struct Caller<'a> {
    pub(crate) channel: &'a dyn Channel,
    pub(crate) cluster: u64,
    pub(crate) from: u64,
}

impl Caller<'_> {
    /// Asks, and reads the answer.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        to: u64,
        address: &str,
        topic: Topic,
        question: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let refused = |error: codec::CodecError| CallError::Refused {
            address: address.into(),
            reason: error.to_string(),
        };
        let call = Call {
            cluster: self.cluster,
            from: self.from,
            to,
            topic,
            body: Bytes::from(codec::encode(question).map_err(refused)?),
        };
        let answer = tokio::time::timeout(timeout, self.channel.call(address, call, timeout));
        let answer = answer.await.unwrap_or_else(|_| {
            Err(CallError::Unknown {
                address: address.into(),
                reason: format!("no answer within {timeout:?}"),
            })
        })?;
        codec::decode(&answer).map_err(|error| CallError::Unknown {
            address: address.into(),
            reason: error.to_string(),
        })
    }
}
