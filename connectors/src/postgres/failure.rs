//! What an error of PostgreSQL means.

use std::time::Duration;

use hermod_sdk::{ConnectorError, ErrorKind};
use tokio_postgres::error::{DbError, SqlState};

/// Why a transaction did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses something in the data; nothing of the transaction stands.
    Refused(Refusal),
    /// Everything else.
    Error(ConnectorError),
}

/// The server's refusal of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whether a row with the same key, or the same value of another unique column, is there already.
    pub(super) unique: bool,
    /// Why, without values of the row.
    pub(super) reason: String,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error()
            && is_refusal(db.code())
        {
            return Self::Refused(Refusal {
                unique: *db.code() == SqlState::UNIQUE_VIOLATION,
                reason: reason(db),
            });
        }
        Self::Error(connector_error(error))
    }
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for ConnectorError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::new(ErrorKind::Rejected, refusal.reason),
            Failure::Error(error) => error,
        }
    }
}

/// Turns an error that is not about data into the engine's terms.
pub(super) fn connector_error(error: tokio_postgres::Error) -> ConnectorError {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        let message = format!("PostgreSQL says: {} ({code})", db.message());
        // The error itself is left out: its detail may hold values of a row.
        return ConnectorError::new(kind(db.code()), message);
    }
    let message = "the connection to PostgreSQL failed";
    ConnectorError::new(ErrorKind::Unavailable, message).with_source(error)
}

/// The error of a wait that was too long.
pub(super) fn timed_out(what: &str, limit: Duration) -> ConnectorError {
    let message = format!("{what} took more than {} ms", limit.as_millis());
    ConnectorError::new(ErrorKind::Unavailable, message)
}

/// Whether a state is about the data of a row. Tried again, the same data is refused again.
///
/// Source: PostgreSQL manual, appendix A.
fn is_refusal(state: &SqlState) -> bool {
    let code = state.code();
    match code.get(..2).unwrap_or_default() {
        // Data exception; integrity constraint violation; WITH CHECK OPTION violation; program limit exceeded,
        // which is an index entry that is too long or a document that is nested too deeply.
        "22" | "23" | "44" | "54" => true,
        // A trigger of the target's own that raises an exception.
        _ => code == "P0001",
    }
}

fn kind(state: &SqlState) -> ErrorKind {
    let code = state.code();
    match code.get(..2).unwrap_or_default() {
        // Authorization; no such database; no such schema; syntax, missing object or right; not supported there.
        // All of them want a person to look at the target or at the configuration.
        "28" | "3D" | "3F" | "42" | "0A" => ErrorKind::Auth,
        // A statement in a transaction that has failed: a defect of ours.
        "25" if code == "25P02" => ErrorKind::Internal,
        // Connection, resources, operator, system, deadlock, serialization, lock, a standby that is read-only, and
        // what is not known: try again, forever.
        _ => ErrorKind::Unavailable,
    }
}

/// Says why data is refused. The server's own words are taken only where they hold no value of the row.
fn reason(db: &DbError) -> String {
    let code = db.code().code();
    let words = match code {
        "22P02" | "22P03" => "a value is not valid for the type of its column",
        "22P05" => "a character cannot be stored, perhaps `\\u0000`",
        "22021" => "text is not valid in the server's encoding",
        "22003" => "a number is out of the range of its column",
        "22001" => "text is too long for its column",
        "22007" | "22008" | "22009" => "a date or time is not valid",
        "22P04" => "a row could not be read",
        _ if code.starts_with("22") => "a value is not valid",
        _ if code.starts_with("54") => "a value is too long or nested too deeply",
        "P0001" => "a trigger of the table refuses it",
        // These name tables, columns and constraints; the values stand in the detail, which is left out.
        _ => db.message(),
    };
    match column(db) {
        Some(column) => format!("{words} (column `{column}`, SQLSTATE {code})"),
        None => format!("{words} (SQLSTATE {code})"),
    }
}

/// Returns the column that an error is about. Errors of COPY name it in their context only:
/// `COPY orders, line 3, column total: "abc"`.
fn column(db: &DbError) -> Option<&str> {
    db.column().or_else(|| {
        let context = db.where_()?;
        let (_, rest) = context.split_once(", column ")?;
        Some(rest.split_once(':')?.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_their_kinds() {
        let cases = [
            ("28P01", ErrorKind::Auth),
            ("3D000", ErrorKind::Auth),
            ("42501", ErrorKind::Auth),
            ("42P01", ErrorKind::Auth),
            ("42703", ErrorKind::Auth),
            ("40001", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("53100", ErrorKind::Unavailable),
            ("53300", ErrorKind::Unavailable),
            ("55P03", ErrorKind::Unavailable),
            ("57P01", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("25006", ErrorKind::Unavailable),
            ("25P02", ErrorKind::Internal),
            ("XX000", ErrorKind::Unavailable),
        ];
        for (code, expected) in cases {
            let state = SqlState::from_code(code);
            assert!(!is_refusal(&state), "{code}");
            assert_eq!(kind(&state), expected, "{code}");
        }
        for code in [
            "22P02", "23505", "23502", "23514", "44000", "54000", "P0001",
        ] {
            assert!(is_refusal(&SqlState::from_code(code)), "{code}");
        }
    }
}
