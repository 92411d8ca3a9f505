//! How nodes ask each other: one call, one answer, over a connection that only members of the cluster can make.

mod budget;
mod connections;
mod counters;
mod identity;
mod link;
mod listener;
mod router;
mod service;
mod tasks;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use connections::Connections;
pub use counters::Counters;
pub use identity::{Identity, IdentityError, SECRET_BYTES_MIN};
pub use listener::{ListenError, Listener};
pub use router::{Gate, Router};

/// Bytes of a call's body, and of an answer (I9). A piece of a snapshot or a pushed request is far below it.
pub const BODY_BYTES_MAX: usize = 20 << 20;

/// What a call is about. The numbers stand in messages between nodes: none is ever given to another topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Topic {
    /// Who are you: id, name, cluster, whether you are pristine, and your clock.
    Hello = 1,
    /// Raft: entries, or a heartbeat.
    RaftAppend = 2,
    /// Raft: a request for a vote.
    RaftVote = 3,
    /// Raft: a piece of a snapshot.
    RaftSnapshot = 4,
    /// Operations for the leader.
    Submit = 5,
    /// The leader's read index.
    ReadIndex = 6,
    /// Changes of the membership, for the leader.
    Membership = 7,
    /// The store key, for a member that has none.
    StoreKey = 8,
    /// Nothing: whether a member answers.
    Ping = 9,
    /// A request of a client, for the node that owns its workflow.
    Push = 32,
    /// A question about a node's own data.
    Question = 33,
}

impl Topic {
    /// Every topic, ordered by number.
    pub const ALL: &[Self] = &[
        Self::Hello,
        Self::RaftAppend,
        Self::RaftVote,
        Self::RaftSnapshot,
        Self::Submit,
        Self::ReadIndex,
        Self::Membership,
        Self::StoreKey,
        Self::Ping,
        Self::Push,
        Self::Question,
    ];

    /// Those that the store answers: what members say to each other as members.
    pub const STORE: &[Self] = &[
        Self::Hello,
        Self::RaftAppend,
        Self::RaftVote,
        Self::RaftSnapshot,
        Self::Submit,
        Self::ReadIndex,
        Self::Membership,
        Self::Ping,
    ];

    /// Returns the topic of a number that a message names.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|topic| *topic as u32 == number)
    }

    /// Whether calls about it may be large or slow, so that they must not stand before those that keep the cluster alive.
    fn is_bulk(self) -> bool {
        match self {
            Self::Hello
            | Self::RaftAppend
            | Self::RaftVote
            | Self::Submit
            | Self::ReadIndex
            | Self::Membership
            | Self::StoreKey
            | Self::Ping => false,
            Self::RaftSnapshot | Self::Push | Self::Question => true,
        }
    }
}

/// A call, as it is sent and as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The cluster that the sender belongs to; 0 while it belongs to none.
    pub cluster: u64,
    /// The sender.
    pub from: u64,
    /// The node that is meant; 0 where the sender knows only an address.
    pub to: u64,
    /// What it is about.
    pub topic: Topic,
    /// What it says.
    pub body: Bytes,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It did not reach the node: nothing was done there.
    #[error("node at `{address}` cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// It may have reached the node, and no answer came in time.
    #[error("node at `{address}` has not answered: {reason}")]
    Unknown {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The node has refused it: nothing was done there.
    #[error("node at `{address}` refuses: {reason}")]
    Refused {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
}

/// Sends calls. Connections are kept and shared: at most two per address, one of them for what is large or slow.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Sends a call to the node at an address (`host:port`) and returns its answer.
    async fn call(&self, address: &str, call: Call, timeout: Duration) -> Result<Bytes, CallError>;
}

/// Answers calls.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers a call, or refuses it with a reason that its sender may read.
    ///
    /// `timeout` is what is left of the sender's patience.
    async fn handle(&self, call: Call, timeout: Duration) -> Result<Bytes, String>;
}
