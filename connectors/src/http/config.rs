//! Configuration of the sink `http`.

use std::{collections::BTreeMap, path::PathBuf};

use hermod_sdk::{ConnectorConfig, Format, Problems, Secret};
use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

/// How messages are put into requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpMode {
    /// One request per message, one after the other.
    #[default]
    Single,
    /// One request per batch: one line per message.
    Ndjson,
    /// One request per batch: one JSON array with an element per message.
    JsonArray,
}

/// Method of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpMethod {
    /// `POST`.
    #[default]
    #[serde(rename = "POST")]
    Post,
    /// `PUT`.
    #[serde(rename = "PUT")]
    Put,
}

/// Configuration of the sink `http`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSinkConfig {
    /// Address that is written to, `http` or `https`. Credentials belong into `headers`.
    #[schemars(url, example = "https://example.com/ingest")]
    pub url: String,
    /// Method of the requests.
    #[serde(default)]
    pub method: HttpMethod,
    /// Headers of every request, an object or text `NAME:VALUE,NAME:VALUE`. Their values are treated as secrets;
    /// `${env:NAME}` and `${file:PATH}` are resolved when the sink is opened.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How messages are put into requests: `single` is one request per message, `ndjson` and `json_array` one
    /// per batch.
    #[serde(default)]
    pub mode: HttpMode,
    /// What is sent of each message: `payload` is the payload as it came, `json` is the whole message as one
    /// JSON object.
    #[serde(default)]
    pub format: Format,
    /// Content type of the requests. By default: `application/x-ndjson` for `ndjson`, else `application/json`;
    /// for `single` with `format: payload` the message's own `content-type` comes first, if its metadata has one.
    #[serde(default)]
    #[schemars(extend("x-advanced" = true))]
    pub content_type: Option<String>,
    /// JSON pointer to the list of results in an answer to a batch, one element per message, in order (for
    /// example `/items`). An element's status is the number under `status`, or under `status` of its only
    /// field: `{"index": {"status": 201}}`. Without it the request's own status counts for all messages.
    #[serde(default)]
    #[schemars(extend("x-advanced" = true))]
    pub items: Option<String>,
    /// Longest time for one request, from its start to the end of its answer, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    #[schemars(range(min = 1, max = 3_600_000), extend("x-advanced" = true, "x-unit" = "ms"))]
    pub timeout_ms: u64,
    /// Longest time for connecting, TLS included, in milliseconds.
    #[serde(default = "default_connect_timeout_ms")]
    #[schemars(range(min = 1, max = 600_000), extend("x-advanced" = true, "x-unit" = "ms"))]
    pub connect_timeout_ms: u64,
    /// PEM file of the authorities that may vouch for the server, in place of the machine's own store.
    #[serde(default)]
    #[schemars(extend("x-advanced" = true))]
    pub tls_ca_file: Option<PathBuf>,
}

fn default_timeout_ms() -> u64 {
    30_000
}

fn default_connect_timeout_ms() -> u64 {
    10_000
}

impl ConnectorConfig for HttpSinkConfig {
    fn check(&self, problems: &mut Problems) {
        check_url(&self.url, problems);
        for name in self.headers.keys() {
            if let Some(message) = header_problem(name) {
                let pointer = name.replace('~', "~0").replace('/', "~1");
                problems.add(format!("/headers/{pointer}"), message);
            }
        }
        if let Some(text) = &self.content_type
            && HeaderValue::from_str(text).is_err()
        {
            problems.add("/content_type", "is not a header's value");
        }
        if let Some(pointer) = &self.items {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let message = format!("`{pointer}` is not a JSON pointer; write `/items`");
                problems.add("/items", message);
            }
            if self.mode == HttpMode::Single {
                let message = "only an answer to a batch has a list of results; set `mode` to \
                               `ndjson` or `json_array`, or remove `items`";
                problems.add("/items", message);
            }
        }
    }

    fn example() -> Value {
        json!({
            "url": "https://example.com/ingest",
            "headers": {"Authorization": "${env:INGEST_TOKEN}"},
            "mode": "ndjson",
        })
    }
}

fn check_url(text: &str, problems: &mut Problems) {
    let Ok(url) = Url::parse(text) else {
        problems.add("/url", "is not a URL");
        return;
    };
    if !matches!(url.scheme(), "http" | "https") {
        let message = format!("scheme `{}` is not `http` or `https`", url.scheme());
        problems.add("/url", message);
    }
    // I10: an address is shown in errors and logs, so it holds no credentials.
    if !url.username().is_empty() || url.password().is_some() {
        let message = "must not hold a user or password; put `Authorization` into `headers`";
        problems.add("/url", message);
    }
}

fn header_problem(name: &str) -> Option<String> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return Some(format!("`{name}` is not a header's name"));
    };
    match name.as_str() {
        "content-type" => Some("set `content_type` instead".to_owned()),
        "content-length" | "transfer-encoding" | "connection" | "idempotency-key" => {
            Some(format!("`{name}` is set by the sink itself"))
        }
        _ => None,
    }
}
