//! The API key of a push source, compared in constant time and kept nowhere.

use hermod_sdk::{ConnectorError, ErrorKind, Problems, Refusal, RefusalKind, Secret};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::Sha256;

/// Header that carries the key, as the original spells it. `Authorization: Bearer KEY` does as well.
const HEADER: &str = "x-api-key";

/// What is signed with a key, so that keys are compared by their signatures of it.
const SIGNED: &[u8] = b"hermod api key";

/// What requests must show.
pub(crate) struct ApiKey {
    /// Signature under the right key: it tells nobody the key, and comparing it takes the same time for all keys.
    expected: [u8; 32],
}

impl ApiKey {
    /// Adds what is wrong with a key before it is resolved.
    pub(crate) fn check_configured(key: Option<&Secret>, problems: &mut Problems) {
        if key.is_some_and(Secret::is_empty) {
            problems.add(
                "/api_key",
                "is empty; leave it out to take requests without one",
            );
        }
    }

    /// Resolves a key.
    ///
    /// # Errors
    /// [`ConnectorError`] if it cannot be resolved or is empty.
    pub(crate) fn open(key: &Secret, path: &str) -> Result<Self, ConnectorError> {
        let key = key.resolve()?;
        // An empty key would let everybody in.
        if key.is_empty() {
            let message = format!("`api_key` of the source at `{path}` is empty");
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        }
        let refused = |error| {
            ConnectorError::new(ErrorKind::Internal, "HMAC refuses the key").with_source(error)
        };
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(refused)?;
        let expected = mac.chain_update(SIGNED).finalize().into_bytes().into();
        Ok(Self { expected })
    }

    /// Refuses a request that does not show the key.
    ///
    /// # Errors
    /// A [`Refusal`] that tells how to show it.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut shown = false;
        let plain = headers
            .get_all(HEADER)
            .iter()
            .map(http::HeaderValue::as_bytes);
        let bearers = headers.get_all(AUTHORIZATION).iter().filter_map(bearer);
        for key in plain.chain(bearers) {
            shown = true;
            if self.is_right(key) {
                return Ok(());
            }
        }
        let message = if shown {
            "API key is wrong"
        } else {
            "API key is missing; send `X-API-Key: KEY` or `Authorization: Bearer KEY`"
        };
        Err(Refusal::new(RefusalKind::Unauthenticated, message))
    }

    fn is_right(&self, key: &[u8]) -> bool {
        Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mac| {
            mac.chain_update(SIGNED)
                .verify_slice(&self.expected)
                .is_ok()
        })
    }
}

/// Returns the token of `Bearer TOKEN`; the scheme's case does not matter.
fn bearer(value: &http::HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(pairs: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        let key = ApiKey::open(&Secret::new("hunter2"), "orders").unwrap();
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.append(name, value.parse().unwrap());
        }
        key.check(&headers)
    }

    #[test]
    fn either_header_opens_and_nothing_else_does() {
        for pairs in [
            &[("x-api-key", "hunter2")][..],
            &[("authorization", "Bearer hunter2")],
            &[("authorization", "bearer  hunter2 ")],
            &[("x-api-key", "wrong"), ("x-api-key", "hunter2")],
            &[
                ("authorization", "Basic aHVudGVyMg=="),
                ("x-api-key", "hunter2"),
            ],
        ] {
            assert_eq!(shows(pairs), Ok(()), "{pairs:?}");
        }
        for pairs in [
            &[][..],
            &[("x-api-key", "")],
            &[("x-api-key", "hunter")],
            &[("x-api-key", "hunter22")],
            &[("x-api-key", "HUNTER2")],
            &[("authorization", "hunter2")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Basic hunter2")],
        ] {
            let refusal = shows(pairs).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::Unauthenticated, "{pairs:?}");
            // I10
            assert!(!refusal.message.contains("hunter"), "{refusal}");
        }
    }

    #[test]
    fn an_empty_key_does_not_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reference = Secret::new(format!("${{file:{}}}", file.path().display()));
        let error = ApiKey::open(&reference, "orders").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Auth);
    }
}
