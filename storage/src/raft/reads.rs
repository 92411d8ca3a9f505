//! Reads that see everything that was answered before them: one barrier for all that wait.

use std::{sync::Arc, time::Duration};

use openraft::{
    CommittedLeaderId,
    error::{CheckIsLeaderError, RaftError as CoreError},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

use super::{
    calls::ReadIndex,
    group::{Proposal, next_index},
    node::{CUT_OFF, Leader, Node},
};
use crate::{StoreError, StoreErrorKind, channel::Topic};

/// Reads that wait.
const WAITING: usize = 4_096;
const PAUSE: Duration = Duration::from_millis(10);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Asks for the read index, together with all others that ask.
#[derive(Debug)]
pub(crate) struct Barrier {
    waiting: mpsc::Sender<oneshot::Sender<ReadIndex>>,
}

/// Who asked.
pub(crate) type Askers = mpsc::Receiver<oneshot::Sender<ReadIndex>>;

impl Barrier {
    pub(crate) fn new() -> (Self, Askers) {
        let (waiting, askers) = mpsc::channel(WAITING);
        (Self { waiting }, askers)
    }

    /// Returns the index before which everything lies that was answered before the call, if this node leads.
    pub(crate) async fn read_index(&self, deadline: Instant) -> ReadIndex {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.waiting.send(reply).await.ok()?;
            answer.await.ok()
        };
        match timeout_at(deadline, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => ReadIndex::NotLeader,
            Err(_) => ReadIndex::NoQuorum("no quorum has confirmed the leader in time".into()),
        }
    }
}

/// Answers all that wait with one round of the quorum, and again.
pub(crate) async fn run(node: Arc<Node>, mut askers: Askers) {
    loop {
        let first = tokio::select! {
            first = askers.recv() => first,
            () = node.cancel.cancelled() => None,
        };
        let Some(first) = first else { return };
        let mut all = vec![first];
        while all.len() < WAITING
            && let Ok(next) = askers.try_recv()
        {
            all.push(next);
        }
        let answer = confirm(&node).await;
        for asker in all {
            if asker.send(answer.clone()).is_err() {
                tracing::trace!("whoever read has gone");
            }
        }
    }
}

async fn confirm(node: &Node) -> ReadIndex {
    let before = node.metrics().vote;
    if !matches!(node.leader(), Leader::Here) {
        return ReadIndex::NotLeader;
    }
    // After a start or a win, what was answered before may not be known as committed: an own entry settles it.
    if *node.announced.borrow() != Some(before) {
        return ReadIndex::NoQuorum("the leader has not committed an entry of its own yet".into());
    }
    let patience = Instant::now() + node.options.timings.election_max * 2;
    let asked = timeout_at(patience, node.raft.get_read_log_id()).await;
    match asked {
        Ok(Ok((read, _))) if node.metrics().vote == before => {
            ReadIndex::Next(next_index(read.as_ref()))
        }
        Ok(Err(CoreError::Fatal(fatal))) => {
            node.fail(&fatal.to_string());
            ReadIndex::NotLeader
        }
        Ok(Ok(_) | Err(CoreError::APIError(CheckIsLeaderError::ForwardToLeader(_)))) => {
            ReadIndex::NotLeader
        }
        Ok(Err(CoreError::APIError(CheckIsLeaderError::QuorumNotEnough(_)))) | Err(_) => {
            ReadIndex::NoQuorum("no quorum has confirmed the leader".into())
        }
    }
}

/// Waits until this node has applied everything that was answered, to anybody, before the call.
pub(crate) async fn catch_up(node: &Node) -> Result<(), StoreError> {
    let deadline = Instant::now() + node.options.read_timeout;
    let mut reason;
    loop {
        if let Some(reason) = node.stopped() {
            return Err(StoreError::new(StoreErrorKind::Stopped, reason));
        }
        let answer = tokio::select! {
            answer = ask(node, deadline) => answer,
            () = node.cut_off() => {
                return Err(StoreError::unavailable(CUT_OFF, RETRY_AFTER));
            }
        };
        match answer {
            ReadIndex::Next(next) => {
                if node.wait_applied(next, deadline).await {
                    return Ok(());
                }
                reason = "this node lags behind".into();
            }
            ReadIndex::NoQuorum(why) => reason = why,
            ReadIndex::NotLeader => reason = "no leader is known".into(),
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(StoreError::unavailable(reason, RETRY_AFTER));
        }
        sleep(PAUSE).await;
    }
}

/// Asks whoever leads for the read index.
async fn ask(node: &Node, deadline: Instant) -> ReadIndex {
    match node.leader() {
        Leader::Here => node.barrier.read_index(deadline).await,
        Leader::There { id, address } => {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = left.min(node.options.timings.election_max * 2);
            let asked = node.ask(id, &address, Topic::ReadIndex, &(), patience);
            tokio::select! {
                answer = asked => answer.unwrap_or_else(|error| ReadIndex::NoQuorum(error.to_string())),
                () = node.deposed(id) => ReadIndex::NotLeader,
            }
        }
        Leader::Nobody => ReadIndex::NotLeader,
    }
}

/// Commits an entry of its own after each start and each win.
pub(crate) async fn announce(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    loop {
        let vote = metrics.borrow_and_update().vote;
        let news = *node.announced.borrow() != Some(vote);
        if news && matches!(node.leader(), Leader::Here) {
            let proposal = Proposal {
                now_ms: 0,
                commands: Arc::default(),
            };
            let deadline = Instant::now() + node.options.write_timeout;
            let written = tokio::select! {
                written = timeout_at(deadline, node.raft.client_write(proposal)) => written,
                () = node.cancel.cancelled() => return,
            };
            if let Ok(Ok(done)) = written
                && done.log_id.leader_id == CommittedLeaderId::from(vote)
            {
                node.announced.send_replace(Some(vote));
                continue;
            }
            sleep(PAUSE).await;
            continue;
        }
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() { return },
            () = node.cancel.cancelled() => return,
        }
    }
}
