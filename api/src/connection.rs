//! One connection, from its first byte to its last.

use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{Router, body::Body};
use hermod_sdk::PushProtocol;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Api, Node, Options,
    push::{self, forward::Room},
    rest::{self, Busy, Peer, cors},
    router,
};

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
    /// The API, where there is a metadata store.
    pub(crate) api: Option<Api>,
    pub(crate) options: Options,
    /// For bodies that go to other nodes.
    pub(crate) room: Room,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// When the connection last had a request in hand.
///
/// One timer a connection looks at it now and then. A timer that is set anew for each request, as hyper's
/// own would be, costs more than everything else that is done for a small request here.
struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to the end of the last request, or [`Self::BUSY`].
    idle_since: AtomicU64,
}

impl Activity {
    const BUSY: u64 = u64::MAX;

    fn new() -> Self {
        Self {
            opened: Instant::now(),
            idle_since: AtomicU64::new(0),
        }
    }

    /// Returns when the wait for the next request's head ends, if it were to begin by now at the latest.
    fn deadline(&self, timeout: Duration) -> Instant {
        match self.idle_since.load(Ordering::Relaxed) {
            Self::BUSY => Instant::now() + timeout,
            millis => self.opened + Duration::from_millis(millis) + timeout,
        }
    }

    fn begin(self: &Arc<Self>) -> InHand {
        self.idle_since.store(Self::BUSY, Ordering::Relaxed);
        InHand(self.clone())
    }
}

/// A request in hand; dropped when its answer is ready or nobody waits for it any more.
struct InHand(Arc<Activity>);

impl Drop for InHand {
    fn drop(&mut self) {
        let millis = self.0.opened.elapsed().as_millis() as u64;
        self.0.idle_since.store(millis, Ordering::Relaxed);
    }
}

/// Serves a connection until it ends, or until its current request ends once `stop` is cancelled.
pub(crate) async fn serve<N: Node>(
    stream: TcpStream,
    peer: IpAddr,
    shared: Arc<Shared<N>>,
    stop: CancellationToken,
) {
    let timeout = shared.options.head_timeout;
    let activity = Arc::new(Activity::new());
    let watched = activity.clone();
    let service = service_fn(move |request| dispatch(&shared, peer, &activity, request));
    let mut connection = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut stopping = pin!(stop.cancelled());
    let mut overdue = pin!(tokio::time::sleep_until(watched.deadline(timeout)));
    let mut told = false;
    let ended = std::future::poll_fn(|cx| {
        if !told && stopping.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(Some(result));
        }
        while overdue.as_mut().poll(cx).is_ready() {
            let deadline = watched.deadline(timeout);
            if deadline <= Instant::now() {
                return Poll::Ready(None);
            }
            overdue.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
    match ended {
        Some(Ok(())) => {}
        // The peer's doing: broken off, or not HTTP. hyper has answered where it could.
        Some(Err(error)) => tracing::debug!(%error, "connection ended early"),
        None => tracing::debug!("connection sent no request in time"),
    }
    linger(connection.into_parts().io.into_inner()).await;
}

fn dispatch<N: Node>(
    shared: &Arc<Shared<N>>,
    peer: IpAddr,
    activity: &Arc<Activity>,
    mut request: Request<Incoming>,
) -> Answering {
    let (shared, in_hand) = (shared.clone(), activity.begin());
    if let Some(protocol) = push::path::protocol(request.uri().path()) {
        return Box::pin(async move {
            let _in_hand = in_hand;
            let https = shared.api.is_some() && cors::is_https(request.headers());
            let mut response = push::handle(&shared, protocol, request).await;
            // The success of a webhook is read by programs only, and is the one answer whose cost counts.
            let is_plain = protocol == PushProtocol::Webhook && response.status() == StatusCode::OK;
            if let Some(api) = shared.api.as_ref().filter(|_| !is_plain) {
                api.protect(https, &mut response);
            }
            Ok(response)
        });
    }
    if let Some(api) = shared.api.as_ref().filter(|_| is_api(request.uri().path())) {
        let router = TowerToHyperService::new(api.router.clone());
        request.extensions_mut().insert(Peer(peer));
        // Held by the request, and by an answer that goes on and on: its connection does not count as idle.
        request.extensions_mut().insert(Busy::new(in_hand));
        return Box::pin(router.call(request));
    }
    let router = TowerToHyperService::new(shared.router.clone());
    let https = cors::is_https(request.headers());
    Box::pin(async move {
        let _in_hand = in_hand;
        let mut response = match page(&shared, &request).await {
            Some(response) => response,
            None => router.call(request).await?,
        };
        if let Some(api) = &shared.api {
            api.protect(https, &mut response);
        }
        Ok(response)
    })
}

/// Answers what is meant for the web interface, where there is an API for it.
async fn page<N>(shared: &Shared<N>, request: &Request<Incoming>) -> Option<Response<Body>> {
    let api = shared.api.as_ref()?;
    let path = request.uri().path();
    if router::PROBES.contains(&path) {
        return None;
    }
    api.ui()
        .answer(request.method(), path, request.headers())
        .await
}

fn is_api(path: &str) -> bool {
    let below = path.strip_prefix(rest::PREFIX);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
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
