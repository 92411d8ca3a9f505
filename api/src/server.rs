//! The listener, and the bounds of all connections together.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Api, Code, Node, connection,
    connection::Shared,
    push::{forward::Room, grpc::Grpc},
    router,
};

/// How long to wait after an accept that failed, for example because no file descriptor was left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server's address and limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub address: SocketAddr,
    /// Address to take gRPC on, by custom port 50051; port 0 takes a free one. Default: none.
    pub grpc: Option<SocketAddr>,
    /// Most connections at a time, for each of the two addresses; more are answered 503, or for gRPC nothing, and closed.
    /// Default 4,096. Of gRPC it is the most calls at a time, too, over all connections.
    pub connections_max: usize,
    /// Longest wait for a request's head, which includes the idle time between two requests. Default 75 s,
    /// longer than the idle time of common load balancers, which must be the first to close.
    pub head_timeout: Duration,
    /// Longest time for a body. Default 30 s.
    pub body_timeout: Duration,
    /// How long open requests may take after the server was told to stop. Default 5 s.
    pub stop_timeout: Duration,
}

impl Options {
    /// Returns the defaults for an address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            grpc: None,
            connections_max: 4096,
            head_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

/// The server cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("another process listens on `{address}`")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Unusable {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The node's registry already has the server's metrics.
    #[error("the server's metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// What gRPC clients are told of its services cannot be read.
    #[error("the descriptors of the gRPC services cannot be read: {reason}")]
    Descriptors {
        /// Why.
        reason: String,
    },
}

impl BindError {
    /// Returns the code that an operator sees.
    pub fn code(&self) -> Code {
        match self {
            Self::InUse { .. } => Code::PortInUse,
            Self::Unusable { .. } | Self::Metrics(_) | Self::Descriptors { .. } => {
                Code::AddressUnusable
            }
        }
    }
}

/// A server that listens; nothing is answered until [`Server::run`].
pub struct Server<N> {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<N>>,
    grpc: Option<Grpc<N>>,
}

impl<N: Node> Server<N> {
    /// Takes the address.
    ///
    /// # Errors
    /// [`BindError`] if it cannot be had.
    pub async fn bind(options: Options, node: Arc<N>) -> Result<Self, BindError> {
        Self::with_api(options, node, None).await
    }

    /// Takes the address, and serves the API too, if there is one.
    ///
    /// # Errors
    /// [`BindError`] if it cannot be had.
    pub async fn with_api(
        options: Options,
        node: Arc<N>,
        api: Option<Api>,
    ) -> Result<Self, BindError> {
        let router = router::router(node.clone())?;
        let (listener, address) = listen(options.address).await?;
        let shared = Arc::new(Shared {
            node,
            router,
            api,
            options,
            room: Room::new(),
        });
        let grpc = match shared.options.grpc {
            Some(address) => Some(Grpc::bind(address, shared.clone()).await?),
            None => None,
        };
        Ok(Self {
            listener,
            address,
            shared,
            grpc,
        })
    }

    /// Returns the address with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of gRPC with the port that was really taken.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(Grpc::address)
    }

    /// Serves until `stop` is cancelled; then no connection is accepted any more, open requests are
    /// finished within the stop timeout, and the rest is cut off.
    pub async fn run(mut self, stop: CancellationToken) {
        match self.grpc.take() {
            Some(grpc) => {
                tokio::join!(self.run_http(&stop), grpc.run(&stop));
            }
            None => self.run_http(&stop).await,
        }
    }

    async fn run_http(self, stop: &CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => report(ended),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.start(stream, peer.ip(), &mut connections, stop),
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        let deadline = Instant::now() + self.shared.options.stop_timeout;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, connections.join_next()).await
        {
            report(ended);
        }
        if !connections.is_empty() {
            tracing::warn!(connections = connections.len(), "connections were cut off");
        }
        connections.shutdown().await;
    }

    fn start(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        connections: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        // I9: connections are bounded; the one too many gets an answer instead of silence.
        if connections.len() >= self.shared.options.connections_max {
            refuse(&stream);
            return;
        }
        // Answers are small and must not wait for the peer's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection ended before it began");
            return;
        }
        connections.spawn(connection::serve(
            stream,
            peer,
            self.shared.clone(),
            stop.clone(),
        ));
    }
}

/// Takes an address; returns it with the port that was really taken.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let unusable = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Unusable { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    Ok((listener, address))
}

pub(crate) fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked; the others go on");
    }
}

fn refuse(stream: &TcpStream) {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let code = Code::TooManyConnections;
    let body = format!(
        r#"{{"type":"urn:hermod:error:{}","title":"{}","status":{},"code":"{}"}}"#,
        code.text(),
        code.title(),
        status.as_u16(),
        code.text(),
    );
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len(),
    );
    // A fresh socket's send buffer is empty; should it not take the text, the peer sees the close.
    if let Err(error) = stream.try_write(text.as_bytes()) {
        tracing::debug!(%error, "a refused connection got no answer");
    }
}
