//! The senders, and the ledger of what was acknowledged to them.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, ensure};

use super::{
    Options,
    check::Sent,
    message::{Messages, Name},
};
use crate::http::Connection;

/// Pause after a connection was refused or cut; a node is away for some ten milliseconds at a time.
const PAUSE: Duration = Duration::from_millis(2);

/// Pause after the node asked to come back later. Its `Retry-After` counts in whole seconds, longer than most
/// of its lives here.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// How long the last message of each connection may take once the node is left alone.
const LAST_WITHIN: Duration = Duration::from_mins(1);

/// Senders at work, one thread for each connection.
pub(super) struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<anyhow::Result<Part>>>,
}

/// What all senders together know.
#[derive(Debug)]
pub(super) struct Ledger {
    /// By key.
    pub(super) keys: Vec<Sent>,
    /// Requests that were sent again.
    pub(super) repeated: u64,
}

impl Ledger {
    pub(super) fn sent(&self) -> u64 {
        self.keys.iter().map(|key| key.sent).sum()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.keys.iter().map(|key| key.acknowledged).sum()
    }
}

struct Shared {
    node_port: u16,
    messages: Messages,
    acknowledged: AtomicU64,
    /// No message is begun any more; the last ones are sent until they are acknowledged.
    ending: AtomicBool,
    /// The run is over without a verdict.
    abandoned: AtomicBool,
    /// Why a sender gave up.
    failure: OnceLock<String>,
}

struct Part {
    keys: Vec<(usize, Sent)>,
    repeated: u64,
}

impl Load {
    pub(super) fn start(options: &Options, node_port: u16, messages: Messages) -> Self {
        let shared = Arc::new(Shared {
            node_port,
            messages,
            acknowledged: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            failure: OnceLock::new(),
        });
        let sender = |index: usize| {
            let keys = (index..options.keys).step_by(options.connections);
            let part = Part {
                keys: keys.map(|key| (key, Sent::default())).collect(),
                repeated: 0,
            };
            let shared = shared.clone();
            std::thread::spawn(move || {
                shared.send(part).inspect_err(|error| {
                    shared.failure.get_or_init(|| error.to_string());
                })
            })
        };
        let senders = (0..options.connections).map(sender).collect();
        Self { shared, senders }
    }

    /// Returns how many messages were acknowledged up to now.
    pub(super) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Acquire)
    }

    /// Fails if a sender has stopped, which it only does for an answer that leaves no verdict.
    pub(super) fn ensure_running(&self) -> anyhow::Result<()> {
        match self.shared.failure.get() {
            None => Ok(()),
            Some(failure) => bail!("a sender gave up: {failure}"),
        }
    }

    /// Lets each sender get its last message acknowledged, and returns what they know.
    pub(super) fn finish(mut self) -> anyhow::Result<Ledger> {
        self.shared.ending.store(true, Ordering::Release);
        let mut ledger = Ledger {
            keys: Vec::new(),
            repeated: 0,
        };
        for sender in std::mem::take(&mut self.senders) {
            let part = sender.join().map_err(|_| anyhow!("a sender panicked"))??;
            ledger.repeated += part.repeated;
            for (key, sent) in part.keys {
                ledger
                    .keys
                    .resize(ledger.keys.len().max(key + 1), Sent::default());
                ledger.keys[key] = sent;
            }
        }
        Ok(ledger)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
    }
}

impl Shared {
    /// Sends the messages of some keys in turn, each until it is acknowledged.
    fn send(&self, mut part: Part) -> anyhow::Result<Part> {
        let Part { keys, repeated } = &mut part;
        let mut connection = None;
        for turn in (0..keys.len()).cycle() {
            if self.ending.load(Ordering::Acquire) || self.abandoned.load(Ordering::Acquire) {
                break;
            }
            let (key, sent) = &mut keys[turn];
            sent.sent += 1;
            let attempts = self.until_acknowledged(
                Name {
                    key: *key,
                    n: sent.sent,
                },
                &mut connection,
            )?;
            *repeated += attempts - 1;
            sent.acknowledged = sent.sent;
            self.acknowledged.fetch_add(1, Ordering::Release);
        }
        Ok(part)
    }

    /// Sends one message until it is acknowledged; returns how often a request was sent.
    fn until_acknowledged(
        &self,
        name: Name,
        connection: &mut Option<Connection>,
    ) -> anyhow::Result<u64> {
        let (id, text) = (self.messages.id(name), self.messages.text(name));
        let head = format!(
            "POST /api/webhooks/prove HTTP/1.1\r\nContent-Type: application/json\r\nIdempotency-Key: {id}"
        );
        let (mut attempts, mut ending_since) = (0, None);
        loop {
            if self.abandoned.load(Ordering::Acquire) {
                bail!("the run was given up");
            }
            if self.ending.load(Ordering::Acquire) {
                let since = *ending_since.get_or_insert_with(Instant::now);
                ensure!(
                    since.elapsed() < LAST_WITHIN,
                    "message `{id}` is not acknowledged"
                );
            }
            if connection.is_none() {
                *connection = Connection::open(self.node_port).ok();
            }
            let Some(open) = connection else {
                std::thread::sleep(PAUSE);
                continue;
            };
            attempts += 1;
            let Ok(answer) = open.request(&head, &text) else {
                // Unknown outcome: the node may or may not have kept it, so the same message goes again.
                *connection = None;
                std::thread::sleep(PAUSE);
                continue;
            };
            if !answer.keeps_open() {
                *connection = None;
            }
            match answer.status {
                200 => return Ok(attempts),
                503 | 504 => std::thread::sleep(REFUSED_PAUSE),
                status => {
                    let body = String::from_utf8_lossy(&answer.body);
                    bail!("the node answers {status} to a valid message: {body}");
                }
            }
        }
    }
}
