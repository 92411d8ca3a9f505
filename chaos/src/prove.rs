//! The proof: a node is killed again and again while messages are pushed to it, and in the end everything that
//! it has acknowledged must be in the sink's file, in order per key.
//!
//! The node is a child process (`PROGRAM run BUNDLE`) with a webhook as source and a file as sink, at level
//! `durable`. Each key belongs to one connection, which sends the key's messages one after the other; a message
//! whose outcome is unknown is sent again, under the same id, before the key's next one. Every answer 200 goes
//! into a ledger in this process, which is not killed. SIGKILL leaves the page cache in place: the proof covers
//! the death of the process, not of the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, bail, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{Machine, clock::rfc3339};

mod check;
mod drain;
mod load;
mod message;
mod moment;
pub(crate) mod node;
mod report;

pub use report::Report;

use load::Load;
use message::Messages;
use moment::Moment;
use node::Node;

/// How long a node may take from its start to its first acknowledgement. Recovery does not grow with the
/// backlog, so this is far beyond what a busy machine needs.
const START_WITHIN: Duration = Duration::from_mins(1);

/// How long a node may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_mins(1);

/// What a proof is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's program.
    pub program: PathBuf,
    /// How this run was called, for the report.
    pub command: String,
    /// How often the node is killed; at least 1.
    pub cycles: u32,
    /// Seed of the moments at which it is killed. `None` takes a random one; the report names it.
    pub seed: Option<u64>,
    /// Connections that push at the same time; at least 1.
    pub connections: usize,
    /// Keys over which the messages are spread; at least as many as connections.
    pub keys: usize,
    /// Directory of the run, empty or missing. `None` takes a temporary one, which is removed after a proof
    /// that holds, and kept otherwise.
    pub dir: Option<PathBuf>,
    /// Port of the node. `None` takes a free one.
    pub port: Option<u16>,
    /// How long the node may hold messages without delivering any, before that is taken for a failure. Default
    /// 60 s, longer than it waits between two tries at a sink that does not answer.
    pub stuck_after: Duration,
}

impl Options {
    /// Returns the defaults for a program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            command: String::new(),
            cycles: 20,
            seed: None,
            connections: 8,
            keys: 16,
            dir: None,
            port: None,
            stuck_after: Duration::from_mins(1),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.cycles > 0, "`cycles` must be at least 1");
        ensure!(self.connections > 0, "`connections` must be at least 1");
        ensure!(
            self.keys >= self.connections,
            "`keys` must be at least as many as `connections`, since a key belongs to one connection"
        );
        Ok(())
    }
}

/// Runs a proof to its verdict.
///
/// # Errors
/// Whatever leaves the proof without a verdict: a node that does not start, ends by itself, refuses a message,
/// or still holds messages at the drain's deadline. A loss is not an error but a report: see
/// [`Report::holds`].
pub fn run(options: &Options) -> anyhow::Result<Report> {
    options.check()?;
    let dir = RunDir::make(options.dir.as_deref(), "hermod-prove-")?;
    let report = match prove(options, dir.path()) {
        Ok(report) => report,
        Err(error) => {
            let kept = dir.keep();
            return Err(error.context(format!(
                "no verdict; the run is kept in `{}`",
                kept.display()
            )));
        }
    };
    if !report.holds() {
        dir.keep();
    }
    Ok(report)
}

fn prove(options: &Options, dir: &Path) -> anyhow::Result<Report> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let (started_at, started) = (SystemTime::now(), Instant::now());
    let port = options.port.map_or_else(node::free_port, Ok)?;
    let place = node::Place::make(dir, &options.program, port)?;
    let messages = Messages::new(random.random());
    let load = Load::start(options, place.port(), messages);

    for _ in 0..options.cycles {
        let node = Node::start(&place)?;
        work_until(&load, &node, Moment::draw(&mut random))?;
        node.kill()?;
    }
    let node = Node::start(&place)?;
    let (before, resting) = (load.acknowledged(), Instant::now());
    while load.acknowledged() == before {
        node.ensure_running()?;
        load.ensure_running()?;
        ensure!(
            resting.elapsed() < START_WITHIN,
            place.failure("the node does not acknowledge")
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let ledger = load.finish()?;
    let mut checker = check::Checker::new(messages, &ledger.keys);
    let mut delivered = drain::Delivered::open(place.delivered());
    drain::wait(&node, &mut delivered, &mut checker, options.stuck_after)?;
    node.terminate(STOP_WITHIN)?;
    delivered.read(&mut checker)?;
    ensure!(
        !delivered.ends_torn(),
        "the sink's file ends within a line after a clean stop"
    );

    Ok(Report {
        cycles: options.cycles,
        kills: options.cycles,
        sent: ledger.sent(),
        acknowledged: ledger.acknowledged(),
        repeated: ledger.repeated,
        verdict: checker.verdict(),
        seed,
        connections: options.connections,
        keys: options.keys,
        started_at: rfc3339(started_at),
        duration_s: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        machine: Machine::of(dir),
        command: options.command.clone(),
    })
}

/// Lets a node work until the moment at which it is to be killed.
fn work_until(load: &Load, node: &Node, moment: Moment) -> anyhow::Result<()> {
    let started = Instant::now();
    let before = load.acknowledged();
    let wait = match moment {
        Moment::AfterStart(wait) => wait,
        Moment::UnderLoad(wait) => {
            while load.acknowledged() == before {
                node.ensure_running()?;
                load.ensure_running()?;
                if started.elapsed() > START_WITHIN {
                    bail!(node.failure("the node does not acknowledge anything after its start"));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            wait
        }
    };
    std::thread::sleep(wait);
    load.ensure_running()?;
    node.ensure_running()
}

/// The run's directory: given and kept, or temporary and kept only when it is needed to look into.
pub(crate) enum RunDir {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl RunDir {
    pub(crate) fn make(given: Option<&Path>, prefix: &str) -> anyhow::Result<Self> {
        let Some(path) = given else {
            let made = tempfile::Builder::new().prefix(prefix).tempdir();
            return Ok(Self::Temporary(
                made.context("a temporary directory cannot be made")?,
            ));
        };
        fs::create_dir_all(path).with_context(|| format!("cannot make `{}`", path.display()))?;
        let mut entries =
            fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        // What another run has left there would be counted as delivered by this one.
        ensure!(
            entries.next().is_none(),
            "`{}` is not empty",
            path.display()
        );
        Ok(Self::Given(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }

    pub(crate) fn keep(self) -> PathBuf {
        match self {
            Self::Given(path) => path,
            Self::Temporary(dir) => dir.keep(),
        }
    }
}
