//! The wait until nothing waits any more, and the verdict.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::{
    Cluster, NODES, REGISTERS, SOON,
    effects::{Effects, Verdict},
    pushes::Sent,
    registers::{self, Written},
    report::Report,
};

/// How long a drain may take.
const WITHIN: Duration = Duration::from_mins(4);

/// How long all nodes say that nothing waits, before what is missing is taken for lost.
const QUIET: Duration = Duration::from_secs(20);

/// How many ids of each kind of fault a report lists.
const LISTED: usize = 20;

/// Waits until all is delivered, and compares.
pub(super) fn judge(
    cluster: &mut Cluster,
    sent: &Sent,
    written: &Written,
) -> anyhow::Result<Report> {
    for node in &mut cluster.nodes {
        node.wait_ready()?;
    }
    eprintln!("all nodes are up; draining");
    cluster
        .anywhere()
        .post("/api/workflows/generated/stop", &json!({}))?;
    let (pushed, generated, dead) = drain(cluster, sent)?;
    let registers = registers::check(written, &last_values(cluster)?);
    let acknowledged = sent
        .pushes
        .iter()
        .filter(|push| push.acknowledged.is_some())
        .count();
    let listed = |lists: [&Vec<String>; 2]| -> Vec<String> {
        lists.into_iter().flatten().take(LISTED).cloned().collect()
    };
    let acknowledged_writes = written
        .writes
        .iter()
        .filter(|write| write.outcome == registers::Outcome::Acknowledged)
        .count();
    Ok(Report {
        nemesis: "",
        rounds: 0,
        sent: sent.pushes.len() as u64,
        acknowledged: acknowledged as u64,
        delivered: pushed.delivered,
        lost: (pushed.lost.len() + generated.lost.len()) as u64,
        lost_ids: listed([&pushed.lost, &generated.lost]),
        dead_lettered: dead as u64,
        duplicated: pushed.duplicated,
        duplicated_by_platform: (pushed.unexplained.len() + generated.unexplained.len()) as u64,
        duplicated_ids: listed([&pushed.unexplained, &generated.unexplained]),
        generated: generated.delivered,
        stale_effects: pushed.stale + generated.stale,
        inversions: (pushed.inversions.len() + generated.inversions.len()) as u64,
        strangers: pushed.strangers.len() as u64,
        metadata_writes: acknowledged_writes as u64,
        metadata_violations: registers.violations.len() as u64,
        metadata_faults: registers.violations.into_iter().take(LISTED).collect(),
        stale_reads: registers.stale_reads,
        api_back_ms: super::Times::default(),
        workflow_back_ms: super::Times::default(),
        workflow_restarted_ms: super::Times::default(),
        api_gap_ms: super::Times::default(),
        workflow_gap_ms: super::Times::default(),
        push_answers: sent.answers.clone(),
        write_answers: written.answers.clone(),
        victims: std::collections::BTreeMap::new(),
        seed: 0,
        duration_s: 0,
    })
}

fn drain(cluster: &mut Cluster, sent: &Sent) -> anyhow::Result<(Verdict, Verdict, usize)> {
    let started = Instant::now();
    let mut quiet_since = None;
    loop {
        for node in &mut cluster.nodes {
            node.ensure_running()?;
        }
        let waiting = waiting(cluster);
        if matches!(&waiting, Ok(None)) {
            let since = *quiet_since.get_or_insert_with(Instant::now);
            let (pushed, generated, dead) = compare(cluster, sent)?;
            let whole = pushed.lost.is_empty() && generated.lost.is_empty();
            if whole || since.elapsed() > QUIET {
                return Ok((pushed, generated, dead));
            }
        } else {
            quiet_since = None;
        }
        if started.elapsed() > WITHIN {
            let (pushed, generated, _) = compare(cluster, sent)?;
            bail!(
                "the cluster does not drain: {}; {} pushed and {} generated messages are missing",
                match waiting {
                    Ok(waiting) => waiting.unwrap_or_default(),
                    Err(error) => format!("{error:#}"),
                },
                pushed.lost.len(),
                generated.lost.len()
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Says what waits on some node; nothing if nothing does.
fn waiting(cluster: &Cluster) -> anyhow::Result<Option<String>> {
    let mut client = cluster.anywhere();
    let backlogs = client.get("/api/backlogs")?;
    if backlogs["data"]
        .as_array()
        .is_none_or(|data| !data.is_empty())
    {
        return Ok(Some(backlogs.to_string()));
    }
    let pushed = client.get("/api/workflows/pushed/status")?;
    if pushed["state"] != "running" || pushed["buffered"] != 0 {
        return Ok(Some(pushed.to_string()));
    }
    let generated = client.get("/api/workflows/generated")?;
    if generated["status"]["state"] != "stopped" {
        return Ok(Some(generated.to_string()));
    }
    Ok(None)
}

fn compare(cluster: &Cluster, sent: &Sent) -> anyhow::Result<(Verdict, Verdict, usize)> {
    let mut dead = HashSet::new();
    dead_letters(cluster, "pushed", &mut dead)?;
    dead_letters(cluster, "generated", &mut dead)?;
    let database = &cluster.database;
    let pushed = Effects::read(database, "pushed", "pushed", "key")?;
    let generated = Effects::read(database, "generated", "generated", "'g'")?;
    Ok((
        pushed.judge_pushed(&sent.pushes, &dead),
        generated.judge_generated(&dead),
        dead.len(),
    ))
}

fn dead_letters(
    cluster: &Cluster,
    workflow: &str,
    dead: &mut HashSet<String>,
) -> anyhow::Result<()> {
    let path = format!("/api/workflows/{workflow}/dead-letters?closed=true&limit=1000");
    let page = cluster.anywhere().get(&path)?;
    let silent = |node: &Value| node["answered"] != true;
    let nodes = page["nodes"].as_array().context("no node was asked")?;
    ensure!(
        !nodes.iter().any(silent),
        "a node does not say its dead letters: {page}"
    );
    let letters = page["data"].as_array().context("there is no list")?;
    ensure!(
        letters.len() < 1000,
        "there are more dead letters than can be listed"
    );
    let ids = letters
        .iter()
        .filter_map(|letter| letter["message_id"].as_str());
    dead.extend(ids.map(str::to_owned));
    Ok(())
}

/// Reads the registers' last values, on which all nodes must come to agree.
fn last_values(cluster: &Cluster) -> anyhow::Result<Vec<u64>> {
    let started = Instant::now();
    loop {
        let mut all = Vec::new();
        for node in 0..NODES {
            let mut client = cluster.at(node);
            let values = (0..REGISTERS)
                .map(|register| {
                    let path = format!("/api/workflows/{}", registers::name(register));
                    registers::value(&client.get(&path)?)
                })
                .collect::<anyhow::Result<Vec<u64>>>()?;
            all.push(values);
        }
        if all.iter().all(|values| *values == all[0]) {
            return Ok(all.swap_remove(0));
        }
        ensure!(
            started.elapsed() < SOON,
            "the nodes do not agree on what was written: {all:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
