//! News of what has changed, for those who keep something in step with the store.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytestring::ByteString;
use tokio::sync::watch;

use crate::{Key, Revision, limits::FEED_EVENTS};

/// Something changed. What it is now is to be read from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An object was written or removed.
    Object {
        /// At which revision.
        revision: Revision,
        /// Which.
        key: Key,
    },
    /// A lease was granted, or given back. Renewals are no news.
    Lease {
        /// Which.
        name: ByteString,
    },
    /// More changed than could be kept: read everything again.
    Lagged,
}

/// Where an implementation says what has changed. A clone is the same feed.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    /// The number of the next event.
    next: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Event>,
    /// The number of the event at the front.
    first: u64,
}

/// Receives events. Dropped, it costs nothing.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    next: watch::Receiver<u64>,
    at: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// Makes a feed that nobody watches.
    pub fn new() -> Self {
        let ring = Mutex::new(Ring {
            events: VecDeque::new(),
            first: 0,
        });
        let next = watch::Sender::new(0);
        Self {
            shared: Arc::new(Shared { ring, next }),
        }
    }

    /// Tells everyone.
    pub fn publish(&self, events: impl IntoIterator<Item = Event>) {
        let mut ring = self.shared.ring();
        for event in events {
            if ring.events.len() == FEED_EVENTS {
                ring.events.pop_front();
                ring.first += 1;
            }
            ring.events.push_back(event);
        }
        let next = ring.first + ring.events.len() as u64;
        drop(ring);
        self.shared.next.send_if_modified(|known| {
            let news = *known < next;
            *known = next.max(*known);
            news
        });
    }

    /// Tells everyone to read everything again.
    pub fn reset(&self) {
        let mut ring = self.shared.ring();
        let next = ring.first + ring.events.len() as u64 + 1;
        ring.events.clear();
        ring.first = next;
        drop(ring);
        self.shared
            .next
            .send_modify(|known| *known = next.max(*known));
    }

    /// Watches from now on.
    pub fn watch(&self) -> Watch {
        let next = self.shared.next.subscribe();
        let at = *next.borrow();
        Watch {
            shared: self.shared.clone(),
            next,
            at,
        }
    }
}

impl Shared {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Returns what changed since the last call, at least one event.
    ///
    /// After the store is gone it waits forever.
    ///
    /// # Cancel safety
    /// Cancel-safe: an event is taken only by the call that returns it.
    pub async fn changed(&mut self) -> Vec<Event> {
        let at = self.at;
        if self.next.wait_for(|next| *next > at).await.is_err() {
            std::future::pending::<()>().await;
        }
        let ring = self.shared.ring();
        let end = ring.first + ring.events.len() as u64;
        let events = match self.at.checked_sub(ring.first) {
            Some(skip) => ring.events.iter().skip(skip as usize).cloned().collect(),
            None => vec![Event::Lagged],
        };
        self.at = end;
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(name: u64) -> Event {
        let name = name.to_string().into();
        Event::Lease { name }
    }

    #[tokio::test]
    async fn a_watch_sees_what_comes_after_it_once() {
        let feed = Feed::new();
        feed.publish([lease(0)]);
        let mut watch = feed.watch();
        feed.publish([lease(1), lease(2)]);
        assert_eq!(watch.changed().await, [lease(1), lease(2)]);
        feed.publish([lease(3)]);
        assert_eq!(watch.changed().await, [lease(3)]);
    }

    #[tokio::test]
    async fn who_lags_is_told_to_read_everything() {
        let feed = Feed::new();
        let mut watch = feed.watch();
        feed.publish((0..=FEED_EVENTS as u64).map(lease));
        assert_eq!(watch.changed().await, [Event::Lagged]);
        feed.reset();
        assert_eq!(watch.changed().await, [Event::Lagged]);
        feed.publish([lease(9)]);
        assert_eq!(watch.changed().await, [lease(9)]);
    }
}
