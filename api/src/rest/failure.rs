//! From what went wrong to what is answered.

use std::time::Duration;

use hermod_storage::{StoreError, StoreErrorKind, registry};
use hyper::StatusCode;

use super::call::etag;
use crate::{
    Code,
    access::PasswordError,
    platform::{self, ErrorKind, ProblemAt},
    problem::Problem,
    secret::TakeError,
};

/// When to come back where nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// There is no such thing.
pub(crate) fn missing(detail: impl Into<String>) -> Problem {
    Problem::new(Code::NoSuchObject, StatusCode::NOT_FOUND, detail)
}

/// It does not fit to how things are.
pub(crate) fn conflict(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Conflict, StatusCode::CONFLICT, detail)
}

/// Nobody is signed in.
pub(crate) fn sign_in() -> Problem {
    let detail = "this needs a session or an API token";
    Problem::new(Code::SignIn, StatusCode::UNAUTHORIZED, detail)
}

/// The caller may not do this.
pub(crate) fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Forbidden, StatusCode::FORBIDDEN, detail)
}

/// The request is malformed.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::Malformed, StatusCode::BAD_REQUEST, detail)
}

/// A document is not valid.
pub(crate) fn invalid(errors: Vec<ProblemAt>) -> Problem {
    let detail = match errors.len() {
        1 => "one value is not valid".to_owned(),
        count => format!("{count} values are not valid"),
    };
    Problem::new(Code::Invalid, StatusCode::UNPROCESSABLE_ENTITY, detail).errors(errors)
}

/// One value of a document is not valid.
pub(crate) fn invalid_at(pointer: &str, message: impl Into<String>) -> Problem {
    invalid(vec![ProblemAt {
        pointer: pointer.to_owned(),
        message: message.into(),
        warning: false,
    }])
}

/// A change is based on a version that is not the present one; without one, what was to be made exists.
pub(crate) fn stale(error: registry::Error) -> Problem {
    match error {
        registry::Error::Conflict {
            key,
            found: Some(found),
        } => {
            let status = StatusCode::PRECONDITION_FAILED;
            let detail = format!(
                "`{key}` was changed since version {} was named",
                etag(found)
            );
            Problem::new(Code::Stale, status, detail).etag(etag(found))
        }
        registry::Error::Conflict { key, found: None } => registry::Error::Missing(key).into(),
        other => other.into(),
    }
}

impl From<registry::Error> for Problem {
    fn from(error: registry::Error) -> Self {
        use registry::Error;
        let detail = error.to_string();
        match error {
            Error::Store(error) => error.into(),
            Error::Missing(_) => missing(detail),
            Error::Conflict { key, found } => conflict(match found {
                Some(_) => format!("`{key}` exists already"),
                None => format!("`{key}` is not there any more"),
            }),
            Error::InUse { .. } | Error::Active { .. } | Error::LastAdministrator { .. } => {
                conflict(detail)
            }
            Error::Limit { .. } | Error::TooMany { .. } => conflict(detail),
            Error::Contended(_) => unavailable(detail, None),
            Error::Dangling(_) => invalid_at("", detail),
            Error::SetUp => Self::new(Code::Setup, StatusCode::CONFLICT, detail),
            Error::SetupToken => Self::new(Code::Setup, StatusCode::FORBIDDEN, detail),
            Error::Full { .. } => {
                Self::new(Code::StoreFull, StatusCode::INSUFFICIENT_STORAGE, detail)
            }
            Error::Invalid { .. } => {
                Self::new(Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            // The registry's list of errors may grow.
            _ => {
                tracing::error!(error = detail, "an object of the store cannot be read");
                Self::new(
                    Code::StoreDamaged,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    detail,
                )
            }
        }
    }
}

fn unavailable(detail: String, retry_after: Option<Duration>) -> Problem {
    Problem::new(
        Code::StoreUnavailable,
        StatusCode::SERVICE_UNAVAILABLE,
        detail,
    )
    .retry_after(Some(retry_after.unwrap_or(RETRY_AFTER)))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error.kind() {
            StoreErrorKind::Unavailable => unavailable(detail, error.retry_after()),
            StoreErrorKind::Unknown => {
                Self::new(Code::StoreUnknown, StatusCode::GATEWAY_TIMEOUT, detail)
            }
            StoreErrorKind::Invalid => {
                Self::new(Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            // Stopped, and whatever comes: this node's store is not to be used.
            _ => unavailable(detail, None),
        }
    }
}

impl From<platform::Error> for Problem {
    fn from(error: platform::Error) -> Self {
        match error.kind {
            ErrorKind::Missing => missing(error.message),
            ErrorKind::Conflict => conflict(error.message),
            ErrorKind::Invalid => invalid_at("", error.message),
            ErrorKind::Unavailable => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(Code::NodeUnavailable, status, error.message)
                    .retry_after(Some(error.retry_after.unwrap_or(RETRY_AFTER)))
            }
            ErrorKind::Unknown => Self::new(
                Code::StoreUnknown,
                StatusCode::GATEWAY_TIMEOUT,
                error.message,
            ),
        }
    }
}

impl From<TakeError> for Problem {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Problems(problems) => invalid(problems),
            TakeError::Platform(error) => error.into(),
        }
    }
}

/// Answers why a password cannot be used; `pointer` says where it stands.
pub(crate) fn password(error: PasswordError, pointer: &str) -> Problem {
    match error {
        PasswordError::Length | PasswordError::Name => invalid_at(pointer, error.to_string()),
        PasswordError::Busy => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(Code::NodeUnavailable, status, error.to_string())
                .retry_after(Some(RETRY_AFTER))
        }
        PasswordError::Failed => {
            tracing::error!("a password cannot be hashed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(Code::StoreDamaged, status, error.to_string())
        }
    }
}
