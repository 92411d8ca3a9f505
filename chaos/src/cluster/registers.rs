//! Writers that change workflows' documents, each change based on what was read, and the check of what came of them.
//!
//! Each value is written once, and each write names the value on which it is based and is refused if that is not the
//! present one. So what happened to a register is a chain from its first value to its last; a write that was
//! acknowledged and is not in the chain is lost, and two of them on one value are a lost update.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use super::{
    client::Client,
    history::{Clock, First, Micros},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Between two writes of a writer: each is an entry of the journal, which is bounded.
const PACE: Duration = Duration::from_millis(150);

/// After a refusal, or a cut connection.
const PAUSE: Duration = Duration::from_millis(20);

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Acknowledged,
    /// Answered in a way that says that nothing was done.
    Refused,
    Unknown,
}

/// A write of a value, based on another. Values are greater than 0, which is what a register begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) register: usize,
    pub(super) value: u64,
    pub(super) based_on: u64,
    pub(super) began: Micros,
    pub(super) ended: Micros,
    pub(super) outcome: Outcome,
}

/// A read of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) register: usize,
    pub(super) value: u64,
    pub(super) began: Micros,
}

/// What the writers know in the end.
#[derive(Default)]
pub(super) struct Written {
    pub(super) writes: Vec<Write>,
    pub(super) reads: Vec<Seen>,
    /// How often each answer to a write came; 0 stands for none.
    pub(super) answers: BTreeMap<u16, u64>,
}

/// Writers at work.
pub(super) struct Registers {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Written>>,
}

struct Shared {
    balancer: SocketAddr,
    token: String,
    clock: Clock,
    first: First,
    next: AtomicU64,
    registers: usize,
    ending: AtomicBool,
}

/// Returns the id of a register's workflow.
pub(super) fn name(register: usize) -> String {
    format!("register-{register}")
}

/// Reads the value out of a register's document.
pub(super) fn value(document: &Value) -> anyhow::Result<u64> {
    let text = document["description"]
        .as_str()
        .context("a register has no `description`")?;
    text.parse().context("a register holds no number")
}

impl Registers {
    pub(super) fn start(
        balancer: SocketAddr,
        token: &str,
        clock: Clock,
        writers: u64,
        registers: usize,
        seed: u64,
    ) -> Self {
        let shared = Arc::new(Shared {
            balancer,
            token: token.to_owned(),
            clock,
            first: First::default(),
            next: AtomicU64::new(1),
            registers,
            ending: AtomicBool::new(false),
        });
        let writer = |index: u64| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.write(StdRng::seed_from_u64(seed ^ index)))
        };
        let writers = (0..writers).map(writer).collect();
        Self { shared, writers }
    }

    /// The first acknowledged write that was begun after a moment.
    pub(super) fn first(&self) -> &First {
        &self.shared.first
    }

    pub(super) fn finish(mut self) -> anyhow::Result<Written> {
        self.shared.ending.store(true, Ordering::Release);
        let mut all = Written::default();
        for writer in std::mem::take(&mut self.writers) {
            let part = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            all.writes.extend(part.writes);
            all.reads.extend(part.reads);
            for (status, count) in part.answers {
                *all.answers.entry(status).or_default() += count;
            }
        }
        Ok(all)
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
    }
}

impl Shared {
    fn write(&self, mut random: StdRng) -> Written {
        let mut written = Written::default();
        let mut client = Client::new(self.balancer, &self.token).within(ANSWER_WITHIN);
        while !self.ending.load(Ordering::Acquire) {
            let register = random.random_range(0..self.registers);
            match self.change(register, &mut client, &mut written) {
                Some(Outcome::Acknowledged) => std::thread::sleep(PACE),
                _ => std::thread::sleep(PAUSE),
            }
        }
        written
    }

    fn change(
        &self,
        register: usize,
        client: &mut Client,
        written: &mut Written,
    ) -> Option<Outcome> {
        let path = format!("/api/workflows/{}", name(register));
        let began = self.clock.now();
        let answer = client.call("GET", &path, "", "").ok()?;
        if answer.status != 200 {
            return None;
        }
        let etag = answer.header("etag")?.to_owned();
        let mut document: Value = serde_json::from_slice(&answer.body).ok()?;
        let based_on = value(&document).ok()?;
        written.reads.push(Seen {
            register,
            value: based_on,
            began,
        });
        let value = self.next.fetch_add(1, Ordering::Relaxed);
        document["description"] = value.to_string().into();
        let began = self.clock.now();
        let headers = format!("\r\nIf-Match: {etag}");
        let answer = client.call("PUT", &path, &headers, &document.to_string());
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        *written.answers.entry(status).or_default() += 1;
        let ended = self.clock.now();
        let outcome = match status {
            200 => Outcome::Acknowledged,
            400..=499 | 503 => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        if outcome == Outcome::Acknowledged {
            self.first.succeeded(began, ended);
        }
        written.writes.push(Write {
            register,
            value,
            based_on,
            began,
            ended,
            outcome,
        });
        Some(outcome)
    }
}

/// What came of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Acknowledged writes that are not in the chain, values that nobody wrote or that were refused, and writes that
    /// took effect before one that had ended when they began.
    pub(super) violations: Vec<String>,
    /// Reads that did not show a write which was acknowledged before they began: reads are local, so they may.
    pub(super) stale_reads: u64,
}

/// Checks the writes of all registers against the values that they hold in the end.
pub(super) fn check(written: &Written, last: &[u64]) -> Verdict {
    let mut verdict = Verdict::default();
    for (register, last) in last.iter().enumerate() {
        let writes: HashMap<u64, &Write> = written
            .writes
            .iter()
            .filter(|write| write.register == register)
            .map(|write| (write.value, write))
            .collect();
        let reads = written
            .reads
            .iter()
            .filter(|read| read.register == register);
        check_register(&writes, reads, *last, &mut verdict);
    }
    verdict
}

fn check_register<'a>(
    writes: &HashMap<u64, &Write>,
    reads: impl Iterator<Item = &'a Seen>,
    last: u64,
    verdict: &mut Verdict,
) {
    let mut chain = Vec::new();
    let mut value = last;
    while value != 0 && chain.len() <= writes.len() {
        let Some(write) = writes.get(&value) else {
            verdict
                .violations
                .push(format!("value {value} was never written"));
            return;
        };
        if write.outcome == Outcome::Refused {
            verdict
                .violations
                .push(format!("value {value} was refused and is there"));
        }
        chain.push(value);
        value = write.based_on;
    }
    chain.push(0);
    chain.reverse();
    let place: HashMap<u64, usize> = chain.iter().enumerate().map(|(at, v)| (*v, at)).collect();
    for write in writes
        .values()
        .filter(|write| write.outcome == Outcome::Acknowledged)
    {
        if !place.contains_key(&write.value) {
            verdict
                .violations
                .push(format!("acknowledged value {} is lost", write.value));
        }
    }
    // The last place that was acknowledged before a moment: acknowledged writes in the order of their ends.
    let mut ends: Vec<(Micros, usize)> = writes
        .values()
        .filter(|write| write.outcome == Outcome::Acknowledged)
        .filter_map(|write| Some((write.ended, *place.get(&write.value)?)))
        .collect();
    ends.sort_unstable();
    let mut highest = 0;
    for end in &mut ends {
        highest = highest.max(end.1);
        end.1 = highest;
    }
    let known_at = |moment: Micros| match ends.partition_point(|(end, _)| *end < moment) {
        0 => 0,
        n => ends[n - 1].1,
    };
    for (at, value) in chain.iter().enumerate().skip(1) {
        if at <= known_at(writes[value].began) {
            verdict.violations.push(format!(
                "value {value} took effect before one that was acknowledged when its write began"
            ));
        }
    }
    for read in reads {
        match place.get(&read.value) {
            Some(at) if *at < known_at(read.began) => verdict.stale_reads += 1,
            Some(_) => {}
            None => verdict
                .violations
                .push(format!("value {} was read and is not there", read.value)),
        }
    }
}

#[cfg(test)]
mod tests;
