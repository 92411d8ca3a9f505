//! The steady state of a log: its files were used before.
//!
//! A fresh log zero-fills its first segments in the background while it is written, and then writes everything twice.
//! A node is through with that after its first few hundred megabytes.

use std::{collections::VecDeque, thread, time::Duration};

use anyhow::Context as _;
use hermod_wal::{Batch, Log, StreamId, Ticket};

use crate::records::RECORD_BYTES;

/// What an operation adds to its record in a batch.
pub(crate) const OPERATION_BYTES: usize = 24;

/// Records in the segments that a warm-up fills: four of the default size.
const RECORDS: usize = (256 << 20) / RECORD_BYTES;

/// Calls of 64 records in flight where a workload has no limit of its own: 8 MiB, half of what the log takes.
pub(crate) const CALLS_IN_FLIGHT: usize = (8 << 20) / (64 * RECORD_BYTES);

/// Brings a log into its steady state: fills the segments of its pool and trims them.
pub(crate) fn reach(log: &Log, stream: StreamId, records: &[Vec<u8>]) -> anyhow::Result<()> {
    fill(log, stream, records, RECORDS)?;
    consume(log, stream)
}

/// Appends `count` records in batches of 64 and waits until all are durable.
pub(crate) fn fill(
    log: &Log,
    stream: StreamId,
    records: &[Vec<u8>],
    count: usize,
) -> anyhow::Result<()> {
    let mut tickets = VecDeque::new();
    for call in 0..count / 64 {
        make_room(&mut tickets, CALLS_IN_FLIGHT)?;
        tickets.push_back(log.append(batch(stream, records, call))?);
    }
    tickets.into_iter().try_for_each(wait)
}

/// Trims all that is there, as a consumer would have, so that its files are used again.
pub(crate) fn consume(log: &Log, stream: StreamId) -> anyhow::Result<()> {
    let bounds = log.bounds(stream).context("the stream is gone")?;
    let mut batch = Batch::new();
    batch.trim(stream, bounds.next);
    wait(log.append(batch)?)?;
    // Recycling goes on in the background, out of the measurement.
    thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// The batch of a call of 64 records.
pub(crate) fn batch(stream: StreamId, records: &[Vec<u8>], call: usize) -> Batch {
    let mut batch = Batch::with_capacity(64 * (RECORD_BYTES + OPERATION_BYTES));
    for n in call * 64..(call + 1) * 64 {
        batch.append(stream, &records[n % records.len()]);
    }
    batch
}

/// Bounds what is in flight: waits for the oldest when there is no room, and takes out what is done.
pub(crate) fn make_room(tickets: &mut VecDeque<Ticket>, most: usize) -> anyhow::Result<()> {
    if tickets.len() < most {
        return Ok(());
    }
    if let Some(oldest) = tickets.pop_front() {
        wait(oldest)?;
    }
    while tickets
        .front()
        .is_some_and(|ticket| ticket.outcome().is_some())
    {
        // Its outcome is looked at, too: a failed batch must not count.
        tickets.pop_front().map_or(Ok(()), wait)?;
    }
    Ok(())
}

/// Blocks until a batch is durable.
pub(crate) fn wait(ticket: Ticket) -> anyhow::Result<()> {
    ticket.wait()?;
    Ok(())
}
