//! What is watched while a member runs: its core, the size of its log, the clocks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    calls::Hello,
    group::Metrics,
    handler, membership,
    node::{Leader, Node},
};
use crate::channel::Topic;

/// Between two looks at the log.
const TEND: Duration = Duration::from_millis(500);
/// Between two looks at the others' clocks.
const CLOCKS: Duration = Duration::from_secs(2);
const HELLO_PATIENCE: Duration = Duration::from_millis(500);

/// Sees the core end, in each of the three ways in which it may: a closed channel, an error in its state, and (where it
/// is called) an answer that says so.
pub(crate) async fn core(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    loop {
        if let Err(fatal) = &metrics.borrow_and_update().running_state {
            node.fail(&fatal.to_string());
            return;
        }
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() {
                node.fail("the core of the group has ended");
                return;
            },
            () = node.cancel.cancelled() => return,
        }
    }
}

/// Takes snapshots by the bytes that they save, and lets go of the log below them.
pub(crate) async fn tend(node: Arc<Node>) {
    let mut ticks = interval(TEND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut term = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.cancel.cancelled() => return,
        }
        let metrics = node.metrics();
        watch_term(&mut term, &metrics);
        let members = metrics.membership_config.membership();
        node.heard.keep(|id| members.get_node(&id).is_some());
        let result = if node.machine.weight() >= node.options.snapshot_bytes {
            node.raft.trigger().snapshot().await
        } else if let Some(snapshot) = metrics.snapshot
            && let Some(place) = node.log.purge_place(node.options.log_bytes)
        {
            let upto = place.min(snapshot.index);
            node.raft.trigger().purge_log(upto).await
        } else {
            Ok(())
        };
        if let Err(fatal) = result {
            node.fail(&fatal.to_string());
            return;
        }
    }
}

/// Without a pre-vote a member that reaches nobody makes its term grow, and deposes the leader when it is back.
fn watch_term(last: &mut Option<u64>, metrics: &Metrics) {
    const MANY: u64 = 5;
    let term = metrics.current_term;
    if let Some(before) = last.replace(term)
        && before + MANY <= term
    {
        tracing::warn!(
            term,
            before,
            "many elections: members do not reach each other"
        );
    }
}

/// Keeps a leader whose clock is off from giving leases an end that the others do not share.
pub(crate) async fn clocks(node: Arc<Node>) {
    let mut ticks = interval(CLOCKS.min(node.options.clock_skew_max * 5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.cancel.cancelled() => return,
        }
        if node.leader() != Leader::Here {
            node.clock_off.store(false, Ordering::Release);
            continue;
        }
        let skew = skew(&node).await;
        let off = skew.unsigned_abs() > node.options.clock_skew_max.as_millis() as u64;
        let was = node.clock_off.swap(off, Ordering::AcqRel);
        if off {
            if !was {
                tracing::error!(
                    skew_ms = skew,
                    "this leader's clock is off the others': it grants no lease, and hands leadership over"
                );
            }
            let deadline = Instant::now() + node.options.timings.election_max * 6;
            let handed = membership::transfer(&node, None, deadline).await;
            tracing::info!(?handed, "leadership was to be handed over");
        }
    }
}

/// Returns how far the median of all live members' clocks is ahead of this one, in milliseconds.
async fn skew(node: &Node) -> i64 {
    let metrics = node.metrics();
    let members = metrics.membership_config.membership();
    let ours = handler::hello(node);
    let mut skews = vec![0];
    for (id, peer) in members.nodes().filter(|(id, _)| **id != node.id) {
        let before = node.now_ms();
        let asked = node.ask::<_, Hello>(*id, &peer.address, Topic::Hello, &ours, HELLO_PATIENCE);
        let Ok(hello) = asked.await else { continue };
        let middle = before.midpoint(node.now_ms());
        skews.push(hello.clock_ms as i64 - middle as i64);
    }
    skews.sort_unstable();
    let (low, high) = (skews[(skews.len() - 1) / 2], skews[skews.len() / 2]);
    low.midpoint(high)
}
