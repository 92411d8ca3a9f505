//! Calls as they arrive: checked, bounded, handed to the handler.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use hermod_proto::cluster::v1::{
    CallReply, CallRequest, call_reply::Answer, node_server::Node, node_server::NodeServer,
};
use http_body::Body;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, codegen::Service as _, metadata::MetadataValue};
use tracing::error;

use super::{
    BODY_BYTES_MAX, Call, Counters, Handler, Topic,
    budget::{Budget, Counted, Held, OVERHEAD_BYTES},
};

/// Calls of all connections that are answered at once (I9).
const CALLS_MAX: usize = 4096;

/// No call is worked on for longer, whatever its sender says, nor received for longer.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// Bytes of a refusal.
const REFUSAL_BYTES_MAX: usize = 1 << 10;

/// Stands in a status that means a refusal: nothing was done. A status alone cannot say that, for clients make some of
/// their own.
pub(super) const REFUSED: &str = "hermod-refused";

/// A status that means a refusal.
pub(super) fn refused(reason: impl Into<String>) -> Status {
    let mut status = Status::resource_exhausted(reason);
    status
        .metadata_mut()
        .insert(REFUSED, MetadataValue::from_static("1"));
    status
}

/// What answers the calls of all connections.
#[derive(Clone)]
pub(super) struct Service {
    server: NodeServer<Calls>,
    budget: Arc<Budget>,
}

impl Service {
    pub(super) fn new(handler: Arc<dyn Handler>, counters: Arc<Counters>) -> Self {
        let calls = Calls {
            handler,
            counters,
            permits: Semaphore::new(CALLS_MAX),
        };
        let server = NodeServer::new(calls)
            // `Counted` is stricter, and says that it refuses.
            .max_decoding_message_size(2 * BODY_BYTES_MAX)
            .max_encoding_message_size(BODY_BYTES_MAX + OVERHEAD_BYTES);
        Self {
            server,
            budget: Arc::new(Budget::default()),
        }
    }

    pub(super) async fn answer<B>(
        mut self,
        request: http::Request<B>,
    ) -> http::Response<tonic::body::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let held = Arc::new(Held::new(self.budget));
        let mut request = request.map(|body| Counted::new(body, Arc::clone(&held)));
        // Kept with the request, until it is answered.
        request.extensions_mut().insert(held);
        match tokio::time::timeout(TIMEOUT_MAX, self.server.call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => Status::deadline_exceeded("not answered in time").into_http(),
        }
    }
}

struct Calls {
    handler: Arc<dyn Handler>,
    counters: Arc<Counters>,
    permits: Semaphore,
}

impl Calls {
    fn refuse(&self, mut reason: String) -> Response<CallReply> {
        self.counters.refused_call();
        reason.truncate(reason.floor_char_boundary(REFUSAL_BYTES_MAX));
        Response::new(CallReply {
            answer: Some(Answer::Refusal(reason)),
        })
    }
}

#[tonic::async_trait]
impl Node for Calls {
    async fn call(&self, request: Request<CallRequest>) -> Result<Response<CallReply>, Status> {
        let (_, extensions, request) = request.into_parts();
        let Ok(_permit) = self.permits.try_acquire() else {
            return Ok(self.refuse(format!("busy: {CALLS_MAX} calls at once")));
        };
        let Some(topic) = Topic::from_number(request.topic) else {
            return Ok(self.refuse(format!("topic {} is not known here", request.topic)));
        };
        if request.timeout_ms == 0 {
            return Ok(self.refuse("no time is left for it".to_owned()));
        }
        let timeout = Duration::from_millis(request.timeout_ms).min(TIMEOUT_MAX);
        let call = Call {
            cluster: request.cluster,
            from: request.from,
            to: request.to,
            topic,
            body: request.body,
        };
        self.counters.call();
        let answer = tokio::time::timeout(timeout, unwound(self.handler.handle(call, timeout)))
            .await
            .map_err(|_| Status::deadline_exceeded("not answered in time"))?;
        drop(extensions);
        match answer {
            None => {
                self.counters.panic();
                error!(?topic, "answering a call panicked");
                Err(Status::internal("answering it panicked"))
            }
            Some(Err(reason)) => Ok(self.refuse(reason)),
            Some(Ok(body)) if body.len() > BODY_BYTES_MAX => Err(Status::internal(format!(
                "the answer has {} bytes, at most {BODY_BYTES_MAX} can be sent",
                body.len()
            ))),
            Some(Ok(body)) => Ok(Response::new(CallReply {
                answer: Some(Answer::Body(body)),
            })),
        }
    }
}

/// Waits for a future; a panic in it is `None`, so that it ends one call and not its connection.
async fn unwound<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}
