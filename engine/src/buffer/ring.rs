//! A bounded ring of messages in memory.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hermod_sdk::{Message, Text};
use tokio::sync::Notify;

use super::{ChunkLimit, Entry};
use crate::envelope::Target;

/// How much a ring holds at most (I9).
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct Ring {
    name: Text,
    limits: RingLimits,
    state: Mutex<State>,
    arrived: Notify,
    freed: Notify,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    // Number of the first entry; the next number is `first + entries.len()`.
    first: u64,
    bytes: usize,
}

impl Ring {
    pub(crate) fn new(name: Text, limits: RingLimits) -> Self {
        Self {
            name,
            limits,
            state: Mutex::default(),
            arrived: Notify::new(),
            freed: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &Text {
        &self.name
    }

    pub(crate) fn bounds(&self) -> (u64, u64) {
        let state = self.lock();
        (state.first, state.first + state.entries.len() as u64)
    }

    /// Puts messages in, as many as there is room for at a time, and returns the number after the last.
    pub(crate) async fn push(&self, messages: Vec<Message>, target: Option<&Target>) -> u64 {
        let mut messages = messages.into_iter().peekable();
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let (pushed, next) = self.push_some(&mut messages, target);
            if pushed > 0 {
                self.arrived.notify_waiters();
            }
            if messages.peek().is_none() {
                return next;
            }
            freed.await;
        }
    }

    /// Puts messages in if there is room for all of them now.
    pub(crate) fn try_push(&self, messages: Vec<Message>) -> Result<u64, Vec<Message>> {
        let next = {
            let mut state = self.lock();
            let bytes: usize = messages.iter().map(Message::size).sum();
            let fits = state.entries.len() + messages.len() <= self.limits.messages
                && state.bytes + bytes <= self.limits.bytes;
            if !fits && !state.entries.is_empty() {
                return Err(messages);
            }
            for message in messages {
                state.push(message, None);
            }
            state.first + state.entries.len() as u64
        };
        self.arrived.notify_waiters();
        Ok(next)
    }

    fn push_some(
        &self,
        messages: &mut std::iter::Peekable<impl Iterator<Item = Message>>,
        target: Option<&Target>,
    ) -> (usize, u64) {
        let mut state = self.lock();
        let before = state.entries.len();
        while let Some(message) = messages.peek() {
            let full = state.entries.len() >= self.limits.messages
                || state.bytes + message.size() > self.limits.bytes;
            // One message larger than the whole ring still goes through, alone.
            if full && !state.entries.is_empty() {
                break;
            }
            if let Some(message) = messages.next() {
                state.push(message, target.cloned());
            }
        }
        (
            state.entries.len() - before,
            state.first + state.entries.len() as u64,
        )
    }

    /// Waits for messages from `from` on.
    pub(crate) async fn read(&self, from: u64, limit: ChunkLimit) -> Vec<Entry> {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let entries = self.read_now(from, limit);
            if !entries.is_empty() {
                return entries;
            }
            arrived.await;
        }
    }

    fn read_now(&self, from: u64, limit: ChunkLimit) -> Vec<Entry> {
        let state = self.lock();
        let skip = from.saturating_sub(state.first) as usize;
        let available = state.entries.len().saturating_sub(skip).min(limit.messages);
        let mut entries = Vec::with_capacity(available);
        let mut bytes = 0;
        for entry in state.entries.iter().skip(skip).take(available) {
            bytes += entry.message.size();
            if bytes > limit.bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    /// Frees everything below `below`.
    pub(crate) fn trim(&self, below: u64) {
        let freed = {
            let mut state = self.lock();
            let count = (below.saturating_sub(state.first) as usize).min(state.entries.len());
            let freed: Vec<Entry> = state.entries.drain(..count).collect();
            state.first += count as u64;
            state.bytes -= freed
                .iter()
                .map(|entry| entry.message.size())
                .sum::<usize>();
            freed
        };
        if !freed.is_empty() {
            self.freed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, message: Message, target: Option<Target>) {
        let seq = self.first + self.entries.len() as u64;
        self.bytes += message.size();
        self.entries.push_back(Entry {
            seq,
            message,
            target,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ChunkLimit = ChunkLimit {
        messages: 100,
        bytes: usize::MAX,
    };

    fn messages(count: usize) -> Vec<Message> {
        (0..count)
            .map(|index| Message::new(index.to_string(), "x"))
            .collect()
    }

    #[tokio::test]
    async fn numbers_are_dense_and_survive_trims() {
        let ring = Ring::new(
            "r".into(),
            RingLimits {
                messages: 10,
                bytes: 1 << 20,
            },
        );
        assert_eq!(ring.push(messages(4), None).await, 4);
        ring.trim(3);
        assert_eq!(ring.bounds(), (3, 4));
        ring.push(messages(2), None).await;
        let seqs: Vec<u64> = ring
            .read(3, ALL)
            .await
            .iter()
            .map(|entry| entry.seq)
            .collect();
        assert_eq!(seqs, [3, 4, 5]);
    }

    #[tokio::test]
    async fn i9_a_full_ring_makes_the_writer_wait_and_frees_it_on_trim() {
        let ring = std::sync::Arc::new(Ring::new(
            "r".into(),
            RingLimits {
                messages: 2,
                bytes: 1 << 20,
            },
        ));
        let mut push = Box::pin(ring.push(messages(3), None));
        assert!(futures_poll_once(&mut push).await.is_none());
        assert!(ring.try_push(messages(1)).is_err());
        assert_eq!(ring.bounds(), (0, 2));
        ring.trim(1);
        assert_eq!(push.await, 3);
    }

    async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! { biased; out = future => Some(out), () = std::future::ready(()) => None }
    }
}
