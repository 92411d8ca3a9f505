//! What SQLite's errors mean for the one who asked.

use sqlx::Error;

use super::RETRY_AFTER;
use crate::{StoreError, StoreErrorKind};

/// SQLite's primary result codes, as far as they are told apart. Source: <https://www.sqlite.org/rescode.html>
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const NOMEM: i32 = 7;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// Returns the primary result code, where the error is SQLite's own.
fn primary(error: &Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Returns whether another connection is in the way, for now.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(primary(error), Some(code::BUSY | code::LOCKED))
}

/// Returns whether the file's content is not what SQLite wrote.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(primary(error), Some(code::CORRUPT | code::NOTADB))
}

/// Says what an error means. `doing` is a verb: `read`, `written`.
///
/// The error itself stays inside as the source: SQLite's texts hold names of tables, never values (I10).
pub(super) fn explain(error: Error, doing: &str) -> StoreError {
    let unavailable = |why: &str| StoreError::unavailable(why, RETRY_AFTER);
    let stopped = |why: String| StoreError::new(StoreErrorKind::Stopped, why);
    let explained = match (&error, primary(&error)) {
        (_, Some(code::BUSY | code::LOCKED)) => {
            unavailable("the database is busy with another process")
        }
        // I8: full is a state. SQLite has rolled the transaction back; nothing was done.
        (_, Some(code::FULL)) => unavailable("the disk of the database is full"),
        (_, Some(code::PERM | code::READONLY | code::CANTOPEN)) => {
            unavailable("the database may not be written, or its directory may not be used")
        }
        (_, Some(code::NOMEM)) => unavailable("the database has run out of memory"),
        (Error::PoolTimedOut, _) => unavailable("all connections to the database are in use"),
        // I6: damage is named and never served.
        (_, Some(code::CORRUPT | code::NOTADB)) => {
            stopped("the database file is damaged".to_owned())
        }
        (Error::PoolClosed, _) => stopped("the store is closed".to_owned()),
        _ => stopped(format!("the database cannot be {doing}")),
    };
    explained.because(error)
}

/// A row says what this version never writes.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}` holds what no store of this format writes")]
pub(super) struct Alien {
    pub(super) column: &'static str,
}

impl Alien {
    pub(super) fn error(column: &'static str) -> Error {
        Error::Decode(Box::new(Self { column }))
    }
}
