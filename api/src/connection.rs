//! One connection, from its first byte to its last.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{Node, Options, webhook};

/// How long the rest of an unread request is thrown away, so that the sender gets to read the answer
/// instead of a reset.
const LINGER: Duration = Duration::from_secs(2);

/// How much of an unread request is thrown away at most.
const LINGER_BYTES: usize = 128 << 20;

/// Read buffer of a connection: also the limit of a request's head.
const BUFFER_BYTES: usize = 64 << 10;

/// What all connections share.
pub(crate) struct Shared<N> {
    pub(crate) node: Arc<N>,
    pub(crate) router: Router,
    pub(crate) options: Options,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Serves a connection until it ends, or until its current request ends once `stop` is cancelled.
pub(crate) async fn serve<N: Node>(
    stream: TcpStream,
    shared: Arc<Shared<N>>,
    stop: CancellationToken,
) {
    let timeout = shared.options.head_timeout;
    let service = service_fn(move |request| dispatch(&shared, request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut stopping = std::pin::pin!(stop.cancelled());
    let mut told = false;
    let ended = std::future::poll_fn(|cx| {
        if !told && stopping.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    if let Err(error) = ended {
        // The peer's doing: broken off, too slow, not HTTP. hyper has answered where it could.
        tracing::debug!(%error, "connection ended early");
    }
    linger(connection.into_parts().io.into_inner()).await;
}

fn dispatch<N: Node>(shared: &Arc<Shared<N>>, request: Request<Incoming>) -> Answering {
    let shared = shared.clone();
    if request.uri().path().starts_with(webhook::PREFIX) {
        let timeout = shared.options.body_timeout;
        return Box::pin(async move { Ok(webhook::handle(&*shared.node, request, timeout).await) });
    }
    let router = TowerToHyperService::new(shared.router.clone());
    Box::pin(async move { router.call(request).await })
}

/// Closes our side, then reads what is still coming, within limits.
async fn linger(mut stream: TcpStream) {
    let rest = async {
        stream.shutdown().await?;
        let mut scratch = vec![0; 16 << 10];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut scratch).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        Ok::<_, std::io::Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(LINGER, rest).await {
        tracing::trace!(%error, "connection was closed by the peer");
    }
}
