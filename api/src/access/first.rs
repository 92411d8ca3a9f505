//! The first administrator.

use hermod_storage::registry::{self, AccessRole, Audit, Registry, SetupToken, User};

use super::{hash_of, random};
use crate::access::{PasswordError, hash_password};

/// How long a setup token is valid, in milliseconds.
const VALID_MS: u64 = 60 * 60 * 1000;

/// What came of offering the setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupOffer {
    /// The platform has an administrator.
    Done,
    /// This token makes the first one, once, within an hour. It is shown to the operator and kept nowhere.
    Made {
        /// The token.
        token: String,
    },
    /// Another node, or an earlier start, has shown one that is still valid.
    Pending {
        /// Until when, in milliseconds since 1970.
        until_ms: u64,
    },
}

/// Makes the store's setup token, unless there is one that is valid or none is needed.
///
/// With `replace` a valid one is replaced: for an operator who has lost it.
///
/// # Errors
/// Those of the store.
pub async fn offer_setup(
    registry: &Registry,
    replace: bool,
) -> Result<SetupOffer, registry::Error> {
    let token = random().map_err(|_| registry::Error::Invalid {
        reason: "the system has no random numbers".into(),
    })?;
    let now_ms = registry.store().now_ms();
    let kept = SetupToken {
        hash: hash_of(&token),
        expires_ms: now_ms + VALID_MS,
    };
    match registry.offer_setup(&kept, replace).await {
        Ok(_) => Ok(SetupOffer::Made { token }),
        Err(registry::Error::SetUp) => Ok(SetupOffer::Done),
        Err(registry::Error::Conflict { .. }) => {
            let present = registry.setup_token().await?;
            Ok(SetupOffer::Pending {
                until_ms: present.map_or(now_ms, |token| token.expires_ms),
            })
        }
        Err(error) => Err(error),
    }
}

/// The first administrator cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FirstError {
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The name cannot be used.
    #[error("a user's name is 1 to 64 lower-case letters, digits, `.`, `_`, `-`, `@`")]
    Name,
    /// The registry has a reason.
    #[error(transparent)]
    Registry(#[from] registry::Error),
}

/// Makes the first administrator without a token: for somebody who may use the node's control socket.
///
/// It hashes a password, so it works for some ten milliseconds on the thread that polls it.
///
/// # Errors
/// [`FirstError`] if the platform is set up already, or name or password cannot be used.
pub async fn make_first_administrator(
    registry: &Registry,
    username: &str,
    password: &str,
) -> Result<(), FirstError> {
    if !is_username(username) {
        return Err(FirstError::Name);
    }
    let user = administrator(
        username,
        "",
        hash_password(username, password)?,
        registry.store().now_ms(),
    );
    let audit = Audit::of_node("platform.setup");
    registry.make_first_administrator(&user, &audit).await?;
    Ok(())
}

/// Makes an administrator's record.
pub(crate) fn administrator(
    username: &str,
    full_name: &str,
    password: registry::PasswordHash,
    now_ms: u64,
) -> User {
    User {
        username: username.to_owned(),
        full_name: full_name.to_owned(),
        email: String::new(),
        role: AccessRole::Administrator,
        disabled: false,
        password,
        password_changed_ms: now_ms,
    }
}

/// Returns whether a text can be a user's name. It stands in cookies and ids, so it is plain.
pub(crate) fn is_username(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'_' | b'-' | b'@')
    };
    (1..=64).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}
