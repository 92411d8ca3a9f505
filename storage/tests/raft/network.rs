//! A network in the process, whose ways can be cut.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_storage::channel::{Call, CallError, Channel, Handler, Topic};

/// All nodes' addresses, and which ways are cut.
#[derive(Default)]
pub(crate) struct Network {
    nodes: Mutex<HashMap<String, Weak<dyn Handler>>>,
    /// From, to.
    cut: Mutex<HashSet<(String, String)>>,
    /// Answers of these topics to this node are lost.
    lost: Mutex<HashSet<(String, Topic)>>,
    delay: Mutex<Duration>,
}

/// One node's end of it.
pub(crate) struct End {
    network: Arc<Network>,
    address: String,
}

impl Network {
    pub(crate) fn end(self: &Arc<Self>, address: &str) -> Arc<End> {
        Arc::new(End {
            network: Arc::clone(self),
            address: address.into(),
        })
    }

    pub(crate) fn listen(&self, address: &str, handler: &Arc<impl Handler>) {
        let handler: Arc<dyn Handler> = Arc::clone(handler) as _;
        let weak = Arc::downgrade(&handler);
        self.nodes.lock().unwrap().insert(address.into(), weak);
    }

    pub(crate) fn unplug(&self, address: &str) {
        self.nodes.lock().unwrap().remove(address);
    }

    /// Cuts a node off from all others, both ways.
    pub(crate) fn isolate(&self, address: &str) {
        let nodes = self.nodes.lock().unwrap();
        let mut cut = self.cut.lock().unwrap();
        for other in nodes.keys().filter(|other| *other != address) {
            cut.insert((address.into(), other.clone()));
            cut.insert((other.clone(), address.into()));
        }
    }

    /// Lets a node hear nothing of the others, which hear it.
    pub(crate) fn deafen(&self, address: &str) {
        let nodes = self.nodes.lock().unwrap();
        let mut cut = self.cut.lock().unwrap();
        for other in nodes.keys().filter(|other| *other != address) {
            cut.insert((other.clone(), address.into()));
        }
    }

    pub(crate) fn heal(&self) {
        self.cut.lock().unwrap().clear();
        self.lost.lock().unwrap().clear();
    }

    /// Loses the answers of a topic on the way to a node: what was asked for is done.
    pub(crate) fn lose_answers(&self, address: &str, topic: Topic) {
        self.lost.lock().unwrap().insert((address.into(), topic));
    }

    /// Holds each call and each answer back for so long.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        let cut = self.cut.lock().unwrap();
        cut.contains(&(from.into(), to.into()))
    }
}

#[async_trait]
impl Channel for End {
    async fn call(&self, address: &str, call: Call, timeout: Duration) -> Result<Bytes, CallError> {
        let unreachable = || CallError::Unreachable {
            address: address.into(),
            reason: "cut".into(),
        };
        let unknown = || CallError::Unknown {
            address: address.into(),
            reason: "lost".into(),
        };
        let delay = *self.network.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if self.network.is_cut(&self.address, address) {
            return Err(unreachable());
        }
        let handler = self.network.nodes.lock().unwrap().get(address).cloned();
        let handler = handler
            .and_then(|handler| handler.upgrade())
            .ok_or_else(unreachable)?;
        let topic = call.topic;
        let answer = handler.handle(call, timeout).await;
        drop(handler);
        tokio::time::sleep(delay).await;
        let lost = self.network.lost.lock().unwrap();
        if lost.contains(&(self.address.clone(), topic))
            || self.network.is_cut(address, &self.address)
        {
            return Err(unknown());
        }
        answer.map_err(|reason| CallError::Refused {
            address: address.into(),
            reason,
        })
    }
}
