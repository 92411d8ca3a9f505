//! A client of gRPC over one connection.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hermod_proto::source::grpc::v1::{
    PublishRequest, PublishResponse, source_service_client::SourceServiceClient,
};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
    http::Uri,
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};
use tonic::{Status, body::Body, codegen::Service};

/// Starts what a connection needs; it all ends with the connection.
#[derive(Clone)]
struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawn {
    fn execute(&self, task: F) {
        drop(spawn(task));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test owns its tasks by their handles"
)]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A connection that calls go through.
#[derive(Clone)]
pub(crate) struct Wire(pub(crate) SendRequest<Body>);

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

pub(crate) fn origin() -> Uri {
    Uri::from_static("http://hermod.test")
}

/// Connects; the handle's task ends when the connection does.
pub(crate) async fn connect(address: SocketAddr) -> (Wire, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(Spawn, TokioIo::new(stream)).await.unwrap();
    (Wire(sender), spawn(connection))
}

/// Publishes over a connection.
pub(crate) async fn publish(
    wire: &Wire,
    request: PublishRequest,
) -> Result<PublishResponse, Status> {
    publish_within(wire, request, None).await
}

/// Publishes, telling how long the answer is waited for. The id of the stand-in's message is `k`.
pub(crate) async fn publish_within(
    wire: &Wire,
    request: PublishRequest,
    timeout: Option<Duration>,
) -> Result<PublishResponse, Status> {
    let mut client = SourceServiceClient::with_origin(wire.clone(), origin())
        .max_encoding_message_size(usize::MAX);
    let mut request = tonic::Request::new(request);
    let metadata = request.metadata_mut();
    metadata.insert("idempotency-key", "k".parse().unwrap());
    metadata.insert("x-api-key", "hunter2".parse().unwrap());
    if let Some(timeout) = timeout {
        request.set_timeout(timeout);
    }
    client
        .publish(request)
        .await
        .map(tonic::Response::into_inner)
}

/// A message for a path.
pub(crate) fn to(path: &str) -> PublishRequest {
    PublishRequest {
        path: path.to_owned(),
        payload: Bytes::from_static(b"{\"total\": 1}"),
        ..PublishRequest::default()
    }
}
