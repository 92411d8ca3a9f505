//! A store that keeps nothing beyond its process.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;

use crate::{
    Answer, Entry, EntryQuery, Feed, Health, Key, Lease, Object, Operation, Range, Read, Role,
    State, Store, StoreError, StoreErrorKind, Watch, limits::SUBMISSION_BYTES_MAX,
};

/// A store in memory: for tests, and for a process that has nothing to keep.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    feed: Feed,
}

impl Memory {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError> {
        check_submission(&operations)?;
        let now_ms = wall_ms();
        let mut state = self.state();
        let mut answers = Vec::with_capacity(operations.len());
        for operation in &operations {
            let (answer, events) = state.apply(now_ms, operation);
            answers.push(answer);
            self.feed.publish(events);
        }
        Ok(answers)
    }

    async fn get(&self, key: &Key, _: Read) -> Result<Option<Object>, StoreError> {
        Ok(self.state().get(key).cloned())
    }

    async fn list(&self, range: &Range, _: Read) -> Result<Vec<Object>, StoreError> {
        Ok(self.state().list(range))
    }

    async fn lease(&self, name: &str, _: Read) -> Result<Option<Lease>, StoreError> {
        Ok(self.state().lease(name).cloned())
    }

    async fn leases(&self, _: Read) -> Result<Vec<Lease>, StoreError> {
        Ok(self.state().leases().cloned().collect())
    }

    async fn entries(&self, query: &EntryQuery, _: Read) -> Result<Vec<Entry>, StoreError> {
        Ok(self.state().entries(query))
    }

    fn watch(&self) -> Watch {
        self.feed.watch()
    }

    fn now_ms(&self) -> u64 {
        self.state().now_ms().max(wall_ms())
    }

    fn health(&self) -> Health {
        let state = self.state();
        Health {
            writable: true,
            role: Role::Leader,
            age: Duration::ZERO,
            revision: state.revision(),
            entries: state.entry_count(),
            reason: None,
        }
    }

    async fn close(&self) {}
}

/// Refuses a submission that is too large, before anything else sees it.
pub(crate) fn check_submission(operations: &[Operation]) -> Result<(), StoreError> {
    let bytes: usize = operations.iter().map(Operation::weight).sum();
    if bytes > SUBMISSION_BYTES_MAX {
        let message = format!(
            "a submission of {bytes} bytes is larger than {SUBMISSION_BYTES_MAX}; split it"
        );
        return Err(StoreError::new(StoreErrorKind::Invalid, message));
    }
    Ok(())
}

/// Returns the machine's clock in milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
