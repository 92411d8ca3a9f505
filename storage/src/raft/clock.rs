//! The leader's clock, by which leases end: what entries are stamped with, and when they are not.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    calls::Hello,
    group::Vote,
    handler, membership,
    node::{Leader, Node},
};
use crate::channel::Topic;

/// Between two looks at the others' clocks.
const CLOCKS: Duration = Duration::from_secs(2);
const HELLO_PATIENCE: Duration = Duration::from_millis(500);

/// What is known of this node's clock while it leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stamp {
    /// It was not compared with the others' since the node was elected.
    Unknown,
    /// It said so then; from there on time is counted, so that a clock that leaps takes no lease along.
    Good { vote: Vote, at: Instant, ms: u64 },
    /// It is off the others'.
    Off { vote: Vote },
}

/// What an entry may be stamped with now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is not known yet: leases wait.
    Wait,
    Ms(u64),
    /// Leases are refused.
    Off,
}

impl Stamp {
    /// Reads it under a vote: what is known under an older one is not known any more.
    pub(crate) fn read(&self, under: Vote) -> Reading {
        match *self {
            Self::Good { vote, at, ms } if vote == under => {
                // Both parts lack a fraction of a millisecond: together they must not be behind the clock.
                Reading::Ms(ms + at.elapsed().as_millis() as u64 + 1)
            }
            Self::Off { vote } if vote == under => Reading::Off,
            Self::Good { .. } | Self::Off { .. } | Self::Unknown => Reading::Wait,
        }
    }
}

/// Keeps a leader whose clock is off from giving leases an end that the others do not share.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut ticks = interval(CLOCKS.min(node.options.clock_skew_max * 5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut metrics = node.raft.metrics();
    loop {
        let vote = metrics.borrow_and_update().vote;
        let unknown = node.stamp.borrow().read(vote) == Reading::Wait;
        let leads = node.leader() == Leader::Here;
        if leads && unknown {
            check(&node, vote).await;
        }
        tokio::select! {
            _ = ticks.tick() => if leads && !unknown {
                check(&node, vote).await;
            },
            changed = metrics.changed() => if changed.is_err() { return },
            () = node.cancel.cancelled() => return,
        }
    }
}

async fn check(node: &Arc<Node>, vote: Vote) {
    let skew = skew(node).await;
    if skew.unsigned_abs() <= node.options.clock_skew_max.as_millis() as u64 {
        node.stamp.send_replace(Stamp::Good {
            vote,
            at: Instant::now(),
            ms: node.now_ms(),
        });
        return;
    }
    let before = node.stamp.send_replace(Stamp::Off { vote });
    if before.read(vote) != Reading::Off {
        tracing::error!(
            skew_ms = skew,
            "this leader's clock is off the others': it grants no lease, and hands leadership over"
        );
    }
    let deadline = Instant::now() + node.options.timings.election_max * 6;
    let handed = tokio::select! {
        handed = membership::transfer(node, None, deadline) => handed,
        () = node.cancel.cancelled() => return,
    };
    tracing::info!(?handed, "leadership was to be handed over");
}

/// Returns how far the median of all live members' clocks is ahead of this one, in milliseconds.
async fn skew(node: &Node) -> i64 {
    let metrics = node.metrics();
    let members = metrics.membership_config.membership();
    let ours = handler::hello(node);
    let others = members.nodes().filter(|(id, _)| **id != node.id);
    let asked = others.map(|(id, peer)| async {
        let before = node.now_ms();
        let asked = node.ask::<_, Hello>(*id, &peer.address, Topic::Hello, &ours, HELLO_PATIENCE);
        let hello = asked.await.ok()?;
        let middle = before.midpoint(node.now_ms());
        Some(hello.clock_ms as i64 - middle as i64)
    });
    let mut skews = vec![0];
    skews.extend(
        futures_util::future::join_all(asked)
            .await
            .into_iter()
            .flatten(),
    );
    skews.sort_unstable();
    let (low, high) = (skews[(skews.len() - 1) / 2], skews[skews.len() / 2]);
    low.midpoint(high)
}
