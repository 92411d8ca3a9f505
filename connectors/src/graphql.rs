//! Source `graphql`: takes the body of each `POST /api/graphql/PATH` as one message.

use bytes::Bytes;
use hermod_sdk::{
    Confirms, ConnectorConfig, ConnectorError, Locality, Message, Payload, Problems, PushConnector,
    PushProtocol, PushSource, Refusal, RefusalKind, Repeats, Request, Secret, Spec, Stability,
    Text,
};
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{api_key::ApiKey, key::ordering_key, push};

/// Configuration of the source `graphql`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphqlConfig {
    /// Path below `/api/graphql/` at which the source is reached.
    #[schemars(length(min = 1, max = 200), example = &"orders")]
    pub path: String,
    /// Key that each request must show, as `X-API-Key: KEY` or `Authorization: Bearer KEY`. Without it anybody can send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Longest body that is taken; a longer one is refused with 413.
    #[serde(default = "push::default_body_bytes_max")]
    #[schemars(range(min = 1, max = 16_777_216), extend("x-unit" = "bytes", "x-advanced" = true))]
    pub body_bytes_max: usize,
    /// Header that names the message. A request repeated with the same value has the same id, so that
    /// sinks can recognise it. Without the header a new id (UUIDv7) is made.
    #[serde(default = "push::default_id_header")]
    #[schemars(extend("x-advanced" = true))]
    pub id_header: String,
    /// Dotted path of the field in the body that becomes the ordering key, for example `variables.customer.id`. A body
    /// without it has no key, and its order is kept over the whole stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_field: Option<String>,
    /// Header that becomes the ordering key. Only one of `key_field` and `key_header` can be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-advanced" = true))]
    pub key_header: Option<String>,
}

impl GraphqlConfig {
    fn clean_path(&self) -> &str {
        push::clean_path(&self.path, "api/graphql/")
    }
}

impl ConnectorConfig for GraphqlConfig {
    fn check(&self, problems: &mut Problems) {
        push::check_path(self.clean_path(), problems);
        ApiKey::check_configured(self.api_key.as_ref(), problems);
        push::check_header("/id_header", Some(&self.id_header), problems);
        push::check_header("/key_header", self.key_header.as_ref(), problems);
        if self.key_field.is_some() && self.key_header.is_some() {
            problems.add("/key_header", "excludes `key_field`; give only one of them");
        }
    }

    fn example() -> Value {
        json!({
            "path": "orders",
            "api_key": "${env:ORDERS_API_KEY}",
            "key_field": "variables.customer.id",
        })
    }
}

/// An open GraphQL endpoint: it authenticates and checks the form; the engine appends and answers.
///
/// No query is carried out. The payload is the whole body, so `query`, `variables` and `operationName` are fields of it;
/// a body that is only a query becomes `{"query": …}`. `table` is the path, the content type stands in the metadata as
/// `content_type`.
pub struct GraphqlSource {
    config: GraphqlConfig,
    table: Text,
    api_key: Option<ApiKey>,
}

impl GraphqlSource {
    fn key(&self, headers: &HeaderMap, payload: &mut Payload) -> Option<Bytes> {
        if let Some(name) = &self.config.key_header {
            let value = headers.get(name)?;
            return Some(Bytes::copy_from_slice(value.as_bytes()));
        }
        ordering_key(payload, self.config.key_field.as_ref()?)
    }
}

impl PushSource for GraphqlSource {
    fn path(&self) -> &str {
        &self.table
    }

    fn body_bytes_max(&self) -> usize {
        self.config.body_bytes_max
    }

    fn accept(&self, request: &Request<'_>, body: Bytes) -> Result<Vec<Message>, Refusal> {
        if request.method != Method::POST {
            return Err(malformed("only `POST` is taken here"));
        }
        if body.len() > self.config.body_bytes_max {
            let most = self.config.body_bytes_max;
            let message = format!("body is longer than {most} bytes");
            return Err(Refusal::new(RefusalKind::TooLarge, message));
        }
        // Before anything is parsed.
        if let Some(key) = &self.api_key {
            key.check(request.headers)?;
        }
        let id = push::id(request.headers, &self.config.id_header)?;
        let (mut payload, content_type) = payload(request.headers, body)?;
        let key = self.key(request.headers, &mut payload);
        let mut message = Message::new(id, payload).with_table(self.table.clone());
        message.key = key;
        message.metadata.set("content_type", content_type);
        Ok(vec![message])
    }
}

/// Reads a body by its content type; returns it as JSON, with the content type as it came.
fn payload(headers: &HeaderMap, body: Bytes) -> Result<(Payload, &str), Refusal> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let payload = if media_type.eq_ignore_ascii_case("application/json") {
        let mut payload = Payload::from(body);
        check_form(&mut payload)?;
        payload
    } else if media_type.eq_ignore_ascii_case("application/graphql") {
        let query = std::str::from_utf8(&body).map_err(|_| malformed("the query is not UTF-8"))?;
        check_query(query)?;
        // Bytes, for that is what goes to the log.
        Payload::from(json!({ "query": query }).to_string())
    } else {
        return Err(Refusal::new(
            RefusalKind::UnsupportedType,
            "send `application/json`, or a query alone as `application/graphql`",
        ));
    };
    Ok((payload, content_type))
}

/// Refuses JSON that is no GraphQL request.
fn check_form(payload: &mut Payload) -> Result<(), Refusal> {
    let not_json = |error: hermod_sdk::NotJson| {
        let (line, column) = (error.0.line(), error.0.column());
        malformed(format!("body is not JSON (line {line}, column {column})"))
    };
    let Some(request) = payload.value().map_err(not_json)?.as_object() else {
        return Err(malformed("body is not a JSON object"));
    };
    match request.get("query") {
        Some(Value::String(query)) => check_query(query)?,
        Some(_) => return Err(malformed("`query` is not a text")),
        None => return Err(malformed("`query` is missing")),
    }
    match request.get("variables") {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err(malformed("`variables` is not an object")),
    }
}

fn check_query(query: &str) -> Result<(), Refusal> {
    if query.trim().is_empty() {
        return Err(malformed("`query` is empty"));
    }
    Ok(())
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Malformed, message)
}

impl PushConnector for GraphqlSource {
    const SPEC: Spec = Spec {
        kind: "graphql",
        title: "GraphQL",
        summary: "Takes the body of each GraphQL POST as one message and answers once it is safe.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: false,
    };
    const PROTOCOL: PushProtocol = PushProtocol::Graphql;
    type Config = GraphqlConfig;

    fn open(config: Self::Config) -> Result<Self, ConnectorError> {
        let path = config.clean_path();
        let key = config.api_key.as_ref();
        let api_key = key.map(|key| ApiKey::open(key, path)).transpose()?;
        Ok(Self {
            table: Text::from(path),
            config,
            api_key,
        })
    }

    fn warning(config: &Self::Config) -> Option<String> {
        config.api_key.is_none().then(|| {
            let path = config.clean_path();
            format!("graphql `{path}` has no `api_key`: anybody who reaches it can send messages")
        })
    }
}

#[cfg(test)]
mod tests;
