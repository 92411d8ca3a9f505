//! Pushed requests that arrive at a node which does not own their workflow: handed to the owner over the cluster channel,
//! once, and answered with what the owner answers (I1).

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_api::{Forward, Forwarded, Whereabouts, answer_forwarded};
use hermod_sdk::PushProtocol;
use hermod_storage::{
    Event, Key, Kind, Read, Revision,
    channel::{Call, CallError, Handler, Topic},
    registry::{self, Entity, References},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    catalog,
    core::{Core, lease_of},
    leases::Leases,
    peers,
};
use crate::node::View;

/// Before what has changed is read: several changes come together.
const GATHER: Duration = Duration::from_millis(20);

/// Between two looks where nothing says that something has changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Between two times of asking where everything is known for a path that is not.
const CATCH_UP_EVERY: Duration = Duration::from_millis(100);

/// How long that may take.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(2);

/// When to come back while nobody owns the workflow.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Endpoint = (PushProtocol, String);

/// Which workflows are pushed to, and where.
#[derive(Default)]
pub(crate) struct Paths {
    known: RwLock<HashMap<Endpoint, BTreeSet<String>>>,
    /// By source: to find its endpoint its configuration is checked, so that is done once per revision.
    endpoints: Mutex<HashMap<String, (Revision, Option<Endpoint>)>>,
    /// When reading it anew has begun that was asked for.
    caught_up: tokio::sync::Mutex<Option<Instant>>,
}

impl Paths {
    /// Returns the workflow that has an endpoint.
    pub(super) fn workflow(&self, protocol: PushProtocol, path: &str) -> Option<String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let ids = known.get(&(protocol, path.to_owned()))?;
        ids.first().cloned()
    }

    /// Says why a workflow cannot have its endpoint: the first by id has it.
    pub(super) fn conflict(&self, workflow: &str) -> Option<String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut mine = known.iter().filter(|(_, ids)| ids.contains(workflow));
        mine.find_map(|((_, path), ids)| {
            let first = ids.first().filter(|first| *first != workflow)?;
            Some(format!("workflow `{first}` has the path `{path}` already"))
        })
    }

    /// Reads it anew.
    async fn read(&self, core: &Core) -> Result<(), registry::Error> {
        let registry = core.registry();
        let before = self.endpoints().clone();
        let mut endpoints = HashMap::new();
        for object in registry.all(Kind::Source).await? {
            let id = object.key.id.to_string();
            let known = before.get(&id).filter(|known| known.0 == object.version);
            let endpoint = if let Some((_, endpoint)) = known {
                endpoint.clone()
            } else {
                // A thread that reads many sources in a row would keep the store waiting.
                tokio::task::yield_now().await;
                catalog::push_path(&Entity::read(&object)?.document)
            };
            endpoints.insert(id, (object.version, endpoint));
        }
        let mut known: HashMap<Endpoint, BTreeSet<String>> = HashMap::new();
        for object in registry.all(Kind::Workflow).await? {
            let entity = Entity::read(&object)?;
            if !entity.is("active") {
                continue;
            }
            for source in References::of(&entity.document).sources {
                if let Some((_, Some(endpoint))) = endpoints.get(&source) {
                    let ids = known.entry(endpoint.clone()).or_default();
                    ids.insert(entity.id.to_string());
                }
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        *self.endpoints() = endpoints;
        Ok(())
    }

    fn endpoints(&self) -> MutexGuard<'_, HashMap<String, (Revision, Option<Endpoint>)>> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it as it is at the time of the call or later. Whoever asks meanwhile waits for the next turn.
    async fn catch_up(&self, core: &Core) -> Result<(), registry::Error> {
        let asked = Instant::now();
        let mut begun = self.caught_up.lock().await;
        if begun.is_some_and(|begun| begun >= asked) {
            return Ok(());
        }
        // I9: paths that nobody has keep the leader no busier than this.
        if let Some(begun) = *begun {
            sleep_until(begun + CATCH_UP_EVERY).await;
        }
        let now = Instant::now();
        let any = Key::new(Kind::Setting, "");
        core.store().get(&any, Read::Latest).await?;
        self.read(core).await?;
        *begun = Some(now);
        Ok(())
    }

    /// Keeps in step with the store until `stop`.
    pub(super) async fn follow(self: Arc<Self>, core: Arc<Core>, stop: CancellationToken) {
        let mut watch = core.store().watch();
        loop {
            if let Err(error) = self.read(&core).await {
                tracing::warn!(%error, "where workflows are pushed to cannot be read");
            }
            loop {
                let events = tokio::select! {
                    () = stop.cancelled() => return,
                    events = watch.changed() => events,
                    () = tokio::time::sleep(LOOK_EVERY) => break,
                };
                let matters = |event: &Event| match event {
                    Event::Object { key, .. } => matches!(key.kind, Kind::Workflow | Kind::Source),
                    Event::Lease { .. } => false,
                    Event::Lagged => true,
                };
                if events.iter().any(matters) {
                    tokio::time::sleep(GATHER).await;
                    break;
                }
            }
        }
    }
}

/// A request on its way to another node.
#[derive(Serialize, Deserialize)]
struct Addressed {
    workflow: String,
    /// The tenure that it is meant for (I5). A request that the network has held for long must not be taken in a later one:
    /// its sender has tried again meanwhile.
    epoch: u64,
    request: Forwarded,
}

/// Hands requests to other nodes.
pub(crate) struct Forwarder {
    core: Arc<Core>,
    paths: Arc<Paths>,
}

impl Forwarder {
    pub(super) fn new(core: Arc<Core>, paths: Arc<Paths>) -> Self {
        Self { core, paths }
    }

    /// Says whether a workflow has the endpoint. A node that knows of none asks again where everything is known: somebody
    /// may just have made it elsewhere, or this node has just started.
    pub(crate) async fn whereabouts(&self, protocol: PushProtocol, path: &str) -> Whereabouts {
        let known = || self.paths.workflow(protocol, path).is_some();
        if known() {
            return Whereabouts::Elsewhere;
        }
        match timeout(CATCH_UP_WITHIN, self.paths.catch_up(&self.core)).await {
            Ok(Ok(())) if known() => Whereabouts::Elsewhere,
            Ok(Ok(())) => Whereabouts::Nowhere,
            Ok(Err(_)) | Err(_) => Whereabouts::Unknown,
        }
    }

    pub(crate) async fn forward(&self, request: Forwarded) -> Forward {
        let Some(workflow) = self.paths.workflow(request.protocol, &request.path) else {
            return Forward::Nobody;
        };
        let unknown = Forward::OwnerUnknown {
            retry_after: RETRY_AFTER,
        };
        let Some(lease) = self.core.lease(&workflow).await else {
            return unknown;
        };
        let owner = lease.live_owner(self.core.store().now_ms());
        let Some(owner) = owner.filter(|owner| owner.node != self.core.owner.node) else {
            // It is starting here, or nobody has it.
            return unknown;
        };
        let Some(peer) = peers::find(&self.core, owner.node).await else {
            return unknown;
        };
        let timeout = Duration::from_millis(request.deadline_ms);
        let addressed = Addressed {
            workflow,
            epoch: lease.epoch,
            request,
        };
        let Ok(body) = postcard::to_allocvec(&addressed) else {
            return Forward::OwnerUnreachable;
        };
        let call = peers::call(&self.core, &peer, Topic::Push, body.into());
        match self
            .core
            .metadata
            .channel
            .call(&peer.address, call, timeout)
            .await
        {
            Ok(body) => match postcard::from_bytes(&body) {
                Ok(answer) => Forward::Answer(answer),
                Err(_) => Forward::OutcomeUnknown,
            },
            Err(CallError::Refused { .. }) => unknown,
            Err(CallError::Unreachable { .. }) => Forward::OwnerUnreachable,
            Err(CallError::Unknown { .. }) => Forward::OutcomeUnknown,
        }
    }
}

/// Answers requests that other nodes hand on.
pub(super) struct Answerer {
    // The view holds the forwarder, which must not hold it in turn.
    pub(super) view: Weak<View>,
    pub(super) leases: Arc<Leases>,
}

#[async_trait]
impl Handler for Answerer {
    async fn handle(&self, call: Call, timeout: Duration) -> Result<Bytes, String> {
        let addressed: Addressed = postcard::from_bytes(&call.body)
            .map_err(|error| format!("the request is not readable: {error}"))?;
        let (lease, mut request) = (lease_of(&addressed.workflow), addressed.request);
        if !self.leases.covers(&lease, addressed.epoch) {
            return Err("the workflow has moved; nothing of this request was kept".to_owned());
        }
        request.deadline_ms = request.deadline_ms.min(timeout.as_millis() as u64);
        let view = self.view.upgrade().ok_or("the node is stopping")?;
        let answer = answer_forwarded(&*view, request).await;
        postcard::to_allocvec(&answer)
            .map(Bytes::from)
            .map_err(|error| error.to_string())
    }
}
