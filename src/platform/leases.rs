//! The leases that this process holds: taken, renewed in time, and given up before they can end (I5).
//!
//! An owner counts from before it asked, by a clock that runs on while the machine is suspended. A lease that is not
//! renewed until `TTL - max(1 s, TTL / 10)` is lost: whoever works under it is told, and stops.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hermod_storage::{Answer, Grant, Operation, Owner, Refusal, Store, StoreError, StoreErrorKind};
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio_util::sync::CancellationToken;

/// How often is looked whether one is to be renewed.
const RENEW_TICK: Duration = Duration::from_millis(250);

/// How often is looked whether one is lost. This needs nothing but the clock.
const WATCH_TICK: Duration = Duration::from_millis(100);

/// The leases of this process.
pub(super) struct Leases {
    store: Arc<dyn Store>,
    owner: Owner,
    ttl: Duration,
    worker: String,
    metrics: Metrics,
    held: Mutex<HashMap<String, Held>>,
}

struct Held {
    epoch: u64,
    /// The first epoch of this node's unbroken tenure.
    since: u64,
    /// When the last request that was granted was made, by [`boot_time`].
    asked: Duration,
    lost: CancellationToken,
}

/// A lease that was taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) grant: Grant,
    /// Cancelled when the lease is not held any more.
    pub(super) lost: CancellationToken,
}

/// Figures of the leases, under the names that users of the original know.
struct Metrics {
    acquired: IntCounterVec,
    stolen: IntCounterVec,
    renew_errors: IntCounterVec,
    owned: IntGaugeVec,
}

impl Metrics {
    fn register(registry: &Registry, worker: &str) -> prometheus::Result<Self> {
        let counter =
            |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["worker_id"]);
        let metrics = Self {
            acquired: counter("hermod_lease_acquire_total", "Leases that were taken")?,
            stolen: counter(
                "hermod_lease_steal_total",
                "Leases that were taken after another node had let them run out",
            )?,
            renew_errors: counter("hermod_lease_renew_errors_total", "Renewals that failed")?,
            owned: IntGaugeVec::new(
                Opts::new(
                    "hermod_worker_leases_owned_total",
                    "Leases that this worker holds",
                ),
                &["worker_id"],
            )?,
        };
        for counter in [&metrics.acquired, &metrics.stolen, &metrics.renew_errors] {
            registry.register(Box::new(counter.clone()))?;
            counter.with_label_values(&[worker]);
        }
        registry.register(Box::new(metrics.owned.clone()))?;
        metrics.owned.with_label_values(&[worker]);
        Ok(metrics)
    }
}

impl Leases {
    pub(super) fn new(
        store: Arc<dyn Store>,
        owner: Owner,
        ttl: Duration,
        worker: &str,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        Ok(Self {
            store,
            owner,
            ttl,
            worker: worker.to_owned(),
            metrics: Metrics::register(registry, worker)?,
            held: Mutex::default(),
        })
    }

    /// Takes a lease; `None` where another node holds it.
    pub(super) async fn take(&self, name: &str) -> Result<Option<Taken>, StoreError> {
        let asked = boot_time();
        let acquire = Operation::Acquire {
            lease: name.into(),
            owner: self.owner.clone(),
            ttl_ms: self.ttl.as_millis() as u64,
        };
        let answers = self.store.submit(vec![acquire]).await?;
        let grant = match answers.into_iter().next() {
            Some(Answer::Granted(grant)) => grant,
            Some(Answer::Refused(Refusal::Held(_))) => return Ok(None),
            // No room for more leases, or a name that breaks a limit: waiting mends neither.
            Some(Answer::Refused(refusal)) => {
                let message = format!("lease `{name}`: {refusal}");
                return Err(StoreError::new(StoreErrorKind::Invalid, message));
            }
            other => {
                let message = format!("lease `{name}`: the store has answered {other:?}");
                return Err(StoreError::new(StoreErrorKind::Unknown, message));
            }
        };
        let worker = [&*self.worker];
        self.metrics.acquired.with_label_values(&worker).inc();
        if grant.stolen_from.is_some() {
            self.metrics.stolen.with_label_values(&worker).inc();
        }
        let lost = CancellationToken::new();
        let held = Held {
            epoch: grant.epoch,
            since: grant.since,
            asked,
            lost: lost.clone(),
        };
        if let Some(before) = self.lock().insert(name.to_owned(), held) {
            // Whoever worked under the older epoch must not go on.
            before.lost.cancel();
        }
        self.count();
        Ok(Some(Taken { grant, lost }))
    }

    /// Gives a lease back. It is this process's no more, also where the store does not answer.
    pub(super) async fn release(&self, name: &str) {
        let Some(held) = self.lock().remove(name) else {
            return;
        };
        held.lost.cancel();
        self.count();
        let release = Operation::Release {
            lease: name.into(),
            owner: self.owner.clone(),
            epoch: held.epoch,
        };
        let limit = self.ttl / 4;
        match tokio::time::timeout(limit, self.store.submit(vec![release])).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(lease = name, %error, "a lease was not given back; it runs out");
            }
            Err(_) => tracing::warn!(
                lease = name,
                "the store has not taken a lease back in time; it runs out"
            ),
        }
    }

    /// Returns whether a lease is held, and was without a break under an epoch (I5).
    pub(super) fn covers(&self, name: &str, epoch: u64) -> bool {
        let held = self.lock();
        held.get(name)
            .is_some_and(|held| (held.since..=held.epoch).contains(&epoch))
    }

    /// Returns how many are held, and whether all were renewed in time.
    pub(super) fn state(&self) -> (usize, bool) {
        let now = boot_time();
        let held = self.lock();
        let late = |lease: &Held| now.saturating_sub(lease.asked) > self.ttl * 3 / 4;
        (held.len(), !held.values().any(late))
    }

    /// Renews what is due, until `stop`.
    pub(super) async fn renew(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RENEW_TICK) => {}
            }
            let asked = boot_time();
            let due: Vec<(String, u64)> = self
                .lock()
                .iter()
                .filter(|(_, held)| asked.saturating_sub(held.asked) + RENEW_TICK >= self.ttl / 2)
                .map(|(name, held)| (name.clone(), held.epoch))
                .collect();
            for part in due.chunks(RENEWALS_MAX) {
                self.renew_some(part, asked).await;
            }
        }
    }

    async fn renew_some(&self, due: &[(String, u64)], asked: Duration) {
        let operations = due.iter().map(|(name, epoch)| Operation::Renew {
            lease: name.as_str().into(),
            owner: self.owner.clone(),
            epoch: *epoch,
            ttl_ms: self.ttl.as_millis() as u64,
        });
        let submitted = self.store.submit(operations.collect());
        // I5: every call has a time limit, and there are several within the lease's life.
        let answers = match tokio::time::timeout(self.ttl / 5, submitted).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => return self.not_renewed(due, &error),
            Err(_) => return self.not_renewed(due, &"no answer in time"),
        };
        let mut held = self.lock();
        for ((name, epoch), answer) in due.iter().zip(answers) {
            let Some(lease) = held.get_mut(name).filter(|lease| lease.epoch == *epoch) else {
                continue;
            };
            match answer {
                Answer::Renewed { .. } => lease.asked = asked,
                Answer::Refused(refusal @ (Refusal::Stale { .. } | Refusal::Held(_))) => {
                    tracing::error!(lease = name, %refusal, "a lease was lost to another owner");
                    if let Some(lease) = held.remove(name) {
                        lease.lost.cancel();
                    }
                }
                other => {
                    tracing::warn!(lease = name, answer = ?other, "a lease was not renewed; trying again");
                    self.metrics
                        .renew_errors
                        .with_label_values(&[&*self.worker])
                        .inc();
                }
            }
        }
        drop(held);
        self.count();
    }

    fn not_renewed(&self, due: &[(String, u64)], reason: &dyn std::fmt::Display) {
        tracing::warn!(leases = due.len(), %reason, "leases were not renewed; trying again");
        self.metrics
            .renew_errors
            .with_label_values(&[&*self.worker])
            .inc_by(due.len() as u64);
    }

    /// Gives up what could not be renewed in time, until `stop`.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let margin = (self.ttl / 10).max(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(WATCH_TICK) => {}
            }
            let now = boot_time();
            let mut lost = Vec::new();
            self.lock().retain(|name, held| {
                let holds = now.saturating_sub(held.asked) + margin < self.ttl;
                if !holds {
                    held.lost.cancel();
                    lost.push(name.clone());
                }
                holds
            });
            for lease in &lost {
                // I5: stopped before another node can hold it.
                tracing::error!(
                    lease,
                    "a lease could not be renewed in time and is given up"
                );
            }
            if !lost.is_empty() {
                self.count();
            }
        }
    }

    fn count(&self) {
        let owned = self.lock().len();
        self.metrics
            .owned
            .with_label_values(&[&*self.worker])
            .set(i64::try_from(owned).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renewals in one command at most.
const RENEWALS_MAX: usize = 1000;

/// Time since the machine was started, suspension included.
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
}

#[cfg(test)]
mod tests {
    use hermod_storage::Memory;

    use super::*;

    fn leases(store: &Arc<Memory>, node: u64) -> Leases {
        let owner = Owner { node, start: 1 };
        let ttl = Duration::from_secs(10);
        Leases::new(store.clone(), owner, ttl, "worker", &Registry::new()).unwrap()
    }

    #[tokio::test]
    async fn i5_a_tenure_covers_no_epoch_from_before_another_node_had_the_lease() {
        let store = Arc::new(Memory::new());
        let (ours, theirs) = (leases(&store, 1), leases(&store, 2));
        let first = ours.take("l").await.unwrap().unwrap().grant.epoch;
        let again = ours.take("l").await.unwrap().unwrap().grant.epoch;
        assert!(ours.covers("l", first) && ours.covers("l", again));
        assert!(!ours.covers("l", again + 1) && !theirs.covers("l", again));
        ours.release("l").await;
        assert!(!ours.covers("l", again));
        let other = theirs.take("l").await.unwrap().unwrap().grant.epoch;
        theirs.release("l").await;
        let last = ours.take("l").await.unwrap().unwrap().grant.epoch;
        assert!(ours.covers("l", last));
        assert!(!ours.covers("l", again) && !ours.covers("l", other));
    }
}
