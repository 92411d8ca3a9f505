//! Why a member does not start, or has stopped.

use std::{io, path::PathBuf};

use hermod_wal::{AppendError, OpenError, ReadError};

/// Why a member of a group does not start, or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RaftError {
    /// Input or output failed.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log could not be opened.
    #[error("cannot open the log of the metadata store")]
    Log(#[from] OpenError),
    /// The log could not be read.
    #[error("cannot read the log of the metadata store")]
    Read(#[from] ReadError),
    /// The log could not be written.
    #[error("cannot write the log of the metadata store")]
    Append(#[source] AppendError),
    /// The log is damaged (I6). A member must not go on with a hole in it.
    #[error(
        "the log of the metadata store is damaged: segment {segment}, offset {offset}; remove this member, empty its directory and let it join again"
    )]
    Damaged {
        /// Number of the segment.
        segment: u64,
        /// Where in the segment's file the damage begins.
        offset: u64,
    },
    /// Something on disk is not what it should be (I6).
    #[error("`{what}` is not to be believed: {reason}")]
    Malformed {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// The log was let go of below a snapshot that is not there, or is damaged (I6).
    #[error(
        "the log begins at entry {purged} and the newest sound snapshot ends before {snapshot}: remove this member, empty its directory and let it join again"
    )]
    SnapshotMissing {
        /// The first entry that there is.
        purged: u64,
        /// The first entry that the snapshot lacks.
        snapshot: u64,
    },
    /// Two nodes that are to start a cluster together were given different lists.
    #[error(
        "`{name}` at `{address}` was started with another list of peers: give all the same, or start one of them to join"
    )]
    ListsDiffer {
        /// The other.
        name: String,
        /// Where.
        address: String,
    },
    /// Another node answers at a founder's address.
    #[error("at `{address}`, where `{name}` is expected, `{found}` answers")]
    Impostor {
        /// Where.
        address: String,
        /// Who is expected.
        name: String,
        /// Who answers.
        found: String,
    },
    /// This node is not in its own list of peers.
    #[error("`{name}` is not in its own list of peers, with its own address")]
    NotListed {
        /// This node.
        name: String,
    },
    /// Another directory is a member under this name: a disk was wiped, or two nodes have one name.
    #[error(
        "a member called `{name}` exists with another identity; if its disk is gone, remove it first (`hermod cluster remove {name}`)"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The membership knows this node at another address.
    #[error(
        "the cluster knows this node as `{name}` at `{address}`: name and address of a member stay; remove it and let it join again"
    )]
    AddressChanged {
        /// Its name there.
        name: String,
        /// Its address there.
        address: String,
    },
    /// The cluster does not want it.
    #[error("the cluster refuses: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The settings do not fit together.
    #[error("{reason}")]
    Settings {
        /// Why.
        reason: String,
    },
    /// The core has stopped.
    #[error("the metadata store has stopped: {reason}")]
    Core {
        /// Why.
        reason: String,
    },
    /// It was closed.
    #[error("the metadata store is closed")]
    Closed,
}
