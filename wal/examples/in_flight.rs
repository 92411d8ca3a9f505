//! One producer with 256 appends of 1 KiB in flight, beside the raw device: write and fdatasync of groups as they come, into
//! a file of zeros that is used again and again. Prints both rates and their ratio, interleaved.
//!
//! `cargo run --release -p hermod-wal --example in_flight [DIR] [SECONDS]`
#![allow(clippy::print_stdout, reason = "an example that reports")]

use std::collections::VecDeque;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hermod_wal::{Batch, Log, Options, Seq};

const IN_FLIGHT: usize = 256;
const RECORD_BYTES: usize = 1024;
const RAW_BYTES: u64 = 128 << 20;
const TRIM_EVERY: u64 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "target/in-flight".into()));
    let seconds = args.next().map_or(Ok(2), |seconds| seconds.parse())?;
    std::fs::create_dir_all(&dir)?;
    let raw = raw_file(&dir)?;
    let record: Vec<u8> = (0..RECORD_BYTES as u32)
        .map(|n| (n.wrapping_mul(0x9E37_79B9) >> 9) as u8)
        .collect();
    let log = Log::open(Options::new(dir.join("log")))?;
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let raw_rate = raw_rate(&raw, &record, Duration::from_secs(seconds))?;
        let before = log.stats();
        let log_rate = log_rate(&log, &record, Duration::from_secs(seconds))?;
        let after = log.stats();
        let groups = (after.groups - before.groups).max(1);
        let ratio = log_rate / raw_rate;
        println!(
            "raw {raw_rate:>9.0}/s   log {log_rate:>9.0}/s   ratio {ratio:.2}   {} records a group, {} segments",
            (after.records - before.records) / groups,
            after.segments,
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
    log.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn raw_file(dir: &Path) -> Result<File, Box<dyn Error>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(dir.join("raw"))?;
    let zeros = vec![0; 1 << 20];
    for at in (0..RAW_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// One thread takes whatever is queued, frames it, writes it and syncs it; the producer is told once per group.
fn raw_rate(file: &File, record: &[u8], time: Duration) -> Result<f64, Box<dyn Error>> {
    let (send, queue) = mpsc::sync_channel::<Vec<u8>>(IN_FLIGHT);
    let (done, dones) = mpsc::channel::<usize>();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> std::io::Result<()> {
            let (mut at, mut buffer) = (0, Vec::new());
            while let Ok(first) = queue.recv() {
                buffer.clear();
                let mut count = 0;
                for record in std::iter::once(first).chain(queue.try_iter()) {
                    buffer.extend_from_slice(&(record.len() as u32).to_le_bytes());
                    buffer.extend_from_slice(&crc32fast::hash(&record).to_le_bytes());
                    buffer.extend_from_slice(&record);
                    count += 1;
                }
                if at + buffer.len() as u64 > RAW_BYTES {
                    at = 0;
                }
                file.write_all_at(&buffer, at)?;
                file.sync_data()?;
                at += buffer.len() as u64;
                if done.send(count).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let began = Instant::now();
        let (mut in_flight, mut finished) = (0, 0_u64);
        while began.elapsed() < time {
            while in_flight < IN_FLIGHT {
                send.send(record.to_vec())?;
                in_flight += 1;
            }
            let count = dones.recv()?;
            in_flight -= count;
            finished += count as u64;
        }
        let rate = finished as f64 / began.elapsed().as_secs_f64();
        drop(send);
        drop(dones);
        writer.join().map_err(|_| "the raw writer panicked")??;
        Ok(rate)
    })
}

fn log_rate(log: &Log, record: &[u8], time: Duration) -> Result<f64, Box<dyn Error>> {
    let stream = log.stream("stream")?;
    let began = Instant::now();
    let mut tickets = VecDeque::new();
    let (mut appended, mut finished) = (0_u64, 0_u64);
    while began.elapsed() < time {
        while tickets.len() < IN_FLIGHT {
            let mut batch = Batch::with_capacity(RECORD_BYTES + 64);
            batch.append(stream, record);
            appended += 1;
            if appended % TRIM_EVERY == 0 {
                // As a buffer is trimmed behind its consumer: its files are used again.
                let next = log.bounds(stream).map_or(0, |bounds| bounds.next.0);
                batch.trim(stream, Seq(next.saturating_sub(TRIM_EVERY)));
            }
            tickets.push_back(log.append(batch)?);
        }
        if let Some(ticket) = tickets.pop_front() {
            ticket.wait()?;
            finished += 1;
        }
        while tickets
            .front()
            .is_some_and(|ticket| ticket.outcome().is_some())
        {
            finished += u64::from(
                tickets
                    .pop_front()
                    .is_some_and(|ticket| ticket.outcome().is_some_and(|o| o.is_ok())),
            );
        }
    }
    let rate = finished as f64 / began.elapsed().as_secs_f64();
    Ok(rate)
}
