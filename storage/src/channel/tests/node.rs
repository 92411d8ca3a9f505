//! A node to be called, on a real socket.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::channel::{Call, CallError, Channel as _, Connections, Counters, Handler, Identity};
use crate::channel::{Listener, Topic};

pub(super) const SECRET: &[u8] = b"correct horse battery staple";

/// Long enough for every call that is answered.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn identity() -> Identity {
    Identity::from_secret(SECRET, "a").unwrap()
}

pub(super) fn stranger() -> Identity {
    Identity::from_secret(b"another secret of another cluster", "b").unwrap()
}

pub(super) fn call(topic: Topic, body: impl Into<Bytes>) -> Call {
    Call {
        cluster: u64::MAX,
        from: 1,
        to: 2,
        topic,
        body: body.into(),
    }
}

/// Answers each topic in its own way.
#[derive(Default)]
pub(super) struct Script {
    /// Calls that wait, being never answered.
    pub(super) waiting: Arc<AtomicUsize>,
    /// Lets go of the calls that wait.
    pub(super) release: CancellationToken,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, call: Call, timeout: Duration) -> Result<Bytes, String> {
        match call.topic {
            Topic::Hello => {
                let said = format!("{call:?}, {}", timeout <= PATIENCE && !timeout.is_zero());
                Ok(said.into())
            }
            Topic::Submit | Topic::Push => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let _waiting = Waiting(&self.waiting);
                self.release.cancelled().await;
                Ok(call.body)
            }
            Topic::Membership => Err("not the leader".to_owned()),
            Topic::StoreKey => panic!("asked for the key"),
            Topic::Question => {
                let bytes: usize = String::from_utf8_lossy(&call.body).parse().unwrap();
                Ok(vec![7; bytes].into())
            }
            _ => Ok(call.body),
        }
    }
}

pub(super) struct Node {
    pub(super) address: String,
    pub(super) counters: Arc<Counters>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) release: CancellationToken,
    cancel: CancellationToken,
    task: JoinSet<()>,
}

impl Node {
    pub(super) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(super) async fn start_at(address: &str) -> Self {
        let script = Script::default();
        let waiting = Arc::clone(&script.waiting);
        let release = script.release.clone();
        let listener = Listener::bind(address, &identity(), Arc::new(script))
            .await
            .unwrap();
        let cancel = CancellationToken::new();
        let address = listener.local_addr().to_string();
        let counters = listener.counters();
        let mut task = JoinSet::new();
        task.spawn(listener.run(cancel.clone()));
        Self {
            address,
            counters,
            waiting,
            release,
            cancel,
            task,
        }
    }

    pub(super) fn stopping(&self) {
        self.cancel.cancel();
    }

    pub(super) async fn stop(mut self) {
        self.cancel.cancel();
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap();
        }
    }

    /// Ends it as a crash would: nothing is drained.
    pub(super) async fn crash(mut self) {
        self.task.shutdown().await;
    }

    pub(super) async fn waits_for(&self, calls: usize) {
        eventually(|| self.waiting.load(Ordering::SeqCst) == calls).await;
    }

    pub(super) async fn echo(&self, from: &Connections, body: &str) -> Result<Bytes, CallError> {
        let call = call(Topic::RaftAppend, body.to_owned());
        from.call(&self.address, call, PATIENCE).await
    }
}

/// Polls until it holds.
pub(super) async fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come to hold");
        sleep(Duration::from_millis(5)).await;
    }
}
