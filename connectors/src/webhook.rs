//! Source `webhook`: takes the body of each `POST /api/webhooks/PATH` as one message.

use bytes::Bytes;
use hermod_sdk::{
    Confirms, ConnectorConfig, ConnectorError, ErrorKind, Locality, Message, Payload, Problems,
    PushConnector, PushProtocol, PushSource, Refusal, RefusalKind, Repeats, Request, Secret, Spec,
    Stability, Text,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{key::ordering_key, push};

/// Headers that may carry the signature, as GitHub and the original spell them.
const SIGNATURE_HEADERS: [&str; 2] = ["x-hub-signature-256", "x-webhook-signature"];

/// Configuration of the source `webhook`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Path below `/api/webhooks/` at which the source is reached.
    #[schemars(length(min = 1, max = 200), example = &"orders")]
    pub path: String,
    /// Key of the signature: each request must carry the HMAC-SHA256 of its raw body, in hex, in
    /// `X-Hub-Signature-256` (`sha256=HEX`) or `X-Webhook-Signature`. Without it anybody can send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Longest body that is taken; a longer one is refused with 413.
    #[serde(default = "push::default_body_bytes_max")]
    #[schemars(range(min = 1, max = 16_777_216), extend("x-unit" = "bytes", "x-advanced" = true))]
    pub body_bytes_max: usize,
    /// Header that names the message. A request repeated with the same value has the same id, so that
    /// sinks can recognise it. Without the header a new id (UUIDv7) is made.
    #[serde(default = "push::default_id_header")]
    #[schemars(extend("x-advanced" = true))]
    pub id_header: String,
    /// Dotted path of the field in a JSON body that becomes the ordering key. A body without it has no key,
    /// and its order is kept over the whole stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_field: Option<String>,
    /// Header that becomes the ordering key. Only one of `key_field` and `key_header` can be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_header: Option<String>,
}

impl WebhookConfig {
    /// The path without the prefix and slashes that people paste along with it.
    fn clean_path(&self) -> &str {
        push::clean_path(&self.path, "api/webhooks/")
    }
}

impl ConnectorConfig for WebhookConfig {
    fn check(&self, problems: &mut Problems) {
        push::check_path(self.clean_path(), problems);
        if self.secret.as_ref().is_some_and(Secret::is_empty) {
            problems.add(
                "/secret",
                "is empty; leave it out to take unsigned requests",
            );
        }
        push::check_header("/id_header", Some(&self.id_header), problems);
        push::check_header("/key_header", self.key_header.as_ref(), problems);
        if self.key_field.is_some() && self.key_header.is_some() {
            problems.add("/key_header", "excludes `key_field`; give only one of them");
        }
    }

    fn example() -> Value {
        json!({"path": "orders", "secret": "${env:ORDERS_SECRET}", "key_field": "customer.id"})
    }
}

/// An open webhook: it authenticates and parses; the engine appends and answers.
///
/// The payload is the raw body. `table` is the path; the content type and the query stand in the metadata
/// as `content_type` and `query`.
pub struct WebhookSource {
    config: WebhookConfig,
    table: Text,
    // The keyed state, cloned for each request: the key itself is kept nowhere.
    mac: Option<Hmac<Sha256>>,
}

impl WebhookSource {
    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
        let Some(mac) = &self.mac else {
            return Ok(());
        };
        let mut signed = false;
        for value in SIGNATURE_HEADERS
            .iter()
            .flat_map(|name| headers.get_all(*name))
        {
            signed = true;
            let Some(signature) = value.to_str().ok().and_then(decode_signature) else {
                continue;
            };
            // Over the raw bytes, whatever the content type says; compared in constant time.
            let mac = mac.clone().chain_update(body);
            if mac.verify_slice(&signature).is_ok() {
                return Ok(());
            }
        }
        let message = if signed {
            "signature does not match the body"
        } else {
            "signature is missing; send `X-Hub-Signature-256: sha256=HEX`"
        };
        Err(Refusal::new(RefusalKind::Unauthenticated, message))
    }

    fn key(&self, headers: &HeaderMap, payload: &mut Payload) -> Option<Bytes> {
        if let Some(name) = &self.config.key_header {
            let value = headers.get(name)?;
            return Some(Bytes::copy_from_slice(value.as_bytes()));
        }
        ordering_key(payload, self.config.key_field.as_ref()?)
    }
}

impl PushSource for WebhookSource {
    fn path(&self) -> &str {
        &self.table
    }

    fn body_bytes_max(&self) -> usize {
        self.config.body_bytes_max
    }

    fn accept(&self, request: &Request<'_>, body: Bytes) -> Result<Vec<Message>, Refusal> {
        if request.method != Method::POST {
            return Err(Refusal::new(
                RefusalKind::Malformed,
                "only `POST` is taken here",
            ));
        }
        if body.len() > self.config.body_bytes_max {
            let most = self.config.body_bytes_max;
            let message = format!("body is longer than {most} bytes");
            return Err(Refusal::new(RefusalKind::TooLarge, message));
        }
        self.authenticate(request.headers, &body)?;
        let id = push::id(request.headers, &self.config.id_header)?;
        let mut payload = Payload::from(body);
        let key = self.key(request.headers, &mut payload);
        let mut message = Message::new(id, payload).with_table(self.table.clone());
        message.key = key;
        let content_type = request.headers.get(http::header::CONTENT_TYPE);
        if let Some(text) = content_type.and_then(|value| value.to_str().ok()) {
            message.metadata.set("content_type", text);
        }
        if !request.query.is_empty() {
            message.metadata.set("query", request.query);
        }
        Ok(vec![message])
    }
}

impl PushConnector for WebhookSource {
    const SPEC: Spec = Spec {
        kind: "webhook",
        title: "Webhook",
        summary: "Takes the body of each HTTP POST as one message and answers once it is safe.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: false,
    };
    const PROTOCOL: PushProtocol = PushProtocol::Webhook;
    type Config = WebhookConfig;

    fn open(config: Self::Config) -> Result<Self, ConnectorError> {
        let mac = match &config.secret {
            None => None,
            Some(secret) => {
                let key = secret.resolve()?;
                // An empty key would let everybody sign.
                if key.is_empty() {
                    return Err(ConnectorError::new(
                        ErrorKind::Auth,
                        format!("secret of the webhook `{}` is empty", config.clean_path()),
                    ));
                }
                let mac = Hmac::new_from_slice(key.as_bytes()).map_err(|error| {
                    ConnectorError::new(ErrorKind::Internal, "HMAC refuses the key")
                        .with_source(error)
                })?;
                Some(mac)
            }
        };
        Ok(Self {
            table: Text::from(config.clean_path()),
            config,
            mac,
        })
    }

    fn warning(config: &Self::Config) -> Option<String> {
        config.secret.is_none().then(|| {
            let path = config.clean_path();
            format!("webhook `{path}` has no `secret`: anybody who reaches it can send messages")
        })
    }
}

/// Reads `sha256=HEX` or `HEX`.
fn decode_signature(text: &str) -> Option<[u8; 32]> {
    let hex = text.trim();
    let hex = hex.strip_prefix("sha256=").unwrap_or(hex).as_bytes();
    if hex.len() != 64 {
        return None;
    }
    let mut signature = [0; 32];
    for (byte, pair) in signature.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(signature)
}

#[cfg(test)]
mod tests;
