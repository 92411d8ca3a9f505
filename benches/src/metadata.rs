//! Metadata: three nodes of the Raft store beside three of etcd, all on this machine, each with a disk write of its own.
//!
//! 64 clients, a third of them at each node, put documents of 256 bytes under keys of their own, one at a time; a put counts
//! when it is answered, which is after a majority has synced it. Hermod's nodes talk over their own channel (mutual TLS on
//! the loopback interface); etcd's talk in plain text and are asked by gRPC, one connection per client. Afterwards every key
//! must hold what was answered last, else the bench fails.
//!
//! - `commit`: Hermod's nodes are asked at the store's interface, in their process.
//! - `http`: three processes are asked over the API, one connection per client: each put is a change of a source, with its
//!   version, its check, its role and its entry in the journal.
//! - `list`: with 1,000 workflows, how long the slowest hundredth of the answers to one page of 200 takes, beside as many
//!   documents of etcd.

mod cluster;
mod etcd;
mod nodes;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use tokio::task::JoinSet;

use crate::{case::Case, pace::Pace, program, report::Report};

const ETCD: &str = "etcd";
const NODES: usize = 3;
const CLIENTS: usize = 64;
const DOCUMENT_BYTES: usize = 256;

/// Runs the workloads.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let program = program::build()?;
    for workload in ["commit", "http"] {
        if pace.wants(workload) {
            puts(workload, &program, pace, report)?;
        }
    }
    if pace.wants("list") {
        lists(&program, pace, report)?;
    }
    Ok(())
}

fn puts(
    workload: &'static str,
    program: &Path,
    pace: &Pace,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (warm_up, window) = (Duration::from_secs(1), pace.pick(2, 10));
    let window = Duration::from_secs(window);
    let mut case = Case::new(workload, "commits/s", ETCD);
    for _ in 0..pace.runs {
        let servers = etcd::start(report.fresh_dir()?)?;
        let rate = runtime()?.block_on(async {
            let clients = servers.clients().await?;
            Ok::<_, anyhow::Error>(load(clients, warm_up, window).await?.rate)
        })?;
        case.sample(ETCD, rate);
        drop(servers);
        let dir = report.fresh_dir()?;
        let rate = runtime()?.block_on(async {
            if workload == "http" {
                let nodes = nodes::start(dir, program).await?;
                let loaded = load(nodes.clients().await?, warm_up, window).await?;
                nodes.check(loaded.clients).await?;
                return Ok(loaded.rate);
            }
            let cluster = cluster::start(dir.path()).await?;
            let loaded = load(cluster.clients(), warm_up, window).await?;
            cluster.check(&loaded.last).await?;
            cluster.close().await;
            Ok::<_, anyhow::Error>(loaded.rate)
        })?;
        case.sample("hermod", rate);
    }
    report.add(&case)
}

fn lists(program: &Path, pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let mut case = Case::new("list", "ms p99", ETCD);
    let (count, times) = (1000, pace.pick(100, 1000));
    let servers = etcd::start(report.fresh_dir()?)?;
    let dir = report.fresh_dir()?;
    runtime()?.block_on(async {
        let mut client = servers.clients().await?.remove(0);
        for number in 0..count {
            let key = format!("workflow-{number:04}");
            client.put(&key, 0).await?;
        }
        let nodes = nodes::start(dir, program).await?;
        nodes.import(count).await?;
        for _ in 0..pace.runs {
            case.sample(ETCD, p99(client.list("workflow-", 200, times).await?));
            case.sample("hermod", p99(nodes.list(times, count).await?));
        }
        Ok::<_, anyhow::Error>(())
    })?;
    report.add(&case)
}

/// The longest but for a hundredth of them.
fn p99(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    let at = took.len().saturating_sub(1) * 99 / 100;
    took.get(at).copied().unwrap_or(f64::NAN)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .enable_all()
        .build()
        .context("cannot make a runtime")
}

/// Puts documents at one node.
trait Client: Send + 'static {
    /// Puts the client's document of that number. Returns when it is answered.
    fn put(&mut self, key: &str, number: u64) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What came of a load.
struct Loaded<C> {
    clients: Vec<C>,
    /// Puts that were answered, per second.
    rate: f64,
    /// The number of the last put of each client that was answered.
    last: Vec<u64>,
}

/// Lets every client put one document after another, and counts those answered within the window.
async fn load<C: Client>(
    clients: Vec<C>,
    warm_up: Duration,
    window: Duration,
) -> anyhow::Result<Loaded<C>> {
    let counted = Arc::new(AtomicU64::new(0));
    let from = Instant::now() + warm_up;
    let until = from + window;
    let mut last = vec![0; clients.len()];
    let mut back: Vec<_> = clients.iter().map(|_| None).collect();
    let mut tasks = JoinSet::new();
    for (at, mut client) in clients.into_iter().enumerate() {
        let counted = Arc::clone(&counted);
        tasks.spawn(async move {
            let mut number = 0;
            loop {
                client.put(&key(at), number + 1).await?;
                number += 1;
                let now = Instant::now();
                if now > until {
                    return Ok::<_, anyhow::Error>((at, number, client));
                }
                if now >= from {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let (at, number, client) =
            ended.map_err(|error| anyhow!("a client panicked: {error}"))??;
        last[at] = number;
        back[at] = Some(client);
    }
    let rate = counted.load(Ordering::Relaxed) as f64 / window.as_secs_f64();
    let clients = back.into_iter().flatten().collect();
    Ok(Loaded {
        clients,
        rate,
        last,
    })
}

fn key(client: usize) -> String {
    format!("client-{client:02}")
}

fn document(number: u64) -> Vec<u8> {
    let mut document = format!(r#"{{"number": {number}, "fill": ""#).into_bytes();
    document.resize(DOCUMENT_BYTES - 2, b'.');
    document.extend_from_slice(b"\"}");
    document
}
