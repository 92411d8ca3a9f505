//! Why something cannot be read or changed.

use bytestring::ByteString;

use crate::{Key, Kind, Revision, StoreError};

/// Something cannot be read or changed. No variant holds a document (I10).
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store as a whole has a reason.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such object.
    #[error("there is no {} `{}`", .0.kind, .0.id)]
    Missing(Key),
    /// An object is not as the caller expects it.
    #[error("`{key}` is not as expected")]
    Conflict {
        /// Which.
        key: Key,
        /// The version that it has; `None` where it does not exist.
        found: Option<Revision>,
    },
    /// Others changed it at every attempt.
    #[error("`{0}` is being changed by many at once")]
    Contended(Key),
    /// A workflow names a source or sink that does not exist.
    #[error("there is no {} `{}`, which the workflow names", .0.kind, .0.id)]
    Dangling(Key),
    /// Workflows name it.
    #[error("{} `{}` is used by {}", .key.kind, .key.id, listed(.workflows))]
    InUse {
        /// Which.
        key: Key,
        /// Their ids.
        workflows: Vec<String>,
    },
    /// The workflow is to run.
    #[error("workflow `{id}` is active; stop it first")]
    Active {
        /// Its id.
        id: String,
    },
    /// Nobody could administer the platform any more.
    #[error("`{user}` is the last administrator")]
    LastAdministrator {
        /// Who.
        user: String,
    },
    /// The platform has its first administrator already.
    #[error("the platform is set up already")]
    SetUp,
    /// The setup token is wrong, used, or too old.
    #[error("the setup token is not valid")]
    SetupToken,
    /// There are more than one answer can hold.
    #[error("there are too many objects of kind `{kind}`")]
    TooMany {
        /// Of which kind.
        kind: Kind,
    },
    /// A limit of the registry.
    #[error("{what}: at most {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// The store has no room.
    #[error("{what} is full")]
    Full {
        /// What.
        what: ByteString,
    },
    /// It breaks a limit of the store.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: ByteString,
    },
    /// The document of an object is not what it has to be.
    #[error("the document of `{key}` cannot be read: line {line}, column {column}")]
    Damaged {
        /// Which.
        key: Key,
        /// Where in it.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

fn listed(ids: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = ids
        .iter()
        .take(SHOWN)
        .map(|id| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if ids.len() > SHOWN {
        text.push_str(&format!(" and {} more", ids.len() - SHOWN));
    }
    text
}
