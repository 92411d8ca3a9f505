//! The port of gRPC, and the bounds of its connections.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{SERVICE, Service, activity::Activity, tasks::Tasks};
use crate::{
    BindError, LogState, Node,
    connection::Shared,
    server::{ACCEPT_PAUSE, listen, report},
};

/// Calls at a time on one connection (I9); a client keeps below it by itself.
const STREAMS_MAX: u32 = 128;

/// Bytes that a client may have under way on a connection, and for one call of it, before they are read.
const CONNECTION_WINDOW: u32 = 4 << 20;
const STREAM_WINDOW: u32 = 1 << 20;

/// A client that is silent this long is asked whether it is there, and given this long to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long a client that was told to go may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How often health is looked at.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// The port of gRPC; nothing is answered until it runs.
pub(crate) struct Grpc<N> {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<N>>,
    service: Arc<Service<N>>,
    health: HealthReporter,
}

impl<N: Node> Grpc<N> {
    /// Takes an address.
    pub(crate) async fn bind(
        address: SocketAddr,
        shared: Arc<Shared<N>>,
    ) -> Result<Self, BindError> {
        let (service, health) = Service::new(shared.clone())?;
        let (listener, address) = listen(address).await?;
        Ok(Self {
            listener,
            address,
            shared,
            service,
            health,
        })
    }

    /// Returns the address with the port that was really taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled; then no connection is accepted any more, open calls are finished within the stop
    /// timeout, and the rest is cut off.
    pub(crate) async fn run(mut self, stop: &CancellationToken) {
        let tasks = Tasks::default();
        let mut connections = JoinSet::new();
        let mut health = tokio::time::interval(HEALTH_EVERY);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => report(ended),
                _ = health.tick() => self.tell_health(&mut told).await,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.start(stream, &tasks, &mut connections, stop),
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        // Whoever watches is told by the end of the stream.
        self.health.clear_service_status(SERVICE).await;
        self.health.clear_service_status("").await;
        let deadline = Instant::now() + self.shared.options.stop_timeout;
        while let Ok(Some(ended)) = timeout_at(deadline, connections.join_next()).await {
            report(ended);
        }
        if timeout_at(deadline, tasks.done()).await.is_err() {
            let (connections, calls) = (connections.len(), tasks.count());
            tracing::warn!(connections, calls, "calls were cut off");
        }
        connections.shutdown().await;
        tasks.end();
        tasks.done().await;
    }

    /// Tells health what the data log says: without it nothing is taken.
    async fn tell_health(&self, told: &mut Option<ServingStatus>) {
        let status = match self.shared.node.log_state() {
            // I8: full is a state, not a death; senders are told by `RESOURCE_EXHAUSTED`.
            LogState::Open | LogState::Full => ServingStatus::Serving,
            LogState::Failed { .. } => ServingStatus::NotServing,
        };
        if *told != Some(status) {
            *told = Some(status);
            self.health.set_service_status("", status).await;
            self.health.set_service_status(SERVICE, status).await;
        }
    }

    fn start(
        &self,
        stream: TcpStream,
        tasks: &Tasks,
        connections: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        // I9: connections are bounded. The one too many is closed, which a client of gRPC sees as `UNAVAILABLE`.
        if connections.len() >= self.shared.options.connections_max {
            tracing::debug!("too many connections");
            return;
        }
        // Answers are small and must not wait for the peer's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection ended before it began");
            return;
        }
        let idle_timeout = self.shared.options.head_timeout;
        let service = self.service.clone();
        connections.spawn(serve(
            stream,
            service,
            tasks.clone(),
            idle_timeout,
            stop.clone(),
        ));
    }
}

/// Serves a connection until it ends, has been idle for too long, or its calls have ended once `stop` is cancelled.
async fn serve<N: Node>(
    stream: TcpStream,
    service: Arc<Service<N>>,
    tasks: Tasks,
    idle_timeout: Duration,
    stop: CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let watched = activity.clone();
    let answer = service_fn(move |request| {
        let (service, in_hand) = (service.clone(), activity.begin());
        async move { Ok::<_, Infallible>(service.answer(request, in_hand).await) }
    });
    let connection = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        // A client whose patience ends for all its calls at once means no harm.
        .max_pending_accept_reset_streams(STREAMS_MAX as usize)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let mut overdue = pin!(sleep_until(watched.deadline(idle_timeout)));
    let mut told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    // The peer's doing: broken off, or not HTTP/2.
                    tracing::debug!(%error, "connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = overdue.as_mut() => {
                let deadline = watched.deadline(idle_timeout);
                if deadline > Instant::now() {
                    overdue.as_mut().reset(deadline);
                } else if told {
                    return;
                } else {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                    overdue.as_mut().reset(Instant::now() + GOODBYE);
                }
            }
        }
    }
}
