//! A node without an engine, and a server around it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use hermod_api::{BindError, Engines, Intake, LogState, Node, Options, Server};
use hermod_engine::SubmitError;
use hermod_sdk::{Message, PushSource, Refusal, Request};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Takes a body as one message whose id is the header `Idempotency-Key`.
pub(crate) struct Source {
    pub(crate) limit: usize,
    pub(crate) refusal: Option<Refusal>,
}

impl PushSource for Source {
    fn path(&self) -> &'static str {
        ""
    }

    fn body_bytes_max(&self) -> usize {
        self.limit
    }

    fn accept(&self, request: &Request<'_>, body: Bytes) -> Result<Vec<Message>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let id = request
            .headers
            .get("idempotency-key")
            .map_or("none", |v| v.to_str().unwrap());
        let mut message = Message::new(id.to_owned(), body);
        message.metadata.set("path", request.path.to_owned());
        message.metadata.set("query", request.query.to_owned());
        Ok(vec![message])
    }
}

/// Keeps what it is given, once its gate lets it.
#[derive(Clone)]
pub(crate) struct Double {
    pub(crate) source: Arc<Source>,
    pub(crate) verdict: Result<(), SubmitError>,
    pub(crate) kept: Arc<Mutex<Vec<Message>>>,
    /// Each submit takes one permit.
    pub(crate) gate: Arc<Semaphore>,
    /// Told of each submit before it takes its permit.
    pub(crate) entered: Arc<Notify>,
}

impl Double {
    pub(crate) fn new() -> Self {
        Self {
            source: Arc::new(Source {
                limit: 1 << 20,
                refusal: None,
            }),
            verdict: Ok(()),
            kept: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            entered: Arc::default(),
        }
    }

    pub(crate) fn limited(limit: usize) -> Self {
        Self {
            source: Arc::new(Source {
                limit,
                refusal: None,
            }),
            ..Self::new()
        }
    }

    pub(crate) fn refusing(refusal: Refusal) -> Self {
        let source = Source {
            limit: 1 << 20,
            refusal: Some(refusal),
        };
        Self {
            source: Arc::new(source),
            ..Self::new()
        }
    }

    pub(crate) fn failing(error: SubmitError) -> Self {
        Self {
            verdict: Err(error),
            ..Self::new()
        }
    }

    pub(crate) fn gated() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            ..Self::new()
        }
    }

    pub(crate) fn payloads(&self) -> Vec<Bytes> {
        self.kept
            .lock()
            .unwrap()
            .iter()
            .map(|message| message.payload.bytes())
            .collect()
    }
}

impl Intake for Double {
    fn source(&self) -> &dyn PushSource {
        &*self.source
    }

    async fn submit(&self, messages: Vec<Message>) -> Result<(), SubmitError> {
        self.entered.notify_one();
        self.gate.acquire().await.unwrap().forget();
        self.verdict.clone()?;
        self.kept.lock().unwrap().extend(messages);
        Ok(())
    }
}

pub(crate) struct Stand {
    pub(crate) webhooks: HashMap<&'static str, Double>,
    pub(crate) log: LogState,
    pub(crate) engines: Engines,
    pub(crate) registry: Registry,
}

impl Node for Stand {
    type Intake = Double;

    fn webhook(&self, path: &str) -> Option<Double> {
        self.webhooks.get(path).cloned()
    }

    fn log_state(&self) -> LogState {
        self.log.clone()
    }

    fn engines(&self) -> Engines {
        self.engines
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn metrics(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }
}

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

pub(crate) fn stand(webhooks: impl IntoIterator<Item = (&'static str, Double)>) -> Stand {
    Stand {
        webhooks: webhooks.into_iter().collect(),
        log: LogState::Open,
        engines: Engines {
            probing: 0,
            running: 1,
            failed: 0,
        },
        registry: Registry::new(),
    }
}

pub(crate) fn options() -> Options {
    let mut options = Options::new("127.0.0.1:0".parse().unwrap());
    options.stop_timeout = Duration::from_mins(1);
    options
}

pub(crate) async fn try_run(stand: Stand, options: Options) -> Result<Running, BindError> {
    let server = Server::bind(options, Arc::new(stand)).await?;
    let (address, stop) = (server.address(), CancellationToken::new());
    #[allow(
        clippy::disallowed_methods,
        reason = "a test owns its tasks by their handles"
    )]
    let ended = tokio::spawn(server.run(stop.clone()));
    Ok(Running {
        address,
        stop,
        ended,
    })
}

pub(crate) async fn run(stand: Stand) -> Running {
    try_run(stand, options()).await.unwrap()
}
