//! Where members of the cluster are let in.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Counters, Handler, Identity, service::Service, tasks::Tasks};

/// Connections at once, those that are still shaking hands among them (I9). Members make two each.
const CONNECTIONS_MAX: usize = 512;

/// Connections that are still shaking hands (I9). They may be anybody's.
const HANDSHAKES_MAX: usize = 64;

/// A member shakes hands in milliseconds, on a bad day in a second.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Calls at once on one connection. Senders keep below it by themselves.
pub(super) const STREAMS_MAX: u32 = 1024;

/// Bytes that a sender may have under way on a connection, and for one call of it.
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;
pub(super) const STREAM_WINDOW: u32 = 4 << 20;

/// A peer that is silent this long is asked whether it is there, and given this long to say so.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Calls under way are given this long when the listener stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// After an error of the machine, such as too many open files, accepting waits a moment instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One refused connection in this many is logged, after the first few: strangers do not fill the log (I9).
const LOGGED_ONE_IN: u64 = 1000;
const LOGGED_FIRST: u64 = 10;

/// Why nothing is listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for nodes on `{address}`")]
pub struct ListenError {
    /// Where.
    pub address: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Lets members of the cluster in, and answers their calls.
pub struct Listener {
    socket: TcpListener,
    local_addr: SocketAddr,
    acceptor: TlsAcceptor,
    service: Service,
    counters: Arc<Counters>,
    tasks: Tasks,
}

impl Listener {
    /// Listens on an address (`host:port`; port 0 takes a free one). Nothing is answered before [`run`](Self::run).
    pub async fn bind(
        address: &str,
        identity: &Identity,
        handler: Arc<dyn Handler>,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            address: address.to_owned(),
            source,
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let local_addr = socket.local_addr().map_err(failed)?;
        let counters = Arc::new(Counters::default());
        Ok(Self {
            socket,
            local_addr,
            acceptor: TlsAcceptor::from(identity.server()),
            service: Service::new(handler, Arc::clone(&counters)),
            counters,
            tasks: Tasks::default(),
        })
    }

    /// Returns the address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Returns what it has seen, for as long as somebody wants to know.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Answers calls until it is cancelled, then gives those under way two seconds. When it returns, its port is free and
    /// none of its tasks runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends everything at once.
    pub async fn run(self, cancel: CancellationToken) {
        let ended = EndOnDrop(&self.tasks);
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        while let Some(accepted) = cancel.run_until_cancelled(self.socket.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Before the handshake, so that the peer knows that nothing was done.
            let (Ok(connection), Ok(handshake)) = (
                Arc::clone(&connections).try_acquire_owned(),
                Arc::clone(&handshakes).try_acquire_owned(),
            ) else {
                refused(&self.counters, peer, &"too many connections");
                continue;
            };
            self.serve(stream, peer, (connection, handshake), cancel.clone());
        }
        drop(self.socket);
        if timeout(DRAIN_MAX, self.tasks.done()).await.is_err() {
            debug!("calls are ended that were still being answered");
        }
        drop(ended);
        self.tasks.done().await;
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        (connection, handshake): (OwnedSemaphorePermit, OwnedSemaphorePermit),
        cancel: CancellationToken,
    ) {
        let acceptor = self.acceptor.clone();
        let service = self.service.clone();
        let counters = Arc::clone(&self.counters);
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let _connection = connection;
            // Nothing of a stranger goes further than TLS: HTTP is read only from who has shown a certificate.
            let shaken = cancel.run_until_cancelled(shake(acceptor, stream)).await;
            drop(handshake);
            match shaken {
                None => {}
                Some(Err(error)) => refused(&counters, peer, &error),
                Some(Ok(stream)) => {
                    counters.connection();
                    if let Err(error) = converse(stream, service, tasks, cancel).await {
                        debug!(%peer, %error, "connection of a node ended");
                    }
                }
            }
        });
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

struct EndOnDrop<'a>(&'a Tasks);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn refused(counters: &Counters, peer: SocketAddr, reason: &dyn std::fmt::Display) {
    let total = counters.refused_connection();
    if total <= LOGGED_FIRST || total.is_multiple_of(LOGGED_ONE_IN) {
        debug!(%peer, %reason, total, "connection refused");
    }
}

async fn shake(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    timeout(HANDSHAKE_MAX, acceptor.accept(stream))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn converse(
    stream: TlsStream<TcpStream>,
    service: Service,
    tasks: Tasks,
    cancel: CancellationToken,
) -> hyper::Result<()> {
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        // A member that gives up on many calls at once means no harm.
        .max_pending_accept_reset_streams(STREAMS_MAX as usize)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    if let Some(ended) = cancel.run_until_cancelled(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
