//! What is watched while a member runs: its core, the size of its log.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{group::Metrics, node::Node};

/// Between two looks at the log.
const TEND: Duration = Duration::from_millis(500);

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
