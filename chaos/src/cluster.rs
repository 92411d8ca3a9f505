//! Three real nodes behind a balancer, one of which is killed, stopped or cut off again and again, while messages are
//! pushed, messages are generated and documents are changed.
//!
//! What was answered is kept in this process; what came of it stands in a PostgreSQL of the run's own and in the
//! cluster's store. When all nodes are back and nothing waits any more, the two are compared. SIGKILL leaves the page
//! cache in place: this covers the death of processes, not of machines.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::prove::RunDir;

mod balancer;
mod client;
mod database;
mod drain;
mod effects;
mod history;
mod nemesis;
mod network;
mod node;
mod process;
mod pushes;
mod registers;
mod report;
mod rounds;

pub use nemesis::Nemesis;
pub use report::{Report, Times};

use balancer::Balancer;
use client::Client;
use database::Database;
use history::Clock;
use network::Network;
use node::{Node, Settings};
use pushes::Pushes;
use registers::Registers;
use rounds::Rounds;

const NODES: usize = 3;
const SENDERS: u32 = 8;
const KEYS: u32 = 32;
const WRITERS: u64 = 4;
const REGISTERS: usize = 4;

/// Messages a second that the generator makes.
const GENERATED_RATE: u64 = 50;

/// How long a healthy cluster may take for what it does in milliseconds, on a machine that is busy with all of it.
const SOON: Duration = Duration::from_mins(1);

/// What a run is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's program.
    pub program: PathBuf,
    /// What is done to the nodes.
    pub nemesis: Nemesis,
    /// How often; at least 1.
    pub rounds: u32,
    /// Seed of all choices. `None` takes a random one; the report names it.
    pub seed: Option<u64>,
    /// How long a lease lasts; at least 8 s.
    pub lease_ttl: Duration,
    /// Directory of the run, empty or missing. `None` takes a temporary one, which is kept unless the run holds.
    pub dir: Option<PathBuf>,
}

/// Does a run to its verdict. Progress goes to standard error.
///
/// # Errors
/// Whatever leaves the run without a verdict: a node that does not start or ends by itself, a workflow that does not come
/// back, messages that wait for ever. A broken promise is not an error but a report: see [`Report::holds`].
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let dir = RunDir::make(options.dir.as_deref(), "hermod-chaos-")?;
    let place = fs::canonicalize(dir.path())?;
    let seed = options.seed.unwrap_or_else(rand::random);
    match play(options, &place, seed) {
        Ok(report) => {
            if !report.holds() {
                eprintln!("the run is kept in `{}`", dir.keep().display());
            }
            Ok(report)
        }
        Err(error) => {
            let kept = dir.keep();
            let kept = kept.display();
            Err(error.context(format!(
                "no verdict; seed {seed}, the run is kept in `{kept}`"
            )))
        }
    }
}

fn play(options: &Options, dir: &Path, seed: u64) -> anyhow::Result<Report> {
    let mut random = StdRng::seed_from_u64(seed);
    let clock = Clock::start();
    let mut cluster = Cluster::start(options, dir)?;
    let balancer = cluster.balancer.address();
    let pushes = Pushes::start(balancer, clock, SENDERS, KEYS);
    let registers = Registers::start(
        balancer,
        &cluster.token,
        clock,
        WRITERS,
        REGISTERS,
        random.random(),
    );
    let mut rounds = Rounds::new(&mut cluster, &pushes, &registers, clock);
    rounds.wait_until_busy()?;
    for round in 0..options.rounds {
        rounds
            .play(options.nemesis, &mut random)
            .with_context(|| format!("round {}", round + 1))?;
    }
    let measured = rounds.finish();
    let written = registers.finish()?;
    let sent = pushes.finish()?;
    let mut report = drain::judge(&mut cluster, &sent, &written)?;
    if !report.holds() {
        cluster.database.dump(dir)?;
    }
    report.nemesis = options.nemesis.name();
    report.rounds = options.rounds;
    report.api_back_ms = Times::of(measured.api_back);
    report.workflow_back_ms = Times::of(measured.workflow_back);
    report.workflow_restarted_ms = Times::of(measured.workflow_restarted);
    report.api_gap_ms = Times::of(measured.api_gap);
    report.workflow_gap_ms = Times::of(measured.workflow_gap);
    report.victims = measured.victims;
    report.seed = seed;
    report.duration_s = clock.now() / 1_000_000;
    Ok(report)
}

/// Everything that runs. Fields are dropped in this order: processes before their network.
struct Cluster {
    nodes: Vec<Node>,
    balancer: Balancer,
    database: Database,
    network: Network,
    settings: Settings,
    token: String,
}

impl Cluster {
    fn start(options: &Options, dir: &Path) -> anyhow::Result<Self> {
        let network = if options.nemesis.cuts() {
            Network::namespaces(NODES)?
        } else {
            Network::Loopback
        };
        let mut nodes = (0..NODES)
            .map(|index| Node::place(dir, index, &network))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let peers: Vec<String> = nodes.iter().map(Node::peer).collect();
        let settings = Settings {
            program: fs::canonicalize(&options.program)
                .with_context(|| format!("cannot find `{}`", options.program.display()))?,
            lease_ttl: options.lease_ttl,
            secret: dir.join("cluster.secret"),
            peers: peers.join(","),
        };
        private(&settings.secret)?;
        let database = Database::start(network.outside(), &dir.join("postgres.log"))?;
        for node in &mut nodes {
            node.start(&settings, &network)?;
        }
        for node in &mut nodes {
            node.wait_ready()?;
        }
        let addresses: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
        let balancer = Balancer::start(dir, &addresses)?;
        let password_file = dir.join("admin.password");
        let password = private(&password_file)?;
        nodes[0].set_up(&settings, &password_file)?;
        let token = client::token(nodes[0].address(), &password)?;
        let cluster = Self {
            nodes,
            balancer,
            database,
            network,
            settings,
            token,
        };
        cluster.make_workflows()?;
        Ok(cluster)
    }

    /// A client of one node, which answers for itself.
    fn at(&self, node: usize) -> Client {
        Client::new(self.nodes[node].address(), &self.token)
    }

    /// A client of whichever node the balancer picks.
    fn anywhere(&self) -> Client {
        Client::new(self.balancer.address(), &self.token)
    }

    fn make_workflows(&self) -> anyhow::Result<()> {
        let mut client = self.at(0);
        client.post("/api/workflows/import", &self.pushed())?;
        client.post("/api/workflows/pushed/start", &json!({}))?;
        let started = std::time::Instant::now();
        // The sink makes the table of tokens when it opens, before anything is pushed.
        while !self.database.watch_tokens()? {
            anyhow::ensure!(started.elapsed() < SOON, "the sink does not open");
            std::thread::sleep(Duration::from_millis(50));
        }
        client.post("/api/workflows/import", &self.generated())?;
        client.post("/api/workflows/generated/start", &json!({}))?;
        for register in 0..REGISTERS {
            let mut workflow =
                workflow(&registers::name(register), "delivered", "made", "generated");
            workflow["description"] = "0".into();
            client.post("/api/workflows", &workflow)?;
        }
        Ok(())
    }

    fn pushed(&self) -> serde_json::Value {
        json!({
            "workflow": workflow("pushed", "durable", "hook", "pushed"),
            "sources": [{"id": "hook", "type": "webhook", "config": {"path": "chaos", "key_field": "key"}}],
            "sinks": [self.sink("pushed", &["$id id", "key key", "n n"])],
        })
    }

    fn generated(&self) -> serde_json::Value {
        json!({
            "workflow": workflow("generated", "delivered", "made", "generated"),
            "sources": [{"id": "made", "type": "generator", "config": {"rate": GENERATED_RATE, "size": 100}}],
            "sinks": [self.sink("generated", &["$id id", "index n"])],
        })
    }

    /// Inserts only: rows that are there already are not replaced, so that doubles show.
    fn sink(&self, table: &str, columns: &[&str]) -> serde_json::Value {
        let column = |text: &&str| {
            let (from, to) = text.split_once(' ').unwrap_or((text, text));
            json!({"source_field": from, "target_column": to})
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        json!({
            "id": table,
            "type": "postgres",
            "config": {
                "connection_string": self.database.url(),
                "table": table,
                "operation_mode": "insert",
                "columns": columns,
            },
        })
    }
}

fn workflow(id: &str, level: &str, source: &str, sink: &str) -> serde_json::Value {
    json!({
        "id": id,
        "name": id,
        "acknowledge": level,
        "nodes": [
            {"id": "in", "type": "source", "ref_id": source},
            {"id": "out", "type": "sink", "ref_id": sink},
        ],
        "edges": [{"id": "e1", "source_id": "in", "target_id": "out"}],
    })
}

/// Writes a random secret into a file that only its owner reads; returns it.
fn private(path: &Path) -> anyhow::Result<String> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let secret = format!("{:032x}", rand::random::<u128>());
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")?;
    Ok(secret)
}
