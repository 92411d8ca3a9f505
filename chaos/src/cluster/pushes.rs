//! Senders that push through the balancer, each message until it is acknowledged.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};

use super::{
    client::Client,
    history::{Clock, First, Micros},
};

/// How long a sender waits for an answer before it takes the outcome for unknown.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Between two messages of a sender: the load is there to be lost, not to measure speed.
const PACE: Duration = Duration::from_millis(15);

/// After an answer that asks to come back, and after a cut connection.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the last messages may take once all nodes are left alone.
const LAST_WITHIN: Duration = Duration::from_mins(1);

/// A message, as its sender knows it. Its key and number are its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Push {
    pub(super) key: u32,
    pub(super) n: u64,
    /// How often it was sent.
    pub(super) attempts: u32,
    pub(super) began: Micros,
    /// When it was acknowledged.
    pub(super) acknowledged: Option<Micros>,
}

/// What the senders know in the end.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) pushes: Vec<Push>,
    /// How often each answer came; 0 stands for none.
    pub(super) answers: BTreeMap<u16, u64>,
}

/// Senders at work.
pub(super) struct Pushes {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<anyhow::Result<Sent>>>,
}

struct Shared {
    balancer: SocketAddr,
    clock: Clock,
    first: First,
    acknowledged: AtomicU64,
    ending: AtomicBool,
    abandoned: AtomicBool,
}

impl Pushes {
    /// Starts senders; each has keys of its own.
    pub(super) fn start(balancer: SocketAddr, clock: Clock, senders: u32, keys: u32) -> Self {
        let shared = Arc::new(Shared {
            balancer,
            clock,
            first: First::default(),
            acknowledged: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        });
        let sender = |index: u32| {
            let keys: Vec<u32> = (index..keys).step_by(senders as usize).collect();
            let shared = shared.clone();
            std::thread::spawn(move || shared.send(&keys))
        };
        let senders = (0..senders).map(sender).collect();
        Self { shared, senders }
    }

    /// The first acknowledgement of a message that was sent after a moment.
    pub(super) fn first(&self) -> &First {
        &self.shared.first
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Acquire)
    }

    /// Lets each sender get its last message acknowledged.
    pub(super) fn finish(mut self) -> anyhow::Result<Sent> {
        self.shared.ending.store(true, Ordering::Release);
        let mut all = Sent::default();
        for sender in std::mem::take(&mut self.senders) {
            let part = sender.join().map_err(|_| anyhow!("a sender panicked"))??;
            all.pushes.extend(part.pushes);
            for (status, count) in part.answers {
                *all.answers.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
    }
}

impl Shared {
    fn send(&self, keys: &[u32]) -> anyhow::Result<Sent> {
        let mut sent = Sent::default();
        let mut client = Client::new(self.balancer, "").within(ANSWER_WITHIN);
        for n in 1.. {
            for key in keys {
                if self.ending.load(Ordering::Acquire) || self.abandoned.load(Ordering::Acquire) {
                    return Ok(sent);
                }
                let push = self.until_acknowledged(*key, n, &mut client, &mut sent.answers)?;
                sent.pushes.push(push);
                std::thread::sleep(PACE);
            }
        }
        Ok(sent)
    }

    fn until_acknowledged(
        &self,
        key: u32,
        n: u64,
        client: &mut Client,
        answers: &mut BTreeMap<u16, u64>,
    ) -> anyhow::Result<Push> {
        let headers = format!("\r\nIdempotency-Key: {}", id(key, n));
        let body = format!("{{\"key\":\"k{key}\",\"n\":{n}}}");
        let mut push = Push {
            key,
            n,
            attempts: 0,
            began: self.clock.now(),
            acknowledged: None,
        };
        let mut ending_since = None;
        while !self.abandoned.load(Ordering::Acquire) {
            if self.ending.load(Ordering::Acquire) {
                let since = *ending_since.get_or_insert_with(Instant::now);
                ensure!(
                    since.elapsed() < LAST_WITHIN,
                    "message `{}` is not acknowledged by a healthy cluster",
                    id(key, n)
                );
            }
            push.attempts += 1;
            let began = self.clock.now();
            let answer = client.call("POST", "/api/webhooks/chaos", &headers, &body);
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            *answers.entry(status).or_default() += 1;
            if status == 200 {
                let now = self.clock.now();
                push.acknowledged = Some(now);
                self.first.succeeded(began, now);
                self.acknowledged.fetch_add(1, Ordering::Release);
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(push)
    }
}

/// The id of a message.
pub(super) fn id(key: u32, n: u64) -> String {
    format!("k{key}-{n}")
}
