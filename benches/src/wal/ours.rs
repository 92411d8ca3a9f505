//! The workloads on Hermod's log.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, ensure};
use hermod_wal::{Batch, Log, Options, ReadLimit, Seq, StreamId, SyncPolicy};
use tempfile::TempDir;

use super::{median_us, megabytes, timed};
use crate::{
    records::RECORD_BYTES,
    steady::{self, CALLS_IN_FLIGHT, OPERATION_BYTES, make_room, wait},
};

/// A log with one stream.
pub(super) struct Ours {
    log: Log,
    stream: StreamId,
    dir: TempDir,
}

/// A closed log.
pub(super) struct Closed {
    dir: TempDir,
}

impl Ours {
    /// Opens a log in a fresh directory.
    pub(super) fn fresh(dir: TempDir) -> anyhow::Result<Self> {
        Self::open(dir, |_| {})
    }

    /// Opens a log and brings it into its steady state: segments that were used before.
    pub(super) fn recycling(dir: TempDir, records: &[Vec<u8>]) -> anyhow::Result<Self> {
        Self::fresh(dir)?.warmed(records)
    }

    /// The same without a sync per group, and with files for 256 MiB and more.
    pub(super) fn recycling_unsynced(dir: TempDir, records: &[Vec<u8>]) -> anyhow::Result<Self> {
        Self::open(dir, unsynced)?.warmed(records)
    }

    fn open(dir: TempDir, change: impl FnOnce(&mut Options)) -> anyhow::Result<Self> {
        let mut options = Options::new(place(&dir));
        change(&mut options);
        let log = Log::open(options)?;
        let stream = log.stream("bench")?;
        Ok(Self { log, stream, dir })
    }

    fn warmed(self, records: &[Vec<u8>]) -> anyhow::Result<Self> {
        steady::reach(&self.log, self.stream, records)?;
        Ok(self)
    }

    pub(super) fn close(self) -> anyhow::Result<()> {
        Ok(self.log.close()?)
    }

    pub(super) fn close_and_keep(self) -> anyhow::Result<Closed> {
        self.log.close()?;
        Ok(Closed { dir: self.dir })
    }

    /// Writes what `w4` reads.
    pub(super) fn fill(&self, records: &[Vec<u8>], count: usize) -> anyhow::Result<()> {
        steady::fill(&self.log, self.stream, records, count)
    }

    fn consume(&self) -> anyhow::Result<()> {
        steady::consume(&self.log, self.stream)
    }

    /// `w1`.
    pub(super) fn lone(&self, records: &[Vec<u8>], window: Duration) -> anyhow::Result<f64> {
        self.consume()?;
        let latencies = timed(window, |n| {
            self.log
                .append(self.single(&records[n % records.len()]))?
                .wait()?;
            Ok(())
        })?;
        Ok(median_us(latencies))
    }

    /// `w2`.
    pub(super) fn blocked(
        &self,
        records: &[Vec<u8>],
        producers: usize,
        window: Duration,
    ) -> anyhow::Result<f64> {
        self.consume()?;
        let started = Instant::now();
        let produce = |index: usize| -> anyhow::Result<usize> {
            let mut count = 0;
            while started.elapsed() < window {
                let record = &records[(index + count) % records.len()];
                self.log.append(self.single(record))?.wait()?;
                count += 1;
            }
            Ok(count)
        };
        let total = thread::scope(|scope| {
            let threads: Vec<_> = (0..producers)
                .map(|index| scope.spawn(move || produce(index)))
                .collect();
            threads.into_iter().try_fold(0, |total, thread| {
                let count = thread
                    .join()
                    .map_err(|_| anyhow!("a producer panicked"))??;
                anyhow::Ok(total + count)
            })
        })?;
        Ok(total as f64 / started.elapsed().as_secs_f64())
    }

    /// `w2p`.
    pub(super) fn in_flight(
        &self,
        records: &[Vec<u8>],
        most: usize,
        window: Duration,
    ) -> anyhow::Result<f64> {
        self.consume()?;
        let started = Instant::now();
        let (mut appended, mut tickets) = (0, VecDeque::with_capacity(most));
        while started.elapsed() < window {
            while tickets.len() < most {
                let batch = self.single(&records[appended % records.len()]);
                tickets.push_back(self.log.append(batch)?);
                appended += 1;
            }
            make_room(&mut tickets, most)?;
        }
        tickets.into_iter().try_for_each(wait)?;
        Ok(appended as f64 / started.elapsed().as_secs_f64())
    }

    /// `w3`.
    pub(super) fn bulk(self, records: &[Vec<u8>], calls: usize) -> anyhow::Result<(Self, f64)> {
        self.consume()?;
        let started = Instant::now();
        let mut tickets = VecDeque::new();
        for call in 0..calls {
            make_room(&mut tickets, CALLS_IN_FLIGHT)?;
            tickets.push_back(self.log.append(steady::batch(self.stream, records, call))?);
        }
        tickets.into_iter().try_for_each(wait)?;
        // Closing is what syncs a log that leaves it to the system.
        self.log.close()?;
        let took = started.elapsed();
        Ok((Self::open(self.dir, unsynced)?, megabytes(calls * 64, took)))
    }

    /// `w5`: records per second that were durable, read and trimmed.
    pub(super) fn consumed(&self, records: &[Vec<u8>], window: Duration) -> anyhow::Result<f64> {
        self.consume()?;
        let from = self
            .log
            .bounds(self.stream)
            .map_or(Seq::ZERO, |bounds| bounds.next);
        let (started, produced) = (Instant::now(), AtomicBool::new(false));
        let count = thread::scope(|scope| {
            let consumer = scope.spawn(|| self.read_and_trim(from, &produced));
            let appended = timed(window, |call| {
                self.log
                    .append(steady::batch(self.stream, records, call))?
                    .wait()?;
                Ok(())
            });
            produced.store(true, Ordering::Release);
            let count = consumer
                .join()
                .map_err(|_| anyhow!("the consumer panicked"))??;
            ensure!(
                count == appended?.len() * 64,
                "the consumer has read {count} records"
            );
            anyhow::Ok(count)
        })?;
        Ok(count as f64 / started.elapsed().as_secs_f64())
    }

    fn read_and_trim(&self, from: Seq, produced: &AtomicBool) -> anyhow::Result<usize> {
        let mut reader = self.log.reader(self.stream, from);
        let (mut count, mut trimmed) = (0, None);
        loop {
            let all_is_there = produced.load(Ordering::Acquire);
            let read = reader.read(ReadLimit {
                records: 512,
                bytes: 1 << 20,
            })?;
            if read.is_empty() {
                if all_is_there {
                    return trimmed.map_or(Ok(count), |ticket| wait(ticket).map(|()| count));
                }
                let arrival = self.log.arrival(self.stream, reader.position());
                arrival.wait_timeout(Duration::from_millis(10))?;
                continue;
            }
            ensure!(
                read.iter()
                    .all(|record| record.payload.len() == RECORD_BYTES)
            );
            count += read.len();
            let mut batch = Batch::with_capacity(OPERATION_BYTES);
            batch.trim(self.stream, reader.position());
            trimmed = Some(self.log.append(batch)?);
        }
    }

    fn single(&self, record: &[u8]) -> Batch {
        let mut batch = Batch::with_capacity(RECORD_BYTES + OPERATION_BYTES);
        batch.append(self.stream, record);
        batch
    }
}

impl Closed {
    /// `w4`.
    pub(super) fn scan(self, count: usize) -> anyhow::Result<(Self, f64)> {
        let started = Instant::now();
        let ours = Ours::fresh(self.dir)?;
        let mut reader = ours.log.reader(ours.stream, Seq::ZERO);
        let mut scanned = 0;
        while scanned < count {
            let read = reader.read(ReadLimit {
                records: 4096,
                bytes: 1 << 20,
            })?;
            ensure!(!read.is_empty(), "the log has {scanned} of {count} records");
            scanned += read.len();
        }
        let rate = megabytes(count, started.elapsed());
        drop(reader);
        Ok((ours.close_and_keep()?, rate))
    }
}

fn place(dir: &TempDir) -> PathBuf {
    dir.path().join("log")
}

fn unsynced(options: &mut Options) {
    options.sync = SyncPolicy::Os;
    options.spare_segments = 6;
}
