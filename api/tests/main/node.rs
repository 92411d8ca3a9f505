//! A node without an engine, and a server around it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use hermod_api::{
    BindError, Engines, Forward, Forwarded, Intake, LogState, Node, Options, Server, Whereabouts,
    answer_forwarded,
};
use hermod_engine::SubmitError;
use hermod_sdk::{Message, PushProtocol, PushSource, Refusal, Request};
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
        for (name, value) in request.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            message.metadata.set(name.as_str().to_owned(), value);
        }
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

/// What a node does with requests for sources that it does not have.
pub(crate) enum Elsewhere {
    /// It is alone.
    Nowhere,
    /// It does not know whether others have them.
    Unknown,
    /// Another node has all of them.
    Peer(Arc<Stand>),
    /// It always comes to this.
    Always(Forward),
    /// It never comes to anything.
    Never,
}

pub(crate) struct Stand {
    pub(crate) sources: HashMap<(PushProtocol, String), Double>,
    pub(crate) elsewhere: Elsewhere,
    /// What was to be handed on.
    pub(crate) forwarded: Mutex<Vec<Forwarded>>,
    pub(crate) log: Mutex<LogState>,
    pub(crate) engines: Engines,
    pub(crate) registry: Registry,
}

impl Node for Stand {
    type Intake = Double;

    fn intake(&self, protocol: PushProtocol, path: &str) -> Option<Double> {
        self.sources.get(&(protocol, path.to_owned())).cloned()
    }

    async fn whereabouts(&self, _: PushProtocol, _: &str) -> Whereabouts {
        match self.elsewhere {
            Elsewhere::Nowhere => Whereabouts::Nowhere,
            Elsewhere::Unknown => Whereabouts::Unknown,
            _ => Whereabouts::Elsewhere,
        }
    }

    async fn forward(&self, request: Forwarded) -> Forward {
        self.forwarded.lock().unwrap().push(request.clone());
        match &self.elsewhere {
            Elsewhere::Nowhere | Elsewhere::Unknown => {
                panic!("where nobody is known nothing is handed on")
            }
            Elsewhere::Peer(peer) => Forward::Answer(answer_forwarded(&**peer, request).await),
            Elsewhere::Always(forward) => forward.clone(),
            Elsewhere::Never => std::future::pending().await,
        }
    }

    fn log_state(&self) -> LogState {
        self.log.lock().unwrap().clone()
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
    pub(crate) grpc: Option<SocketAddr>,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

pub(crate) fn stand(webhooks: impl IntoIterator<Item = (&'static str, Double)>) -> Stand {
    let stand = Stand {
        sources: HashMap::new(),
        elsewhere: Elsewhere::Nowhere,
        forwarded: Mutex::default(),
        log: Mutex::new(LogState::Open),
        engines: Engines {
            probing: 0,
            running: 1,
            failed: 0,
        },
        registry: Registry::new(),
    };
    webhooks.into_iter().fold(stand, |stand, (path, double)| {
        stand.with(PushProtocol::Webhook, path, &double)
    })
}

impl Stand {
    pub(crate) fn with(mut self, protocol: PushProtocol, path: &str, double: &Double) -> Self {
        self.sources
            .insert((protocol, path.to_owned()), double.clone());
        self
    }
}

/// A node without sources.
pub(crate) fn gateway(elsewhere: Elsewhere) -> Stand {
    Stand {
        elsewhere,
        ..stand([])
    }
}

pub(crate) fn options() -> Options {
    let mut options = Options::new("127.0.0.1:0".parse().unwrap());
    options.grpc = Some(options.address);
    options.stop_timeout = Duration::from_mins(1);
    options
}

pub(crate) async fn try_run(
    stand: impl Into<Arc<Stand>>,
    options: Options,
) -> Result<Running, BindError> {
    let server = Server::bind(options, stand.into()).await?;
    let (address, stop) = (server.address(), CancellationToken::new());
    let grpc = server.grpc_address();
    #[allow(
        clippy::disallowed_methods,
        reason = "a test owns its tasks by their handles"
    )]
    let ended = tokio::spawn(server.run(stop.clone()));
    Ok(Running {
        address,
        grpc,
        stop,
        ended,
    })
}

pub(crate) async fn run(stand: impl Into<Arc<Stand>>) -> Running {
    try_run(stand, options()).await.unwrap()
}
