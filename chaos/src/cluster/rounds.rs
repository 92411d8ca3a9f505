//! The rounds: a deed, the wait until all works without the victim, and its return.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use rand::rngs::StdRng;
use rustix::process::Signal;

use super::{
    Cluster, NODES, SOON,
    history::{Clock, First},
    nemesis::{Deed, Nemesis, Round, Victim},
    pushes::Pushes,
    registers::Registers,
};

/// How much longer than a lease a node is away, so that it has been taken over when it returns.
const BEYOND_THE_LEASE: Duration = Duration::from_secs(2);

/// What was measured in all rounds.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) api_back: Vec<Duration>,
    pub(super) workflow_back: Vec<Duration>,
    pub(super) workflow_restarted: Vec<Duration>,
    pub(super) api_gap: Vec<Duration>,
    pub(super) workflow_gap: Vec<Duration>,
    pub(super) victims: BTreeMap<&'static str, u32>,
}

/// The rounds of a run.
pub(super) struct Rounds<'a> {
    cluster: &'a mut Cluster,
    pushes: &'a Pushes,
    registers: &'a Registers,
    clock: Clock,
    measured: Measured,
    played: u32,
}

/// Who a node is at a moment.
struct Roles {
    leader: usize,
    owner: usize,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        cluster: &'a mut Cluster,
        pushes: &'a Pushes,
        registers: &'a Registers,
        clock: Clock,
    ) -> Self {
        Self {
            cluster,
            pushes,
            registers,
            clock,
            measured: Measured::default(),
            played: 0,
        }
    }

    pub(super) fn finish(self) -> Measured {
        self.measured
    }

    /// Waits until messages are acknowledged and documents are written.
    pub(super) fn wait_until_busy(&mut self) -> anyhow::Result<()> {
        self.arm();
        self.wait_for(self.pushes.first(), "no message is acknowledged")?;
        self.wait_for(self.registers.first(), "no document can be written")?;
        Ok(())
    }

    /// Plays one round.
    pub(super) fn play(&mut self, nemesis: Nemesis, random: &mut StdRng) -> anyhow::Result<()> {
        let round = Round::draw(nemesis, NODES, random);
        std::thread::sleep(round.calm);
        let roles = self.roles()?;
        let victim = match round.victim {
            Victim::Leader => roles.leader,
            Victim::Owner => roles.owner,
            Victim::Any(index) => index,
        };
        let owned = victim == roles.owner;
        self.count(&roles, victim);

        self.strike(round.deed, victim)?;
        self.arm();
        let restarted_at_once = matches!(
            round.deed,
            Deed::Kill {
                until_taken_over: false
            }
        );
        match round.deed {
            Deed::Kill { until_taken_over } => {
                if until_taken_over && owned {
                    self.wait_for(self.pushes.first(), "the workflow is not taken over")?;
                }
                std::thread::sleep(round.hold);
            }
            Deed::Pause | Deed::Partition(_) => {
                let lease = self.cluster.settings.lease_ttl;
                std::thread::sleep(lease + BEYOND_THE_LEASE + round.hold);
            }
        }
        self.relent(round.deed, victim)?;
        let api = self.wait_for(self.registers.first(), "no document can be written")?;
        let workflow = self.wait_for(self.pushes.first(), "no message is acknowledged")?;
        self.measured.api_back.push(api);
        if owned && restarted_at_once {
            self.measured.workflow_restarted.push(workflow);
        } else if owned {
            self.measured.workflow_back.push(workflow);
        }
        let ready = self.cluster.nodes[victim].wait_ready()?;
        let now = self.clock.now();
        self.measured.api_gap.push(self.registers.first().gap(now));
        let gap = self.pushes.first().gap(now);
        if owned && !restarted_at_once {
            self.measured.workflow_gap.push(gap);
        }
        // With all three there again, everything works.
        self.arm();
        self.wait_for(self.pushes.first(), "no message is acknowledged")?;
        self.wait_for(self.registers.first(), "no document can be written")?;
        self.played += 1;
        eprintln!(
            "round {}: {:?} of n{}{}{}; API back in {} ms, pushes in {} ms (longest gap {} ms), ready in {} ms; {} acknowledged",
            self.played,
            round.deed,
            victim + 1,
            if owned { ", owner" } else { "" },
            if victim == roles.leader {
                ", leader"
            } else {
                ""
            },
            api.as_millis(),
            workflow.as_millis(),
            gap.as_millis(),
            ready.as_millis(),
            self.pushes.acknowledged(),
        );
        Ok(())
    }

    fn count(&mut self, roles: &Roles, victim: usize) {
        let who = match (victim == roles.leader, victim == roles.owner) {
            (true, true) => "leader_and_owner",
            (true, false) => "leader",
            (false, true) => "owner",
            (false, false) => "neither",
        };
        *self.measured.victims.entry(who).or_default() += 1;
    }

    fn strike(&mut self, deed: Deed, victim: usize) -> anyhow::Result<()> {
        match deed {
            Deed::Kill { .. } => self.cluster.nodes[victim].kill(),
            Deed::Pause => self.cluster.nodes[victim].signal(Signal::STOP),
            Deed::Partition(cut) => self.cluster.network.cut(victim, cut),
        }
    }

    fn relent(&mut self, deed: Deed, victim: usize) -> anyhow::Result<()> {
        let Cluster {
            nodes,
            settings,
            network,
            ..
        } = &mut *self.cluster;
        match deed {
            Deed::Kill { .. } => nodes[victim].start(settings, network),
            Deed::Pause => nodes[victim].signal(Signal::CONT),
            Deed::Partition(_) => network.heal(victim),
        }
    }

    /// Asks who leads, and who owns the workflow that is pushed to.
    fn roles(&self) -> anyhow::Result<Roles> {
        let started = Instant::now();
        loop {
            let mut client = self.cluster.anywhere();
            let cluster = client.get_within("/api/cluster", SOON)?;
            let workflow = client.get_within("/api/workflows/pushed", SOON)?;
            let index = |name: Option<&str>| {
                let nodes = &self.cluster.nodes;
                nodes
                    .iter()
                    .position(|node| Some(node.name.as_str()) == name)
            };
            let (leader, owner) = (
                index(cluster["leader"].as_str()),
                index(workflow["owner"].as_str()),
            );
            if let (Some(leader), Some(owner)) = (leader, owner) {
                return Ok(Roles { leader, owner });
            }
            ensure!(
                started.elapsed() < SOON,
                "there is no leader or no owner: {cluster} {workflow}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn arm(&self) {
        let now = self.clock.now();
        self.pushes.first().arm(now);
        self.registers.first().arm(now);
    }

    fn wait_for(&mut self, first: &First, otherwise: &str) -> anyhow::Result<Duration> {
        let started = Instant::now();
        loop {
            for node in &mut self.cluster.nodes {
                node.ensure_running()?;
            }
            if let Some(after) = first.after() {
                return Ok(after);
            }
            if started.elapsed() > SOON {
                let seen = match self.cluster.anywhere().get("/api/workflows/pushed") {
                    Ok(workflow) => workflow.to_string(),
                    Err(error) => format!("{error:#}"),
                };
                bail!("{otherwise} within {} s: {seen}", SOON.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
