//! Who sends a request.

use hermod_storage::registry::{AccessRole, Session};
use hyper::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, COOKIE, HeaderValue},
};

use super::{
    Shared,
    call::{Call, Caller, Proof},
    failure::sign_in,
    route::{Access, Route},
};
use crate::{
    access::{API_TOKEN_PREFIX, csrf_of, hash_of, is_token, is_username, same},
    problem::Problem,
};

/// The cookie of a session. Its value is the user's name, `:`, and the token.
pub(crate) const COOKIE_NAME: &str = "hermod_session";

/// The header with which a worker registers.
const REGISTRATION: &str = "x-worker-registration-token";

/// How long a session lasts after its last use, in milliseconds.
const IDLE_MS: u64 = 12 * 60 * 60 * 1000;

/// How long a session lasts at most, in milliseconds.
pub(crate) const SESSION_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// How exactly the last use is known, in milliseconds: a write for each request would be too many.
const TOUCH_MS: u64 = 5 * 60 * 1000;

impl Shared {
    /// Finds out who sends a request; `None` where it shows nothing.
    ///
    /// # Errors
    /// What is shown and not valid is refused, and so is everybody while the store cannot be read: nobody is let in
    /// because something does not work.
    pub(crate) async fn identify(
        &self,
        route: &Route,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, Problem> {
        if route.access == Access::Registration
            && let Some(shown) = headers.get(REGISTRATION)
        {
            return self.registering(shown.to_str().unwrap_or_default());
        }
        if let Some(shown) = headers.get(AUTHORIZATION) {
            return self.by_token(bearer(shown)).await.map(Some);
        }
        match cookie(headers) {
            Some((user, token)) => self.by_session(user, token).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns whether who has opened something lasting may still look. While that cannot be read, they may.
    pub(crate) async fn may_still_look(&self, call: &Call) -> bool {
        let again = match (call.headers.get(AUTHORIZATION), cookie(&call.headers)) {
            (Some(shown), _) => self.by_token(bearer(shown)).await,
            (None, Some((user, token))) => self.by_session(user, token).await,
            (None, None) => Err(sign_in()),
        };
        !again.is_err_and(|problem| problem.status() == StatusCode::UNAUTHORIZED)
    }

    fn registering(&self, shown: &str) -> Result<Option<Caller>, Problem> {
        // Without a token of ours there is none that fits, an empty one least of all.
        let fits = self
            .registration
            .as_ref()
            .is_some_and(|token| same(token, shown));
        if !fits {
            return Err(sign_in());
        }
        Ok(Some(Caller {
            user: "worker".to_owned(),
            role: AccessRole::Viewer,
            proof: Proof::Registration,
        }))
    }

    async fn by_token(&self, shown: &str) -> Result<Caller, Problem> {
        let Some(secret) = shown
            .strip_prefix(API_TOKEN_PREFIX)
            .filter(|text| is_token(text))
        else {
            return Err(sign_in());
        };
        let hash = hash_of(secret);
        let Some((_, token)) = self.registry.token(token_id(&hash)).await? else {
            return Err(sign_in());
        };
        let now_ms = self.registry.store().now_ms();
        let ended = token.expires_ms.is_some_and(|end| end <= now_ms);
        if !same(&token.hash, &hash) || ended {
            return Err(sign_in());
        }
        // The role is read with every request: who was demoted is it at once, also by a token.
        let role = self.role_of(&token.user).await?;
        Ok(Caller {
            user: token.user,
            role: role.min(token.role),
            proof: Proof::Token,
        })
    }

    async fn by_session(&self, user: &str, token: &str) -> Result<Caller, Problem> {
        let hash = hash_of(token);
        let Some((version, session)) = self.registry.session(user, &hash).await? else {
            return Err(sign_in());
        };
        let now_ms = self.registry.store().now_ms();
        if session.seen_ms + IDLE_MS <= now_ms || session.created_ms + SESSION_MS <= now_ms {
            return Err(sign_in());
        }
        let role = self.role_of(user).await?;
        if session.seen_ms + TOUCH_MS <= now_ms {
            let touched = Session {
                seen_ms: now_ms,
                ..session
            };
            let done = self
                .registry
                .touch_session(user, &hash, version, &touched)
                .await;
            // Somebody else has touched it, or nothing can be written now: it is tried again with the next request.
            if let Err(error) = done {
                tracing::debug!(%error, "the last use of a session is not known");
            }
        }
        Ok(Caller {
            user: user.to_owned(),
            role,
            proof: Proof::Session {
                hash,
                csrf: csrf_of(token),
            },
        })
    }

    async fn role_of(&self, user: &str) -> Result<AccessRole, Problem> {
        match self.registry.user(user).await? {
            Some((_, user)) if !user.disabled => Ok(user.role),
            _ => Err(sign_in()),
        }
    }
}

/// Returns the id of a token with a hash: half of it, which is enough to find it.
pub(crate) fn token_id(hash: &str) -> &str {
    &hash[..32]
}

/// Returns what a header carries as a bearer; nothing where it is of another kind.
fn bearer(shown: &HeaderValue) -> &str {
    let token = shown.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    });
    token.unwrap_or_default()
}

fn cookie(headers: &HeaderMap) -> Option<(&str, &str)> {
    let cookies = headers.get_all(COOKIE).into_iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    let (user, token) = value.split_once(':')?;
    (is_username(user) && is_token(token)).then_some((user, token))
}
