//! Sources that are pushed to.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::{ConnectorConfig, ConnectorError, Message, Spec};

/// Which of the push endpoints a source is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PushProtocol {
    /// `POST /api/webhooks/{path}`.
    Webhook,
    /// `POST /api/graphql/{path}`.
    Graphql,
    /// `SourceService.Publish` with the path in the request.
    Grpc,
}

/// A request as it came, body apart.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method of the request.
    pub method: &'a Method,
    /// Path below the protocol's prefix, without a leading slash.
    pub path: &'a str,
    /// Query string without the question mark, empty if there is none.
    pub query: &'a str,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
}

/// Why a request is refused; each kind is one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// 400: the body or a header is malformed.
    Malformed,
    /// 401: no or wrong credentials.
    Unauthenticated,
    /// 413: the body is larger than allowed.
    TooLarge,
    /// 415: the content type is not supported.
    UnsupportedType,
    /// 503: cannot be taken now.
    Unavailable,
}

/// A refusal with its reason. The message names no secret and no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which status it is.
    pub kind: RefusalKind,
    /// What is wrong and what to do.
    pub message: String,
    /// When to try again, if that makes sense.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// An open push source: authentication and parsing, without I/O. The engine appends and answers.
pub trait PushSource: Send + Sync {
    /// Returns the path below the protocol's prefix at which it is reached.
    fn path(&self) -> &str;

    /// Returns the largest body that is taken, in bytes (at most 16 MiB).
    fn body_bytes_max(&self) -> usize;

    /// Turns a request into messages, or refuses it.
    ///
    /// A message without an id of the sender's is left without one: the engine gives it a UUIDv7.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing of the request is kept then.
    fn accept(&self, request: &Request<'_>, body: Bytes) -> Result<Vec<Message>, Refusal>;
}

/// A kind of push source: what is registered in the list of sources.
pub trait PushConnector: PushSource + Sized + 'static {
    /// Its self-description.
    const SPEC: Spec;
    /// How it is reached.
    const PROTOCOL: PushProtocol;
    /// Its configuration.
    type Config: ConnectorConfig;

    /// Opens the source: resolves secrets, binds nothing.
    ///
    /// # Errors
    /// [`ConnectorError`] if a secret cannot be resolved.
    fn open(config: Self::Config) -> Result<Self, ConnectorError>;

    /// Returns a warning about the configuration that people must see, for example a missing secret.
    fn warning(_config: &Self::Config) -> Option<String> {
        None
    }
}
