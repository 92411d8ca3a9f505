//! Calls as they are sent.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_proto::cluster::v1::{CallRequest, call_reply::Answer, node_client::NodeClient};
use http::Uri;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::{
    BODY_BYTES_MAX, Call, CallError, Channel, Identity,
    budget::OVERHEAD_BYTES,
    link::{Link, NotSent, Wire},
    service::REFUSED,
    tasks::Tasks,
};

/// Links that are kept (I9): far more than a cluster has.
const LINKS_MAX: usize = 512;

/// A call that was not sent because its connection had just ended is sent once more, over a new one.
const ATTEMPTS: usize = 2;

/// The connections to other nodes. Dropping it ends them.
pub struct Connections {
    identity: Identity,
    /// By address, and by whether what goes over it is large or slow.
    links: Mutex<HashMap<(String, bool), Arc<Link>>>,
    tasks: Tasks,
}

impl Connections {
    /// Makes connections for a member of a cluster; none stands before the first call.
    pub fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            links: Mutex::default(),
            tasks: Tasks::default(),
        }
    }

    fn link(&self, address: &str, bulk: bool) -> Option<Arc<Link>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address.to_owned(), bulk);
        if let Some(link) = links.get(&key) {
            return Some(Arc::clone(link));
        }
        if links.len() >= LINKS_MAX {
            links.retain(|_, link| !link.is_closed() || Arc::strong_count(link) > 1);
        }
        if links.len() >= LINKS_MAX {
            return None;
        }
        let link = Arc::new(Link::new(address, &self.identity));
        links.insert(key, Arc::clone(&link));
        Some(link)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

#[async_trait]
impl Channel for Connections {
    async fn call(&self, address: &str, call: Call, timeout: Duration) -> Result<Bytes, CallError> {
        let deadline = Instant::now() + timeout;
        if call.body.len() > BODY_BYTES_MAX {
            let reason = format!(
                "a call of {} bytes is never sent, the most are {BODY_BYTES_MAX}",
                call.body.len()
            );
            return Err(refused(address, reason));
        }
        let Some(link) = self.link(address, call.topic.is_bulk()) else {
            return Err(unreachable(address, "too many nodes are connected"));
        };
        // Until something is sent, whatever happens has done nothing there.
        let Ok(Ok(_permit)) = timeout_at(deadline, link.calls.acquire()).await else {
            return Err(unreachable(address, "too many calls wait for it"));
        };
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            let wire = match timeout_at(deadline, link.wire(&self.tasks)).await {
                Ok(Ok(wire)) => wire,
                Ok(Err(reason)) => return Err(unreachable(address, &*reason)),
                Err(_) => return Err(unreachable(address, "not connected in time")),
            };
            match exchange(wire, address, &call, deadline).await {
                Err(Failed::NotSent(text)) => reason = text,
                Err(Failed::Call(error)) => return Err(error),
                Ok(body) => return Ok(body),
            }
        }
        Err(unreachable(address, reason))
    }
}

enum Failed {
    NotSent(String),
    Call(CallError),
}

async fn exchange(
    wire: Wire,
    address: &str,
    call: &Call,
    deadline: Instant,
) -> Result<Bytes, Failed> {
    let left = deadline.saturating_duration_since(Instant::now());
    let request = CallRequest {
        cluster: call.cluster,
        from: call.from,
        to: call.to,
        topic: call.topic as u32,
        body: call.body.clone(),
        timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1),
    };
    let mut client =
        NodeClient::with_origin(wire, Uri::from_static("https://node.hermod.internal"))
            .max_encoding_message_size(BODY_BYTES_MAX + OVERHEAD_BYTES)
            .max_decoding_message_size(BODY_BYTES_MAX + OVERHEAD_BYTES);
    let unknown = |reason: String| {
        Failed::Call(CallError::Unknown {
            address: address.to_owned(),
            reason,
        })
    };
    let reply = match timeout_at(deadline, client.call(request)).await {
        Err(_) => return Err(unknown("no answer in time".to_owned())),
        Ok(Err(status)) if is_unsent(&status) => {
            return Err(Failed::NotSent(status.message().to_owned()));
        }
        Ok(Err(status)) if status.metadata().contains_key(REFUSED) => {
            return Err(Failed::Call(refused(address, status.message())));
        }
        Ok(Err(status)) => return Err(unknown(status.message().to_owned())),
        Ok(Ok(reply)) => reply.into_inner(),
    };
    match reply.answer {
        Some(Answer::Body(body)) => Ok(body),
        Some(Answer::Refusal(reason)) => Err(Failed::Call(refused(address, reason))),
        None => Err(unknown("the answer is empty".to_owned())),
    }
}

fn is_unsent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn Error + Send + Sync>::is::<NotSent>) {
            return true;
        }
        source = error.source();
    }
    false
}

fn unreachable(address: &str, reason: impl Into<String>) -> CallError {
    CallError::Unreachable {
        address: address.to_owned(),
        reason: reason.into(),
    }
}

fn refused(address: &str, reason: impl Into<String>) -> CallError {
    CallError::Refused {
        address: address.to_owned(),
        reason: reason.into(),
    }
}
