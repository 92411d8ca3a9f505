//! Several handlers behind one listener.

use std::{
    collections::BTreeMap,
    fmt, iter,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Call, Handler, Topic};

/// Who may ask, and is meant.
///
/// TLS has shown that the sender knows the cluster secret. What it says of itself, and whom it means, is checked here.
pub trait Gate: Send + Sync + 'static {
    /// Lets a call in, or refuses it with a reason that its sender may read.
    fn admit(&self, call: &Call) -> Result<(), String>;
}

/// Answers calls by their topic: each has one handler, and a topic that has none is refused.
///
/// It is made before what answers, so that an address that is taken shows before a store is opened. Until
/// [`admit_by`](Self::admit_by) every call is refused: its sender knows then that nothing was done, and tries again.
#[derive(Default)]
pub struct Router {
    routes: RwLock<Routes>,
}

#[derive(Default)]
struct Routes {
    gate: Option<Arc<dyn Gate>>,
    handlers: BTreeMap<Topic, Arc<dyn Handler>>,
}

impl Router {
    /// Makes one that refuses everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers calls about these topics with a handler, in the place of any before.
    pub fn route(&self, topics: &[Topic], handler: Arc<dyn Handler>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let handlers = iter::repeat_n(handler, topics.len());
        routes.handlers.extend(topics.iter().copied().zip(handlers));
    }

    /// Lets in who passes this gate, whatever the topic: no handler is asked by a stranger.
    pub fn admit_by(&self, gate: Arc<dyn Gate>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.gate = Some(gate);
    }

    /// Refuses everything from now on, and lets go of what has answered. Calls under way go on.
    pub fn clear(&self) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *routes);
        drop(routes);
        // Outside of the lock: a handler may be dropped for good here.
        drop(before);
    }

    fn find(&self, call: &Call) -> Result<Arc<dyn Handler>, String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let Some(gate) = &routes.gate else {
            return Err("the node is starting or stopping".to_owned());
        };
        gate.admit(call)?;
        let handler = routes.handlers.get(&call.topic).cloned();
        handler.ok_or_else(|| format!("nothing answers `{:?}` here", call.topic))
    }
}

#[async_trait]
impl Handler for Router {
    async fn handle(&self, call: Call, timeout: Duration) -> Result<Bytes, String> {
        let handler = self.find(&call)?;
        handler.handle(call, timeout).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Router")
            .field("open", &routes.gate.is_some())
            .field("topics", &routes.handlers.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(&'static str);

    #[async_trait]
    impl Handler for Says {
        async fn handle(&self, _: Call, _: Duration) -> Result<Bytes, String> {
            Ok(self.0.into())
        }
    }

    struct Cluster(u64);

    impl Gate for Cluster {
        fn admit(&self, call: &Call) -> Result<(), String> {
            let known = call.cluster == self.0;
            known.then_some(()).ok_or_else(|| "a stranger".into())
        }
    }

    async fn ask(router: &Router, cluster: u64, topic: Topic) -> Result<Bytes, String> {
        let call = Call {
            cluster,
            from: 1,
            to: 2,
            topic,
            body: Bytes::new(),
        };
        router.handle(call, Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn each_topic_has_its_handler_and_strangers_reach_none() {
        let router = Router::new();
        router.route(&[Topic::Submit, Topic::Push], Arc::new(Says("store")));
        router.route(&[Topic::Push], Arc::new(Says("node")));
        ask(&router, 7, Topic::Submit).await.unwrap_err();
        router.admit_by(Arc::new(Cluster(7)));
        assert_eq!(ask(&router, 7, Topic::Submit).await.unwrap(), "store");
        assert_eq!(ask(&router, 7, Topic::Push).await.unwrap(), "node");
        let refused = ask(&router, 8, Topic::Push).await.unwrap_err();
        assert_eq!(refused, "a stranger");
        let refused = ask(&router, 7, Topic::Question).await.unwrap_err();
        assert_eq!(refused, "nothing answers `Question` here");
        router.clear();
        ask(&router, 7, Topic::Submit).await.unwrap_err();
    }
}
