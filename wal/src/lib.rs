//! A durable log of many streams: atomic batches, registers and group commit in one physical log.
//!
//! - **Streams** are named, append-only sequences of records with dense numbers of their own, a trim point and a rewind.
//! - **Registers** are small named values beside them.
//! - A **batch** carries records for several streams, registers, trims and rewinds; after a crash all of it is there or
//!   none.
//! - **Group commit**: one thread writes. While one fdatasync is in flight the next group gathers. A [`Ticket`] is
//!   ready once the batch's group is synced.
//!
//! It is synchronous and knows no async runtime; what can be waited for is both a [`Future`] and has a blocking `wait`.
//!
//! It is not a database: there is no key lookup and no scan over streams. Limits: a batch fits in a segment (64 MiB by
//! default), registers are at most 64 KiB each, and the table of streams and registers takes at most 1/8 of a segment
//! (about 8 MiB: some 100,000 streams).
//!
//! ```
//! use hermod_wal::{Batch, Log, Options, ReadLimit, Seq, Visibility};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let log = Log::open(Options::new(dir.path()))?;
//! let orders = log.stream("orders")?;
//! let mut batch = Batch::new();
//! batch.append(orders, b"one");
//! batch.append(orders, b"two");
//! batch.set("source/position", b"1234");
//! log.append(batch)?.wait()?;
//!
//! let limit = ReadLimit { records: 100, bytes: 1 << 20 };
//! let records = log.read(orders, Seq::ZERO, limit, Visibility::Durable)?;
//! assert_eq!(records[1].payload, "two");
//! log.close()?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod cache;
pub mod disk;
mod error;
mod format;
mod frame;
mod index;
mod inspect;
mod ledger;
mod locate;
mod log;
mod options;
mod pool;
mod quarantine;
mod reader;
mod reclaim;
mod recovery;
mod replay;
mod scan;
mod segment;
mod seq;
mod shared;
mod signal;
mod stats;
mod table;
mod ticket;
mod waits;
mod writer;

pub use batch::Batch;
pub use error::{AppendError, CloseError, OpenError, ReadError, WaitError};
pub use inspect::{Inspection, SegmentInfo, StreamTotal, Verification, inspect, verify};
pub use log::Log;
pub use options::{Options, SyncPolicy};
pub use reader::{ReadLimit, Reader, Record, Visibility};
pub use recovery::{Damage, Lost, Part, Recovery};
pub use seq::{Lsn, Seq, StreamId};
pub use stats::{Bounds, State, Stats, StreamInfo};
pub use ticket::Ticket;
pub use waits::{Arrival, Room};
