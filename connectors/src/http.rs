//! Sink `http`: sends messages to a web service.
//!
//! What an answer means: 2xx is written. 408, 425, 5xx and every failure of the network are `Unavailable`, 429
//! is `Throttled`; both wait as long as `Retry-After` asks. 3xx, 401, 403, 404, 405 and 407 pause the sink until a
//! person has looked (`Auth`). Any other 4xx refuses what was sent; a batch that is refused as a whole is
//! bisected by the engine until the message at fault stands alone.
//!
//! Every request carries an `Idempotency-Key`: the message's id, or for a batch a hash over all of its ids, so
//! that a service that knows such keys takes a repeated request once.

mod answer;
mod body;
mod config;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hermod_sdk::{
    Batch, Confirms, ConnectorError, ErrorKind, Format, Locality, Message, Outcome, Repeats, Sink,
    SinkConnector, SinkContext, Spec, Stability, Written,
};
use reqwest::{
    Client, Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use self::{
    answer::Answer,
    body::{BatchBody, key_of},
};
use crate::tls::{Trust, client_config};

pub use config::{HttpMethod, HttpMode, HttpSinkConfig};

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How much more of it is read for each message whose own result stands in it.
const ITEM_BYTES_MAX: usize = 4 << 10;
/// Shorter header values are no credentials, and blotting them out would blot out words.
const CREDENTIAL_BYTES_MIN: usize = 6;

/// Sends messages to a web service.
///
/// # Durability
/// It confirms `accepted`: the service said 2xx. What it does with the message then is its own affair.
pub struct HttpSink {
    client: Client,
    method: Method,
    url: Url,
    mode: HttpMode,
    format: Format,
    content_type: Option<HeaderValue>,
    items: Option<String>,
    /// What is looked for in the other side's words before they are shown.
    credentials: Vec<String>,
}

impl HttpSink {
    /// Sends one request after the other, up to the first that is not taken: what comes behind it must not
    /// overtake it (I4).
    async fn write_single(&self, batch: &Batch) -> Result<Written, ConnectorError> {
        let mut outcomes = Vec::with_capacity(batch.records.len());
        for record in &batch.records {
            let message = &record.message;
            let body = self.format.body(message);
            let key = key_of(&message.id);
            let sent = self
                .send(body, &key, self.type_of(message), ANSWER_BYTES_MAX)
                .await
                .and_then(|answer| match answer.error(&self.request()) {
                    Some(error) => Err(self.redact(&error)),
                    None => Ok(()),
                });
            let error = match sent {
                Ok(()) => {
                    outcomes.push(Outcome::Written);
                    continue;
                }
                Err(error) => error,
            };
            if error.kind() == ErrorKind::Rejected {
                let reason = error.report();
                outcomes.push(Outcome::Rejected { reason });
            } else if outcomes.is_empty() {
                return Err(error);
            } else {
                outcomes.push(Outcome::Retry {
                    reason: error.report(),
                    after: error.retry_after(),
                });
            }
            break;
        }
        if outcomes.len() == batch.records.len()
            && outcomes.iter().all(|outcome| *outcome == Outcome::Written)
        {
            return Ok(Written::All);
        }
        outcomes.resize_with(batch.records.len(), || Outcome::Retry {
            reason: "a message before it was not taken".to_owned(),
            after: None,
        });
        Ok(Written::Each(outcomes))
    }

    async fn write_batch(&self, batch: &Batch) -> Result<Written, ConnectorError> {
        let mut body = BatchBody::of(self.mode, self.format, batch);
        if body.count == 0 {
            return Ok(body.merge(Written::Each(Vec::new())));
        }
        let content_type = self.content_type.clone().unwrap_or_else(|| {
            HeaderValue::from_static(match self.mode {
                HttpMode::Ndjson => "application/x-ndjson",
                HttpMode::Single | HttpMode::JsonArray => "application/json",
            })
        });
        let answer_bytes_max = match self.items {
            Some(_) => ANSWER_BYTES_MAX + body.count * ITEM_BYTES_MAX,
            None => ANSWER_BYTES_MAX,
        };
        let bytes = std::mem::take(&mut body.bytes);
        let answer = self
            .send(bytes, &body.key, content_type, answer_bytes_max)
            .await?;
        if let Some(error) = answer.error(&self.request()) {
            return Err(self.redact(&error));
        }
        let written = match &self.items {
            Some(items) => answer.items(items, body.count)?,
            None => match answer.hidden_failure() {
                Some(error) => return Err(error),
                None => Written::All,
            },
        };
        Ok(body.merge(self.redact_outcomes(written)))
    }

    /// Sends one request and reads its answer up to a limit.
    async fn send(
        &self,
        body: Bytes,
        key: &str,
        content_type: HeaderValue,
        answer_bytes_max: usize,
    ) -> Result<Answer, ConnectorError> {
        let failed = |error: reqwest::Error| {
            let what = if error.is_timeout() {
                "had no answer in time"
            } else {
                "failed"
            };
            let message = format!("{} {what}", self.request());
            // I10: the address in the client's own errors has its query.
            ConnectorError::new(ErrorKind::Unavailable, message).with_source(error.without_url())
        };
        let mut response = self
            .client
            .request(self.method.clone(), self.url.clone())
            .header(CONTENT_TYPE, content_type)
            .header("idempotency-key", key)
            .body(body)
            .send()
            .await
            .map_err(failed)?;
        let status = response.status();
        let mut read = BytesMut::new();
        let mut cut = false;
        // I9: an endless answer is not read to its end.
        while !cut && let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = answer_bytes_max - read.len();
            cut = chunk.len() > room;
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        let header = |name| response.headers().get(name)?.to_str().ok();
        Ok(Answer {
            status,
            retry_after: answer::retry_after(response.headers(), SystemTime::now()),
            location: header("location")
                .filter(|_| status.is_redirection())
                .map(str::to_owned),
            body: read.freeze(),
            cut,
        })
    }

    fn type_of(&self, message: &Message) -> HeaderValue {
        let own = match self.format {
            Format::Payload => message.metadata.get("content-type"),
            Format::Json => None,
        };
        let own = || HeaderValue::from_str(own?).ok();
        self.content_type
            .clone()
            .or_else(own)
            .unwrap_or_else(|| HeaderValue::from_static("application/json"))
    }

    /// Names the request without its query, which may hold a token (I10).
    fn request(&self) -> String {
        format!("{} `{}`", self.method, shown(&self.url))
    }

    /// Blots our credentials out of an error: some services repeat what they were sent (I10).
    fn redact(&self, error: &ConnectorError) -> ConnectorError {
        let text = self.redact_text(error.report());
        let redacted = ConnectorError::new(error.kind(), text);
        match error.retry_after() {
            Some(wait) => redacted.with_retry_after(wait),
            None => redacted,
        }
    }

    fn redact_outcomes(&self, written: Written) -> Written {
        let Written::Each(mut outcomes) = written else {
            return written;
        };
        for outcome in &mut outcomes {
            if let Outcome::Rejected { reason } | Outcome::Retry { reason, .. } = outcome {
                *reason = self.redact_text(std::mem::take(reason));
            }
        }
        Written::Each(outcomes)
    }

    fn redact_text(&self, mut text: String) -> String {
        for credential in &self.credentials {
            if text.contains(credential.as_str()) {
                text = text.replace(credential.as_str(), "[redacted]");
            }
        }
        text
    }
}

/// Returns an address without user, password, query and fragment.
fn shown(url: &Url) -> String {
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

fn parsed(config: &HttpSinkConfig) -> Result<Url, ConnectorError> {
    Url::parse(&config.url).map_err(|error| {
        ConnectorError::new(ErrorKind::Internal, "the address is not a URL").with_source(error)
    })
}

fn trust(config: &HttpSinkConfig) -> Trust {
    match &config.tls_ca_file {
        Some(path) => Trust::Authority(path.clone()),
        None => Trust::Platform,
    }
}

/// Connects, and closes the connection again.
async fn shake_hands(url: &Url, tls: Option<ClientConfig>) -> io::Result<()> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default();
    let stream = TcpStream::connect((host, port)).await?;
    if let Some(tls) = tls {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(tls))
            .connect(name, stream)
            .await?;
    }
    Ok(())
}

#[async_trait]
impl Sink for HttpSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        match self.mode {
            HttpMode::Single => self.write_single(batch).await,
            HttpMode::Ndjson | HttpMode::JsonArray => self.write_batch(batch).await,
        }
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        // Nothing is held back: `write` returns with the answers.
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl SinkConnector for HttpSink {
    const SPEC: Spec = Spec {
        kind: "http",
        title: "HTTP",
        summary: "Sends messages to a web service, one by one or in batches.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: false,
        partial: true,
    };
    type Config = HttpSinkConfig;

    async fn open(config: Self::Config, _cx: SinkContext) -> Result<Self, ConnectorError> {
        let url = parsed(&config)?;
        let mut headers = HeaderMap::new();
        let mut credentials = Vec::new();
        for (name, secret) in &config.headers {
            let text = secret.resolve()?;
            let invalid = || {
                let message = format!("the value of the header `{name}` cannot be sent");
                ConnectorError::new(ErrorKind::Auth, message)
            };
            let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
            let mut value = HeaderValue::from_str(&text).map_err(|_| invalid())?;
            value.set_sensitive(true);
            headers.insert(known, value);
            // `Bearer TOKEN`: the token alone gives it away as well.
            credentials.extend(
                text.split_whitespace()
                    .filter(|part| part.len() >= CREDENTIAL_BYTES_MIN)
                    .map(str::to_owned),
            );
        }
        let mut builder = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("hermod/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_millis(config.timeout_ms))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // Without TLS the client would still load the machine's certificates, and fail where there are none.
        let trust = match url.scheme() {
            "https" => trust(&config),
            _ => Trust::Nobody,
        };
        let mut tls = client_config(&trust)?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        builder = builder.tls_backend_preconfigured(tls);
        let client = builder.build().map_err(|error| {
            ConnectorError::new(ErrorKind::Internal, "the HTTP client cannot be made")
                .with_source(error.without_url())
        })?;
        let content_type = config.content_type.as_deref();
        Ok(Self {
            client,
            method: match config.method {
                HttpMethod::Post => Method::POST,
                HttpMethod::Put => Method::PUT,
            },
            url,
            mode: config.mode,
            format: config.format,
            content_type: content_type.and_then(|text| HeaderValue::from_str(text).ok()),
            items: config.items,
            credentials,
        })
    }

    /// Connects, with TLS where the address says so, and closes the connection again. No request is made:
    /// there is none that every service takes without effect.
    async fn probe(config: &Self::Config) -> Result<(), ConnectorError> {
        let url = parsed(config)?;
        let limit = Duration::from_millis(config.connect_timeout_ms);
        let tls = match url.scheme() {
            "https" => Some(client_config(&trust(config))?),
            _ => None,
        };
        tokio::time::timeout(limit, shake_hands(&url, tls))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| {
                let message = format!("`{}` cannot be reached", shown(&url));
                ConnectorError::new(ErrorKind::Unavailable, message).with_source(error)
            })
    }

    fn partial(config: &Self::Config) -> bool {
        config.items.is_some()
    }
}
