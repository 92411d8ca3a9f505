//! What a listener has seen.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a listener has seen since it was bound. Read it whenever; it only grows.
#[derive(Debug, Default)]
pub struct Counters {
    connections: AtomicU64,
    refused_connections: AtomicU64,
    calls: AtomicU64,
    refused_calls: AtomicU64,
    panics: AtomicU64,
}

impl Counters {
    /// Connections of members.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections that were closed before a byte of HTTP was read: no certificate of the cluster, no TLS, too slow, or
    /// too many.
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.load(Ordering::Relaxed)
    }

    /// Calls that the handler was asked.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls that were refused, by a limit or by the handler.
    pub fn refused_calls(&self) -> u64 {
        self.refused_calls.load(Ordering::Relaxed)
    }

    /// Calls on which the handler panicked.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many there are with this one.
    pub(super) fn refused_connection(&self) -> u64 {
        self.refused_connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused_call(&self) {
        self.refused_calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}
