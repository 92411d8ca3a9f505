//! The engine alone: messages of 1 KiB from a source in memory into a sink that throws them away.
//!
//! | workload | what is done | reference |
//! |---|---|---|
//! | `ram` | ring buffer, level `delivered` | `channel`: the same messages, in the same batches, through a bounded channel |
//! | `durable` | file buffer, level `durable`, 256 messages in flight | `raw-prealloc`: 256 records in flight on the raw device |

mod memory;
mod plan;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use hermod_engine::{BufferPlan, Ended, Engine, EngineOptions, Level, Metrics};
use hermod_sdk::{Message, Read, ReadLimit, Source as _};
use hermod_wal::{Log, Options};
use tokio::{runtime::Runtime, sync::mpsc};

use crate::{
    case::Case,
    pace::Pace,
    raw::{Grouped, Raw},
    records::records,
    report::{Report, say},
    steady,
};

use memory::{Extent, Memory, Null};

/// Messages of one repetition of `ram`.
const RAM_MESSAGES: u64 = 2_000_000;

/// Messages in flight in `durable`.
const IN_FLIGHT: u64 = 256;

/// Batches that wait in the channel of the reference.
const CHANNEL_BATCHES: usize = 4;

/// Runs both workloads.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let messages = messages();

    if pace.wants("ram") {
        let mut case = Case::new("ram", "messages/s", "channel");
        for _ in 0..pace.runs {
            case.sample(
                "channel",
                runtime.block_on(channel(messages.clone(), RAM_MESSAGES))?,
            );
            case.sample(
                "hermod",
                runtime.block_on(ram(messages.clone(), RAM_MESSAGES))?,
            );
        }
        report.add(&case)?;
        say("the Go program of this name, RAM ring, on such a machine: 24,900 messages/s")?;
    }
    if pace.wants("durable") {
        let lasts = pace.pick(Duration::from_secs(1), Duration::from_secs(5));
        let raw_dir = report.fresh_dir()?;
        let mut raw = Raw::create(raw_dir.path())?;
        let mut case = Case::new("durable", "messages/s", "raw-prealloc");
        for _ in 0..pace.runs {
            let rate;
            (raw, rate) = in_flight(raw, lasts)?;
            case.sample("raw-prealloc", rate);
            case.sample(
                "hermod",
                durable(&runtime, report, messages.clone(), lasts)?,
            );
        }
        report.add(&case)?;
    }
    Ok(())
}

fn messages() -> Arc<Vec<Message>> {
    let record = |(index, bytes)| Message::new(format!("message-{index:04}"), bytes);
    Arc::new(records().into_iter().enumerate().map(record).collect())
}

/// The engine with a ring and without a log.
async fn ram(messages: Arc<Vec<Message>>, count: u64) -> anyhow::Result<f64> {
    let engine = Engine::new(EngineOptions {
        metrics: Metrics::new(),
        ..EngineOptions::default()
    });
    let buffer = BufferPlan::Ring {
        messages: 16 * 1024,
        bytes: 64 << 20,
    };
    let memory = Arc::new(Memory::new(messages, Extent::Messages(count), u64::MAX));
    run_to_end(&engine, buffer, Level::Delivered, &memory).await
}

/// The engine on a log of its own in a fresh directory.
fn durable(
    runtime: &Runtime,
    report: &Report,
    messages: Arc<Vec<Message>>,
    lasts: Duration,
) -> anyhow::Result<f64> {
    let dir = report.fresh_dir()?;
    let log = Log::open(Options::new(dir.path().join("log")))?;
    let stream = log.stream("warm-up")?;
    steady::reach(&log, stream, &records())?;
    let options = EngineOptions {
        log: Some(log.clone()),
        ..EngineOptions::default()
    };
    let engine = Engine::new(options);
    let memory = Arc::new(Memory::new(messages, Extent::Time(lasts), IN_FLIGHT));
    let run = run_to_end(&engine, BufferPlan::File, Level::Durable, &memory);
    let rate = runtime.block_on(run)?;
    drop(engine);
    log.close()?;
    Ok(rate)
}

/// Runs a workflow until its source has ended and every message is delivered and acknowledged.
async fn run_to_end(
    engine: &Engine,
    buffer: BufferPlan,
    level: Level,
    memory: &Arc<Memory>,
) -> anyhow::Result<f64> {
    let null = Arc::new(Null::default());
    let plan = plan::plan(buffer, level, memory.clone(), null.clone());
    let ended = engine.start(plan).await?.ended().await;
    let finished = Instant::now();
    if let Ended::Failed { error } = ended {
        bail!("the workflow failed: {error}");
    }
    let (count, delivered) = (memory.handed_out(), null.count());
    ensure!(
        delivered == count,
        "{delivered} of {count} messages were delivered"
    );
    let acknowledged = memory.acknowledged();
    ensure!(
        acknowledged == count,
        "{acknowledged} of {count} messages were acknowledged"
    );
    Ok(count as f64 / (finished - memory.opened_at()?).as_secs_f64())
}

/// What a channel between two tasks gives: the same reads, no engine.
async fn channel(messages: Arc<Vec<Message>>, count: u64) -> anyhow::Result<f64> {
    let mut source = Memory::new(messages, Extent::Messages(count), u64::MAX).source();
    let (sender, mut receiver) = mpsc::channel::<Vec<Message>>(CHANNEL_BATCHES);
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        while let Read::Batch(batch) = source
            .read(ReadLimit {
                messages: 1024,
                bytes: 1 << 20,
            })
            .await?
        {
            sender.send(batch.messages).await?;
        }
        anyhow::Ok(())
    });
    let mut passed = 0;
    while let Some(batch) = receiver.recv().await {
        passed += batch.len() as u64;
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    ensure!(
        passed == count,
        "{passed} of {count} messages came through the channel"
    );
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Records on the raw device, 256 of them in flight.
fn in_flight(raw: Raw, lasts: Duration) -> anyhow::Result<(Raw, f64)> {
    let records = records();
    let grouped = Grouped::start(raw);
    let submitter = grouped.submitter();
    let started = Instant::now();
    let (mut appended, mut durable) = (0, 0);
    while started.elapsed() < lasts {
        while appended - durable < IN_FLIGHT {
            appended = submitter.append(&records[appended as usize % records.len()]);
        }
        durable = submitter.wait(durable + 1);
    }
    submitter.wait(appended);
    let rate = appended as f64 / started.elapsed().as_secs_f64();
    Ok((grouped.finish()?, rate))
}
