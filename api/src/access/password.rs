//! Passwords: argon2id, a few at a time, away from the threads that answer.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use hermod_storage::registry::PasswordHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes at a time: each takes 19 MiB and some ten milliseconds of a core.
const AT_A_TIME: usize = 2;

/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Characters of a password at least. Source: NIST SP 800-63B, and some more.
pub(crate) const LENGTH_MIN: usize = 12;

/// Bytes of a password at most, so that nobody makes the hash work long.
pub(crate) const LENGTH_MAX: usize = 256;

/// A password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error("a password takes {LENGTH_MIN} characters at least and {LENGTH_MAX} bytes at most")]
    Length,
    /// It says what everybody knows.
    #[error("the password is the user's name")]
    Name,
    /// Too many logins wait for their turn.
    #[error("too many logins at a time")]
    Busy,
    /// The system has no random numbers, or the hash cannot be made.
    #[error("the password cannot be hashed")]
    Failed,
}

/// Checks and hashes a password.
///
/// It works for some ten milliseconds: not for a thread that answers requests.
///
/// # Errors
/// [`PasswordError`] if it cannot be used.
pub fn hash_password(username: &str, password: &str) -> Result<PasswordHash, PasswordError> {
    check(username, password)?;
    hash(password)
}

fn check(username: &str, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < LENGTH_MIN || password.len() > LENGTH_MAX {
        return Err(PasswordError::Length);
    }
    if password.eq_ignore_ascii_case(username) {
        return Err(PasswordError::Name);
    }
    Ok(())
}

fn hash(password: &str) -> Result<PasswordHash, PasswordError> {
    // The defaults are argon2id with 19 MiB, two passes, one lane, and a random salt. Source: OWASP password storage.
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash: phc::PasswordHash = hash.map_err(|_| PasswordError::Failed)?;
    Ok(PasswordHash::new(hash.to_string()))
}

fn fits(password: &str, phc: &str) -> bool {
    phc::PasswordHash::new(phc).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Hashes and compares passwords for many callers.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// Compared with where there is no user, so that this takes as long.
    nobody: PasswordHash,
}

impl Passwords {
    /// Makes one; works for some ten milliseconds.
    pub(crate) fn new() -> Result<Self, PasswordError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            nobody: hash("a password that nobody has")?,
        })
    }

    /// Checks and hashes a password.
    pub(crate) async fn hash(
        &self,
        username: &str,
        password: &str,
    ) -> Result<PasswordHash, PasswordError> {
        check(username, password)?;
        let (turn, password) = (self.turn().await?, password.to_owned());
        blocking(turn, move || hash(&password)).await?
    }

    /// Returns whether a password fits; takes as long where there is no hash, and says no.
    pub(crate) async fn fits(
        &self,
        password: &str,
        kept: Option<&PasswordHash>,
    ) -> Result<bool, PasswordError> {
        if password.len() > LENGTH_MAX {
            return Ok(false);
        }
        let (turn, password) = (self.turn().await?, password.to_owned());
        let phc = kept.unwrap_or(&self.nobody).phc().to_owned();
        let fitting = blocking(turn, move || fits(&password, &phc)).await?;
        Ok(fitting && kept.is_some())
    }

    /// I9: memory and cores of hashing are bounded.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        match tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(PasswordError::Busy),
        }
    }
}

async fn blocking<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PasswordError> {
    let work = move || {
        let _turn = turn;
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| PasswordError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_fit_their_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("ann", "correct horse").await.unwrap();
        assert!(hash.phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.fits("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.fits("correct house", Some(&hash)).await.unwrap());
        assert!(
            !passwords
                .fits("a password that nobody has", None)
                .await
                .unwrap()
        );
        assert_eq!(
            passwords.hash("ann", "short").await,
            Err(PasswordError::Length)
        );
        assert_eq!(
            passwords.hash("administrator", "Administrator").await,
            Err(PasswordError::Name)
        );
    }
}
