//! What the parts of a store in this process know together.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::rows::Head;
use crate::{Event, Feed, Health, Role, StoreError, StoreErrorKind, memory::wall_ms};

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    file: FileId,
    feed: Feed,
    known: Mutex<Known>,
    /// Why the store is not to be trusted any more.
    stopped: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Known {
    /// How far the database is; changes before its `next_change` have been told.
    head: Head,
    /// When the database last answered.
    heard: Instant,
    /// Why the last write was not taken.
    blocked: Option<String>,
}

impl Shared {
    pub(super) fn new(path: &Path, file: FileId, head: Head) -> Self {
        let known = Known {
            head,
            heard: Instant::now(),
            blocked: None,
        };
        Self {
            path: path.to_owned(),
            file,
            feed: Feed::new(),
            known: Mutex::new(known),
            stopped: watch::Sender::new(None),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Returns the number of the first change that has not been told.
    pub(super) fn next_change(&self) -> u64 {
        self.known().head.next_change
    }

    /// Tells what has changed, once: `changes` are all between what was known before and `head`.
    pub(super) fn announce(&self, head: Head, changes: Vec<(u64, Event)>) {
        let mut known = self.known();
        known.heard = Instant::now();
        let next = known.head.next_change;
        let now_ms = known.head.counters.now_ms.max(head.counters.now_ms);
        let how_far = |head: &Head| (head.next_change, head.counters.revision);
        // Another snapshot, taken later, may have been told already.
        if how_far(&head) >= how_far(&known.head) {
            known.head = head;
        }
        known.head.counters.now_ms = now_ms;
        let first = changes.first().map_or(head.next_change, |(at, _)| *at);
        // Told under the lock, so that two who tell do not tell out of order.
        if first > next {
            self.feed.reset();
        } else {
            let news = changes.into_iter().filter(|(at, _)| *at >= next);
            self.feed.publish(news.map(|(_, event)| event));
        }
    }

    pub(super) fn heard(&self) {
        self.known().heard = Instant::now();
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.known().blocked.is_some()
    }

    pub(super) fn set_blocked(&self, reason: Option<String>) {
        let mut known = self.known();
        if let (Some(reason), None) = (&reason, &known.blocked) {
            tracing::warn!(path = %self.path.display(), reason, "the store takes no writes");
        } else if reason.is_none() && known.blocked.is_some() {
            tracing::info!(path = %self.path.display(), "the store takes writes again");
        }
        known.blocked = reason;
    }

    /// Marks the store as not to be trusted any more.
    pub(super) fn stop(&self, error: &StoreError) {
        let mut reason = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            reason = format!("{reason}: {source}");
        }
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                tracing::error!(path = %self.path.display(), reason, "the store has stopped");
                *stopped = Some(reason);
            }
            first
        });
    }

    pub(super) fn is_sound(&self) -> Result<(), StoreError> {
        match &*self.stopped.borrow() {
            None => Ok(()),
            Some(reason) => Err(StoreError::new(StoreErrorKind::Stopped, reason)),
        }
    }

    pub(super) async fn failed(&self) -> StoreError {
        let mut stopped = self.stopped.subscribe();
        // The sender lives as long as this.
        let reason = match stopped.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        };
        StoreError::new(StoreErrorKind::Stopped, reason)
    }

    /// Makes sure that the file that is written is still the one that others find under its name.
    pub(super) async fn is_in_place(&self) -> Result<(), StoreError> {
        let lost = |why: String| {
            let path = self.path.display();
            let message = format!("the database file `{path}` {why} while it was in use");
            StoreError::new(StoreErrorKind::Stopped, message)
        };
        match tokio::fs::metadata(&self.path).await {
            Ok(metadata) if FileId::of(&metadata) == self.file => Ok(()),
            Ok(_) => Err(lost("was replaced by another".to_owned())),
            Err(error) => Err(lost("has become unreachable".to_owned()).because(error)),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.known().head.counters.now_ms.max(wall_ms())
    }

    pub(super) fn health(&self, closed: bool) -> Health {
        let stopped = self.stopped.borrow().clone();
        let known = self.known();
        let closed = closed.then(|| "the store is closed".to_owned());
        let reason = stopped.or(closed).or_else(|| known.blocked.clone());
        Health {
            writable: reason.is_none(),
            role: Role::Client,
            age: known.heard.elapsed(),
            revision: known.head.counters.revision,
            entries: known.head.entries,
            reason,
        }
    }
}
