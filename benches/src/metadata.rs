//! Metadata: three nodes of the Raft store beside three of etcd, all on this machine, each with a disk write of its own.
//!
//! 64 clients, a third of them at each node, put documents of 256 bytes under keys of their own, one at a time; a put counts
//! when it is answered, which is after a majority has synced it. Hermod's nodes talk over their own channel (mutual TLS on
//! the loopback interface) and are asked at the store's interface, in their process; etcd's talk in plain text and are asked
//! by gRPC, one connection per client. Afterwards every key must hold what was answered last, else the bench fails.

mod cluster;
mod etcd;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use tokio::task::JoinSet;

use crate::{case::Case, pace::Pace, report::Report};

const ETCD: &str = "etcd";
const NODES: usize = 3;
const CLIENTS: usize = 64;
const DOCUMENT_BYTES: usize = 256;

/// Runs the workload `commit`.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let (warm_up, window) = (Duration::from_secs(1), pace.pick(2, 10));
    let window = Duration::from_secs(window);
    let mut case = Case::new("commit", "commits/s", ETCD);
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

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .enable_all()
        .build()
        .context("cannot make a runtime")
}

/// Puts documents at one node.
trait Client: Send + 'static {
    /// Returns when it is answered.
    fn put(
        &mut self,
        key: &str,
        document: Vec<u8>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What came of a load.
struct Loaded {
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
) -> anyhow::Result<Loaded> {
    let counted = Arc::new(AtomicU64::new(0));
    let from = Instant::now() + warm_up;
    let until = from + window;
    let mut last = vec![0; clients.len()];
    let mut tasks = JoinSet::new();
    for (at, mut client) in clients.into_iter().enumerate() {
        let counted = Arc::clone(&counted);
        tasks.spawn(async move {
            let mut number = 0;
            loop {
                client.put(&key(at), document(number + 1)).await?;
                number += 1;
                let now = Instant::now();
                if now > until {
                    return Ok::<_, anyhow::Error>((at, number));
                }
                if now >= from {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let (at, number) = ended.map_err(|error| anyhow!("a client panicked: {error}"))??;
        last[at] = number;
    }
    let rate = counted.load(Ordering::Relaxed) as f64 / window.as_secs_f64();
    Ok(Loaded { rate, last })
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
