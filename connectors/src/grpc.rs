//! Source `grpc`: takes each `SourceService.Publish` as one message.

mod request;

use bytes::Bytes;
use hermod_sdk::{
    Confirms, ConnectorConfig, ConnectorError, Locality, Message, Operation, Payload, Problems,
    PushConnector, PushProtocol, PushSource, Refusal, RefusalKind, Repeats, Request, Secret, Spec,
    Stability, Text,
};
use prost::Message as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::request::Publish;
use crate::{api_key::ApiKey, key::ordering_key, push};

/// Metadata under names that begin so is the engine's.
const RESERVED: &str = "_hermod_";

/// Configuration of the source `grpc`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrpcConfig {
    /// Path that requests name, with or without a leading slash. A request without a path means `/grpc/default`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 200), example = &"/orders")]
    pub path: String,
    /// Key that each request must show, as the metadata `x-api-key: KEY` or `authorization: Bearer KEY`. Without it anybody
    /// can send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Longest request that is taken; a longer one is refused with `OUT_OF_RANGE`.
    #[serde(default = "push::default_body_bytes_max")]
    #[schemars(range(min = 1, max = 16_777_216), extend("x-unit" = "bytes", "x-advanced" = true))]
    pub body_bytes_max: usize,
    /// Dotted path of the field in a JSON payload that becomes the ordering key. A message without it has no key, and its
    /// order is kept over the whole stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_field: Option<String>,
    /// Name in the request's `metadata` whose text becomes the ordering key. Only one of `key_field` and `key_metadata` can
    /// be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_metadata: Option<String>,
}

fn default_path() -> String {
    "/grpc/default".to_owned()
}

impl GrpcConfig {
    fn clean_path(&self) -> &str {
        push::clean_path(&self.path, "")
    }
}

impl ConnectorConfig for GrpcConfig {
    fn check(&self, problems: &mut Problems) {
        push::check_path(self.clean_path(), problems);
        ApiKey::check_configured(self.api_key.as_ref(), problems);
        if self.key_field.is_some() && self.key_metadata.is_some() {
            problems.add(
                "/key_metadata",
                "excludes `key_field`; give only one of them",
            );
        }
    }

    fn example() -> Value {
        json!({
            "path": "/orders",
            "api_key": "${env:ORDERS_API_KEY}",
            "key_field": "customer.id",
        })
    }
}

/// An open gRPC source: it authenticates and reads the request; the engine appends and answers.
///
/// It is given the encoded `PublishRequest` as the body and the gRPC metadata as the headers. The bytes of `payload` (or
/// `after`) and `before` are kept as they came.
pub struct GrpcSource {
    config: GrpcConfig,
    path: Text,
    api_key: Option<ApiKey>,
}

impl GrpcSource {
    fn message(&self, request: Publish) -> Result<Message, Refusal> {
        check_id(&request.id)?;
        let operation = operation(&request.operation)?;
        let mut payload = Payload::from(match (request.payload, request.after) {
            (payload, after) if after.is_empty() => payload,
            (payload, after) if payload.is_empty() => after,
            _ => return Err(malformed("give only one of `payload` and `after`")),
        });
        let needs_row = match operation {
            Operation::Create | Operation::Update | Operation::Snapshot => true,
            Operation::Event | Operation::Delete => false,
        };
        if needs_row && payload.size() == 0 {
            let name = operation.name();
            return Err(malformed(format!(
                "`{name}` has neither `after` nor `payload`"
            )));
        }
        if request
            .metadata
            .keys()
            .any(|name| name.starts_with(RESERVED))
        {
            let message = format!("`metadata` has a name that begins with `{RESERVED}`");
            return Err(malformed(message));
        }
        let key = match (&self.config.key_metadata, &self.config.key_field) {
            (Some(name), _) => {
                let text = request.metadata.get(name);
                text.map(|text| Bytes::copy_from_slice(text.as_bytes()))
            }
            (None, Some(field)) => ordering_key(&mut payload, field),
            (None, None) => None,
        };
        let table = match request.table {
            table if table.is_empty() => self.path.clone(),
            table => Text::from(table),
        };
        let id = Text::from(request.id);
        let mut message = Message::new(id, payload)
            .with_operation(operation)
            .with_table(table);
        message.schema = Text::from(request.schema);
        message.before = Some(request.before).filter(|before| !before.is_empty());
        message.key = key;
        for (name, value) in request.metadata {
            message.metadata.set(name, value);
        }
        Ok(message)
    }
}

impl PushSource for GrpcSource {
    fn path(&self) -> &str {
        &self.path
    }

    fn body_bytes_max(&self) -> usize {
        self.config.body_bytes_max
    }

    fn accept(&self, request: &Request<'_>, body: Bytes) -> Result<Vec<Message>, Refusal> {
        if body.len() > self.config.body_bytes_max {
            let most = self.config.body_bytes_max;
            let message = format!("request is longer than {most} bytes");
            return Err(Refusal::new(RefusalKind::TooLarge, message));
        }
        if let Some(key) = &self.api_key {
            key.check(request.headers)?;
        }
        let request =
            Publish::decode(body).map_err(|_| malformed("request is no `PublishRequest`"))?;
        Ok(vec![self.message(request)?])
    }
}

/// Without an id the engine gives a fresh one, and counts that the sender gave none.
fn check_id(id: &str) -> Result<(), Refusal> {
    if id.len() > push::ID_BYTES_MAX {
        return Err(malformed("`id` is longer than 255 bytes"));
    }
    if id.chars().any(char::is_control) {
        return Err(malformed("`id` holds control characters"));
    }
    Ok(())
}

fn operation(name: &str) -> Result<Operation, Refusal> {
    if name.is_empty() {
        return Ok(Operation::Event);
    }
    let found = Operation::ALL
        .into_iter()
        .find(|known| known.name() == name);
    found.ok_or_else(|| {
        malformed("`operation` is not one of `create`, `update`, `delete`, `snapshot`, or empty")
    })
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Malformed, message)
}

impl PushConnector for GrpcSource {
    const SPEC: Spec = Spec {
        kind: "grpc",
        title: "gRPC",
        summary: "Takes each `SourceService.Publish` as one message and answers once it is safe.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: false,
    };
    const PROTOCOL: PushProtocol = PushProtocol::Grpc;
    type Config = GrpcConfig;

    fn open(config: Self::Config) -> Result<Self, ConnectorError> {
        let path = config.clean_path();
        let key = config.api_key.as_ref();
        let api_key = key.map(|key| ApiKey::open(key, path)).transpose()?;
        Ok(Self {
            path: Text::from(path),
            config,
            api_key,
        })
    }

    fn warning(config: &Self::Config) -> Option<String> {
        config.api_key.is_none().then(|| {
            let path = config.clean_path();
            format!("grpc `{path}` has no `api_key`: anybody who reaches it can send messages")
        })
    }
}

#[cfg(test)]
mod tests;
