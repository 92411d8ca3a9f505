//! The limits of every store (I9).

/// Bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Bytes of an object's id, of a lease's name, and of the texts of a journal entry other than its document.
pub const NAME_BYTES_MAX: usize = 512;

/// Changes and guards of one transaction.
pub const CHANGES_MAX: usize = 256;

/// Bytes of all operations that are submitted in one call.
pub const SUBMISSION_BYTES_MAX: usize = 2 << 20;

/// Bytes of all objects and journal entries together.
pub const STATE_BYTES_MAX: u64 = 512 << 20;

/// Leases, live and released.
pub const LEASES_MAX: usize = 100_000;

/// Journal entries. At it, a transaction with an entry is refused until older ones are let go: none goes by itself.
pub const ENTRIES_MAX: u64 = 100_000;

/// Objects or entries that one read returns at most.
pub const PAGE_MAX: usize = 10_000;

/// Changes that a [`Watch`](crate::Watch) may fall behind before it has to read everything again.
pub const FEED_EVENTS: usize = 8_192;

/// Milliseconds of the shortest lease.
pub const TTL_MS_MIN: u64 = 1_000;

/// Milliseconds of the longest lease.
pub const TTL_MS_MAX: u64 = 600_000;
