//! A connection to one address: made when it is needed, shared by all calls, made anew when it has ended.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, uri::Scheme};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::{body::Body, codegen::Service};
use tracing::debug;

use super::{
    Identity,
    listener::{CONNECTION_WINDOW, STREAM_WINDOW, STREAMS_MAX},
    tasks::Tasks,
};

/// A node that takes longer to let a member in is as good as dead. Calls wait for it only as long as they want to.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// A connection is given up when the node has been silent for the sum: short, because TCP by itself waits longer and
/// longer for a node that was cut off, also after it is back.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);
const KEEPALIVE_MAX: Duration = Duration::from_secs(3);

/// What has become of an attempt to connect; nothing while it is under way.
type Attempt = Option<Result<Wire, Arc<str>>>;

enum State {
    Closed,
    Connecting(watch::Receiver<Attempt>),
    Open(Wire),
}

/// A connection to one address, whether it stands or not.
pub(super) struct Link {
    address: String,
    connector: TlsConnector,
    state: Mutex<State>,
    /// Calls at once (I9). Fewer than the node takes, so that none waits inside of HTTP/2, where nobody knows of it.
    pub(super) calls: Semaphore,
}

impl Link {
    pub(super) fn new(address: &str, identity: &Identity) -> Self {
        Self {
            address: address.to_owned(),
            connector: TlsConnector::from(identity.client()),
            state: Mutex::new(State::Closed),
            calls: Semaphore::new(STREAMS_MAX as usize - 24),
        }
    }

    /// Whether no connection stands, and none is being made.
    pub(super) fn is_closed(&self) -> bool {
        match &*self.state() {
            State::Closed => true,
            State::Connecting(_) => false,
            State::Open(wire) => wire.0.is_closed(),
        }
    }

    /// Returns the connection, after making it where there is none. All who ask share one attempt and its end.
    ///
    /// # Cancel safety
    ///
    /// The attempt goes on for the others.
    pub(super) async fn wire(self: &Arc<Self>, tasks: &Tasks) -> Result<Wire, Arc<str>> {
        let mut attempt = {
            let mut state = self.state();
            match &*state {
                State::Open(wire) if !wire.0.is_closed() => return Ok(wire.clone()),
                // Of an attempt that has ended without a word, its sender is gone.
                State::Connecting(attempt) if attempt.has_changed().is_ok() => attempt.clone(),
                _ => {
                    let attempt = self.attempt(tasks);
                    *state = State::Connecting(attempt.clone());
                    attempt
                }
            }
        };
        let ended = attempt.wait_for(Option::is_some).await;
        match ended.ok().and_then(|attempt| attempt.clone()) {
            Some(ended) => ended,
            None => Err("the attempt to connect has ended".into()),
        }
    }

    fn attempt(self: &Arc<Self>, tasks: &Tasks) -> watch::Receiver<Attempt> {
        let (told, attempt) = watch::channel(None);
        let link = Arc::clone(self);
        let connections = tasks.clone();
        tasks.spawn(async move {
            let connected = match timeout(CONNECT_MAX, link.connect(connections)).await {
                Ok(Ok(wire)) => Ok(wire),
                Ok(Err(error)) => Err(described(&*error)),
                Err(_) => Err("no connection within a second".into()),
            };
            *link.state() = match &connected {
                Ok(wire) => State::Open(wire.clone()),
                Err(_) => State::Closed,
            };
            told.send_replace(Some(connected));
        });
        attempt
    }

    async fn connect(&self, tasks: Tasks) -> Result<Wire, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let name = Identity::peer_name()?;
        let stream = self.connector.connect(name, stream).await?;
        let (sender, connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_max_send_streams(STREAMS_MAX as usize)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_MAX)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let address = self.address.clone();
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                debug!(address, %error, "connection to a node ended");
            }
        });
        Ok(Wire(sender))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with what caused it, in one line.
fn described(error: &(dyn Error + 'static)) -> Arc<str> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text.into()
}

/// A standing connection, for the gRPC client to send through.
#[derive(Clone)]
pub(super) struct Wire(SendRequest<Body>);

/// The request never left this process: the connection had ended before.
#[derive(Debug)]
pub(super) struct NotSent(hyper::Error);

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not sent: {}", self.0)
    }
}

impl Error for NotSent {}

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        debug_assert_eq!(request.uri().scheme(), Some(&Scheme::HTTPS));
        let sent = self.0.try_send_request(request);
        Box::pin(async move {
            sent.await.map_err(|mut error| {
                // hyper gives the request back if, and only if, no byte of it was written.
                let unsent = error.take_message().is_some();
                let error = error.into_error();
                if unsent {
                    io::Error::other(NotSent(error))
                } else {
                    io::Error::other(error)
                }
            })
        })
    }
}
