//! The group as a store.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Raft, calls::Wished, membership, reads};
use crate::{
    Answer, Entry, EntryQuery, Health, Key, Lease, Object, Operation, Range, Read, State, Store,
    StoreError, StoreErrorKind, Watch,
};

impl Raft {
    async fn read(&self, read: Read) -> Result<State, StoreError> {
        self.check()?;
        if read == Read::Latest {
            reads::catch_up(&self.node).await?;
        }
        let state = self.node.machine.state();
        // What a panic left half done must not be seen.
        self.check()?;
        Ok(state)
    }

    fn check(&self) -> Result<(), StoreError> {
        let draining = self.node.draining.load(Ordering::Acquire);
        let draining = draining.then(|| "the store is being closed".into());
        match self.node.stopped().or(draining) {
            Some(reason) => Err(StoreError::new(StoreErrorKind::Stopped, reason)),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Raft {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError> {
        self.check()?;
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + self.node.options.write_timeout;
        let submitted = self.node.queue.submit(operations, deadline).await;
        if let Err(error) = &submitted
            && error.kind() == StoreErrorKind::Unavailable
        {
            // Closed meanwhile, it will never be available: to try again is no use.
            self.check()?;
        }
        submitted.map(|(_, answers)| answers)
    }

    async fn get(&self, key: &Key, read: Read) -> Result<Option<Object>, StoreError> {
        Ok(self.read(read).await?.get(key).cloned())
    }

    async fn list(&self, range: &Range, read: Read) -> Result<Vec<Object>, StoreError> {
        Ok(self.read(read).await?.list(range))
    }

    async fn lease(&self, name: &str, read: Read) -> Result<Option<Lease>, StoreError> {
        Ok(self.read(read).await?.lease(name).cloned())
    }

    async fn leases(&self, read: Read) -> Result<Vec<Lease>, StoreError> {
        Ok(self.read(read).await?.leases().cloned().collect())
    }

    async fn entries(&self, query: &EntryQuery, read: Read) -> Result<Vec<Entry>, StoreError> {
        Ok(self.read(read).await?.entries(query))
    }

    fn watch(&self) -> Watch {
        self.node.machine.feed().watch()
    }

    fn now_ms(&self) -> u64 {
        let applied = self.node.machine.held().state.now_ms();
        applied.max(self.node.now_ms())
    }

    fn health(&self) -> Health {
        self.node.health()
    }

    async fn close(&self) {
        let node = &self.node;
        if node.draining.swap(true, Ordering::AcqRel) {
            node.tasks.wait().await;
            return;
        }
        self.hand_over().await;
        node.queue.drained(node.options.write_timeout).await;
        node.closing.store(true, Ordering::Release);
        node.cancel.cancel();
        node.machine.close();
        if let Err(error) = node.raft.shutdown().await {
            tracing::error!(%error, "the core of the group has panicked");
        }
        node.tasks.close();
        node.tasks.wait().await;
        let log = node.log.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || log.close()).await {
            tracing::error!(%error, "closing the log has panicked");
        }
    }
}

impl Raft {
    /// Hands leadership over before it stops, so that the others wait for no election.
    async fn hand_over(&self) {
        let node = &self.node;
        let metrics = node.metrics();
        let voters = metrics.membership_config.membership().voter_ids().count();
        let leads = metrics.current_leader == Some(node.id);
        if !leads || voters < 2 || node.stopped().is_some() {
            return;
        }
        let timings = &node.options.timings;
        let deadline = Instant::now() + timings.election_max * 5;
        let handed = tokio::select! {
            handed = membership::transfer(node, None, deadline) => handed,
            () = sleep(timings.election_max * 5) => Wished::Busy {
                reason: "it took too long".into(),
            },
        };
        if handed != Wished::Done {
            tracing::warn!(?handed, "leadership was not handed over before the end");
        }
    }
}
