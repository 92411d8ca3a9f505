//! Versioned documents.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// A position in the store's history: grows with every operation that changes something.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What an object is. The numbers stand on disk and in messages between nodes: none is ever given to another
        /// kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "u16", try_from = "u16")]
        #[repr(u16)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind, ordered by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the name that stands in addresses and tables.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl TryFrom<u16> for Kind {
            type Error = UnknownKind;

            fn try_from(number: u16) -> Result<Self, UnknownKind> {
                match number {
                    $($number => Ok(Self::$name),)*
                    other => Err(UnknownKind(other)),
                }
            }
        }
    };
}

kinds! {
    /// A workflow, its graph and its state as wanted.
    Workflow = 1, "workflow";
    /// A version of a workflow, never changed. Its id is the workflow's, `/`, and ten digits.
    WorkflowVersion = 2, "workflow_version";
    /// A source's configuration.
    Source = 3, "source";
    /// A sink's configuration.
    Sink = 4, "sink";
    /// A process that runs workflows.
    Worker = 5, "worker";
    /// A person.
    User = 6, "user";
    /// An API token; only its hash is kept.
    Token = 7, "token";
    /// A session of a browser; only its token's hash is kept.
    Session = 8, "session";
    /// A setting of the platform.
    Setting = 9, "setting";
    /// A source's position that a takeover resumes from.
    Checkpoint = 10, "checkpoint";
    /// What a node last said of a durable stream on its disk, so that it can be shown when the node is gone.
    Backlog = 11, "backlog";
    /// A stream that an operator has declared lost.
    Barred = 12, "barred";
    /// What a workflow last did, as its owner reported it.
    Status = 13, "status";
}

/// A number that no kind has; it was written by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of object has the number {0}; it was written by a newer version")]
pub struct UnknownKind(u16);

impl From<Kind> for u16 {
    fn from(kind: Kind) -> Self {
        kind as Self
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Its id among its kind: any text of 1 to [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes.
    pub id: ByteString,
}

impl Key {
    /// Makes a key.
    pub fn new(kind: Kind, id: impl Into<ByteString>) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// An object as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name.
    pub key: Key,
    /// The revision at which it was last written. Two writes never have the same.
    pub version: Revision,
    /// When it was made, in milliseconds since 1970, store time.
    pub created_ms: u64,
    /// When it was last written, in milliseconds since 1970, store time.
    pub changed_ms: u64,
    /// What it says. The store does not look into it.
    pub document: Bytes,
}
