//! The log beside the raw device: the workloads W1 to W5, records of 1 KiB.
//!
//! | workload | what is done | unit |
//! |---|---|---|
//! | `w1` | one thread appends a record and waits until it is durable | µs, median |
//! | `w2-64`, `w2-256` | so many threads do the same at the same time | records/s |
//! | `w2p-256` | one thread keeps 256 records in flight, woken once per group | records/s |
//! | `w3-64` | 64 records a call, written through, one sync at the end | MB/s |
//! | `w4` | open, and read and check all records; in the page cache | MB/s |
//! | `w5-64` | batches of 64, each awaited; another thread reads and trims them | records/s |
//!
//! Both sides write into recycled files, which is the steady state of a log that is consumed.

mod ours;
mod reference;

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{
    case::Case,
    pace::Pace,
    raw::Raw,
    records::{RECORD_BYTES, records},
    report::Report,
};

use ours::Ours;

/// Name of the reference.
const RAW: &str = "raw-prealloc";

/// Runs all workloads.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let records = records();
    let mut bench = Bench {
        pace,
        records: &records,
        steady: None,
    };
    let all: [(&'static str, &'static str, Workload); 7] = [
        ("w1", "us p50", |bench, case, report| {
            bench.lone(case, report)
        }),
        ("w2-64", "records/s", |bench, case, report| {
            bench.blocked(case, report, 64)
        }),
        ("w2-256", "records/s", |bench, case, report| {
            bench.blocked(case, report, 256)
        }),
        ("w2p-256", "records/s", |bench, case, report| {
            bench.in_flight(case, report)
        }),
        ("w5-64", "records/s", |bench, case, report| {
            bench.consumed(case, report)
        }),
        ("w3-64", "MB/s", |bench, case, report| {
            bench.bulk(case, report)
        }),
        ("w4", "MB/s", |bench, case, report| {
            bench.reopened(case, report)
        }),
    ];
    for (name, unit, workload) in all.into_iter().filter(|(name, ..)| pace.wants(name)) {
        let mut case = Case::new(name, unit, RAW);
        workload(&mut bench, &mut case, report)?;
        report.add(&case)?;
    }
    Ok(())
}

type Workload = fn(&mut Bench<'_>, &mut Case, &Report) -> anyhow::Result<()>;

struct Bench<'a> {
    pace: &'a Pace,
    records: &'a [Vec<u8>],
    steady: Option<Steady>,
}

/// Both sides in their steady state, made once for the workloads that do not need another one.
struct Steady {
    raw: Raw,
    ours: Ours,
    _dir: TempDir,
}

impl Bench<'_> {
    fn lone(&mut self, case: &mut Case, report: &Report) -> anyhow::Result<()> {
        let (records, window) = (self.records, self.pace.window());
        let mut steady = self.take_steady(report)?;
        for _ in 0..self.pace.runs {
            case.sample(RAW, reference::lone(&mut steady.raw, records, window)?);
            case.sample("hermod", steady.ours.lone(records, window)?);
        }
        self.steady = Some(steady);
        Ok(())
    }

    fn blocked(
        &mut self,
        case: &mut Case,
        report: &Report,
        producers: usize,
    ) -> anyhow::Result<()> {
        let (records, window) = (self.records, self.pace.window());
        let mut steady = self.take_steady(report)?;
        for _ in 0..self.pace.runs {
            let rate;
            (steady.raw, rate) = reference::blocked(steady.raw, records, producers, window)?;
            case.sample(RAW, rate);
            case.sample("hermod", steady.ours.blocked(records, producers, window)?);
        }
        self.steady = Some(steady);
        Ok(())
    }

    fn in_flight(&mut self, case: &mut Case, report: &Report) -> anyhow::Result<()> {
        let (records, window) = (self.records, self.pace.window());
        let mut steady = self.take_steady(report)?;
        for _ in 0..self.pace.runs {
            let rate;
            (steady.raw, rate) = reference::in_flight(steady.raw, records, 256, window)?;
            case.sample(RAW, rate);
            case.sample("hermod", steady.ours.in_flight(records, 256, window)?);
        }
        self.steady = Some(steady);
        Ok(())
    }

    fn consumed(&mut self, case: &mut Case, report: &Report) -> anyhow::Result<()> {
        let (records, window) = (self.records, self.pace.window());
        let mut steady = self.take_steady(report)?;
        for _ in 0..self.pace.runs {
            case.sample(RAW, reference::batches(&mut steady.raw, records, window)?);
            case.sample("hermod", steady.ours.consumed(records, window)?);
        }
        self.steady = Some(steady);
        Ok(())
    }

    fn take_steady(&mut self, report: &Report) -> anyhow::Result<Steady> {
        if let Some(steady) = self.steady.take() {
            return Ok(steady);
        }
        let dir = report.fresh_dir()?;
        let raw = Raw::create(dir.path())?;
        let ours = Ours::recycling(report.fresh_dir()?, self.records)?;
        settle();
        Ok(Steady {
            raw,
            ours,
            _dir: dir,
        })
    }

    /// 256 MiB in calls of 64 records.
    fn bulk(&mut self, case: &mut Case, report: &Report) -> anyhow::Result<()> {
        self.steady = None;
        let calls = (256 << 20) / (64 * RECORD_BYTES);
        let dir = report.fresh_dir()?;
        let mut raw = Raw::sized(dir.path(), 288 << 20)?;
        let mut ours = Ours::recycling_unsynced(report.fresh_dir()?, self.records)?;
        settle();
        for _ in 0..self.pace.runs {
            case.sample(RAW, reference::bulk(&mut raw, self.records, calls)?);
            let rate;
            (ours, rate) = ours.bulk(self.records, calls)?;
            case.sample("hermod", rate);
        }
        ours.close()
    }

    /// What a restart costs with a backlog, once everything was read.
    fn reopened(&mut self, case: &mut Case, report: &Report) -> anyhow::Result<()> {
        self.steady = None;
        let count = self.pace.pick(512 << 20, 2 << 30) / RECORD_BYTES;
        let dir = report.fresh_dir()?;
        let mut raw = Raw::sized(dir.path(), count as u64 * (RECORD_BYTES as u64 + 16))?;
        reference::fill(&mut raw, self.records, count)?;
        let ours = Ours::fresh(report.fresh_dir()?)?;
        ours.fill(self.records, count)?;
        let mut ours = ours.close_and_keep()?;
        settle();
        // The first one warms the page cache.
        for run in 0..=self.pace.runs {
            let theirs = reference::scan(&raw, count)?;
            let rate;
            (ours, rate) = ours.scan(count)?;
            if run > 0 {
                case.sample(RAW, theirs);
                case.sample("hermod", rate);
            }
        }
        Ok(())
    }
}

/// Lets the disk finish what preparations and deleted files left it to do.
fn settle() {
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(500));
}

/// Megabytes (10^6) of payload per second.
fn megabytes(records: usize, took: Duration) -> f64 {
    (records * RECORD_BYTES) as f64 / 1e6 / took.as_secs_f64()
}

/// Median in microseconds.
fn median_us(mut latencies: Vec<Duration>) -> f64 {
    latencies.sort_unstable();
    let middle = latencies
        .get(latencies.len().saturating_sub(1) / 2)
        .copied();
    middle.unwrap_or_default().as_nanos() as f64 / 1e3
}

/// Calls `one` until `window` has passed, and returns how long each call took.
fn timed(
    window: Duration,
    mut one: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    let (started, mut latencies) = (Instant::now(), Vec::new());
    loop {
        let before = Instant::now();
        if before - started >= window {
            return Ok(latencies);
        }
        one(latencies.len())?;
        latencies.push(before.elapsed());
    }
}
