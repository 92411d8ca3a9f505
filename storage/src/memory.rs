//! A store that keeps nothing beyond its process.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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
    closed: AtomicBool,
}

impl Memory {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state as long as the store is open.
    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::new(
                StoreErrorKind::Stopped,
                "the store is closed",
            ));
        }
        Ok(state)
    }
}

#[async_trait]
impl Store for Memory {
    async fn submit(&self, operations: Vec<Operation>) -> Result<Vec<Answer>, StoreError> {
        check_submission(&operations)?;
        let now_ms = wall_ms();
        let mut state = self.open()?;
        let mut answers = Vec::with_capacity(operations.len());
        for operation in &operations {
            let (answer, events) = state.apply(now_ms, operation);
            answers.push(answer);
            self.feed.publish(events);
        }
        Ok(answers)
    }

    async fn get(&self, key: &Key, _: Read) -> Result<Option<Object>, StoreError> {
        Ok(self.open()?.get(key).cloned())
    }

    async fn list(&self, range: &Range, _: Read) -> Result<Vec<Object>, StoreError> {
        Ok(self.open()?.list(range))
    }

    async fn lease(&self, name: &str, _: Read) -> Result<Option<Lease>, StoreError> {
        Ok(self.open()?.lease(name).cloned())
    }

    async fn leases(&self, _: Read) -> Result<Vec<Lease>, StoreError> {
        Ok(self.open()?.leases().cloned().collect())
    }

    async fn entries(&self, query: &EntryQuery, _: Read) -> Result<Vec<Entry>, StoreError> {
        Ok(self.open()?.entries(query))
    }

    fn watch(&self) -> Watch {
        self.feed.watch()
    }

    fn now_ms(&self) -> u64 {
        self.state().now_ms().max(wall_ms())
    }

    fn health(&self) -> Health {
        let state = self.state();
        let closed = self.closed.load(Ordering::Acquire);
        Health {
            writable: !closed,
            role: Role::Leader,
            age: Duration::ZERO,
            revision: state.revision(),
            entries: state.entry_count(),
            reason: closed.then(|| "the store is closed".to_owned()),
        }
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Expect, Kind, Refusal, Transaction, limits::DOCUMENT_BYTES_MAX};

    fn key() -> Key {
        Key::new(Kind::Setting, "a")
    }

    fn put(expect: Expect, document: impl Into<bytes::Bytes>) -> Vec<Operation> {
        vec![Operation::Commit(Transaction::new().put(
            key(),
            expect,
            document,
        ))]
    }

    #[tokio::test]
    async fn what_was_written_is_read_and_told() {
        let store = Memory::new();
        let mut watch = store.watch();
        let answers = store.submit(put(Expect::Absent, "1")).await.unwrap();
        let object = store.get(&key(), Read::Latest).await.unwrap().unwrap();
        assert_eq!(object.document, "1");
        let revision = object.version;
        assert_eq!(answers, [Answer::Committed { revision }]);
        let told = Event::Object {
            revision,
            key: key(),
        };
        assert_eq!(watch.changed().await, [told]);
        let again = store.submit(put(Expect::Absent, "2")).await.unwrap();
        assert!(matches!(
            again[..],
            [Answer::Refused(Refusal::Conflict { .. })]
        ));
    }

    #[tokio::test]
    async fn i9_a_submission_that_is_too_large_does_nothing() {
        let store = Memory::new();
        let large = || vec![b'x'; DOCUMENT_BYTES_MAX];
        let mut operations = put(Expect::Any, large());
        operations.extend(put(Expect::Any, large()));
        let error = store.submit(operations).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Invalid);
        assert_eq!(store.get(&key(), Read::Local).await.unwrap(), None);
        store.submit(put(Expect::Any, large())).await.unwrap();
    }

    #[tokio::test]
    async fn a_closed_store_answers_nothing() {
        let store = Memory::new();
        store.close().await;
        let error = store.submit(put(Expect::Any, "1")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Stopped);
        let error = store.get(&key(), Read::Local).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Stopped);
        assert!(!store.health().writable);
    }
}
