//! The workloads on the raw file.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{median_us, megabytes, timed};
use crate::raw::{Grouped, Raw, frame};

/// `w1`: the device alone, without a thread between.
pub(super) fn lone(raw: &mut Raw, records: &[Vec<u8>], window: Duration) -> anyhow::Result<f64> {
    let mut frames = Vec::new();
    let latencies = timed(window, |n| {
        frames.clear();
        frame(&mut frames, &records[n % records.len()]);
        raw.write(&frames)?;
        Ok(raw.sync()?)
    })?;
    Ok(median_us(latencies))
}

/// `w2`: threads that each wait for their record.
pub(super) fn blocked(
    raw: Raw,
    records: &[Vec<u8>],
    producers: usize,
    window: Duration,
) -> anyhow::Result<(Raw, f64)> {
    let grouped = Grouped::start(raw);
    let started = Instant::now();
    let total: usize = thread::scope(|scope| {
        let producer = |index: usize| {
            let submitter = grouped.submitter();
            scope.spawn(move || {
                let mut count = 0;
                while started.elapsed() < window {
                    let record = &records[(index + count) % records.len()];
                    submitter.wait(submitter.append(record));
                    count += 1;
                }
                count
            })
        };
        let threads: Vec<_> = (0..producers).map(producer).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(0))
            .sum()
    });
    let rate = total as f64 / started.elapsed().as_secs_f64();
    Ok((grouped.finish()?, rate))
}

/// `w2p`: one thread that keeps `most` records in flight.
pub(super) fn in_flight(
    raw: Raw,
    records: &[Vec<u8>],
    most: u64,
    window: Duration,
) -> anyhow::Result<(Raw, f64)> {
    let grouped = Grouped::start(raw);
    let submitter = grouped.submitter();
    let started = Instant::now();
    let (mut appended, mut durable) = (0, 0);
    while started.elapsed() < window {
        while appended - durable < most {
            appended = submitter.append(&records[appended as usize % records.len()]);
        }
        durable = submitter.wait(durable + 1);
    }
    submitter.wait(appended);
    let rate = appended as f64 / started.elapsed().as_secs_f64();
    Ok((grouped.finish()?, rate))
}

/// `w3`: calls of 64 records, one sync at the end.
pub(super) fn bulk(raw: &mut Raw, records: &[Vec<u8>], calls: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut frames = Vec::new();
    for call in 0..calls {
        frames.clear();
        batch(&mut frames, records, call);
        raw.write(&frames)?;
    }
    raw.sync()?;
    Ok(megabytes(calls * 64, started.elapsed()))
}

/// `w5`: batches of 64, each synced.
pub(super) fn batches(raw: &mut Raw, records: &[Vec<u8>], window: Duration) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut frames = Vec::new();
    let synced = timed(window, |call| {
        frames.clear();
        batch(&mut frames, records, call);
        raw.write(&frames)?;
        Ok(raw.sync()?)
    })?;
    Ok((synced.len() * 64) as f64 / started.elapsed().as_secs_f64())
}

/// Writes what `w4` reads.
pub(super) fn fill(raw: &mut Raw, records: &[Vec<u8>], count: usize) -> anyhow::Result<()> {
    let mut frames = Vec::new();
    for call in 0..count / 64 {
        frames.clear();
        batch(&mut frames, records, call);
        raw.write(&frames)?;
    }
    Ok(raw.sync()?)
}

/// `w4`: reads and checks all.
pub(super) fn scan(raw: &Raw, count: usize) -> anyhow::Result<f64> {
    let started = Instant::now();
    let scanned = raw.scan()?;
    ensure!(
        scanned == count as u64,
        "the reference has {scanned} of {count} records"
    );
    Ok(megabytes(count, started.elapsed()))
}

fn batch(frames: &mut Vec<u8>, records: &[Vec<u8>], call: usize) {
    for n in call * 64..(call + 1) * 64 {
        frame(frames, &records[n % records.len()]);
    }
}
