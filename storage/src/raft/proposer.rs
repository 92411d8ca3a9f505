//! The proposer: a bounded queue in front of Raft, drained into few entries with many commands.
//!
//! Raft's leader makes one write of each entry, so that what is batched here is what a fsync carries.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use openraft::error::{ClientWriteError, RaftError as CoreError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    calls::Submitted,
    clock::Reading,
    group::{Command, Outcome, Proposal},
    node::{CUT_OFF, Leader, Node},
    serials,
};
use crate::{Answer, Operation, StoreError, StoreErrorKind, channel::Topic, memory};

/// Operations of one submission: a quarter of the answers that are kept.
pub(crate) const OPERATIONS_MAX: usize = 1_024;
/// Submissions that wait.
const QUEUE: usize = 4_096;
/// Bytes that wait, in KiB.
const QUEUE_KIB: usize = 64 << 10;
/// Bytes of an entry.
const ENTRY_BYTES: usize = 2 << 20;
/// Entries under way. More makes each smaller, and is slower.
const FLIGHTS: usize = 2;
/// How often the proposer steps back before it closes a batch. Those that the last entry has answered are about to submit
/// again, all at once: the first must not go alone. It takes no time where nobody else has anything to do, and gave a half
/// more commits a second with 64 callers on two cores; more steps gave no more.
const STEPS_BACK: usize = 4;
/// How long a submission waits for room in the queue.
const ROOM_WAIT: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two looks for a leader that takes operations.
const PAUSE: Duration = Duration::from_millis(20);

/// Commands on their way into the log.
pub(crate) struct Job {
    commands: Vec<Command>,
    weight: usize,
    deadline: Instant,
    /// From this node; others' are never passed on.
    local: bool,
    /// It may have reached a log.
    sent: bool,
    reply: oneshot::Sender<Submitted>,
    /// Held until it is certain that this is not tried again.
    _serials: Option<serials::Held>,
    _room: OwnedSemaphorePermit,
}

/// The way into the queue.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    serials: Arc<serials::Serials>,
}

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let queue = Self {
            jobs,
            room: Arc::new(Semaphore::new(QUEUE_KIB)),
            serials: serials::Serials::new(),
        };
        (queue, receiver)
    }

    /// Submits this node's own operations.
    pub(crate) async fn submit(
        &self,
        operations: Vec<Operation>,
        deadline: Instant,
    ) -> Result<(u64, Vec<Answer>), StoreError> {
        memory::check_submission(&operations)?;
        if operations.len() > OPERATIONS_MAX {
            let message = format!(
                "{} operations are more than {OPERATIONS_MAX}; split them",
                operations.len()
            );
            return Err(StoreError::new(StoreErrorKind::Invalid, message));
        }
        let wait = (Instant::now() + ROOM_WAIT).min(deadline);
        let held = timeout_at(wait, self.serials.take(operations.len() as u64));
        let held = held.await.map_err(|_| full())?;
        let command = Command {
            proposer: held.proposer(),
            serial: held.first(),
            operations,
        };
        let answer = self
            .enqueue(vec![command], Some(held), wait, deadline)
            .await?;
        // A little more than the flight has: its reason is the better one.
        let answer = timeout_at(deadline + PAUSE, answer).await;
        match answer {
            Ok(Ok(Submitted::Done { next, outcomes })) => match outcomes.into_iter().next() {
                Some(Outcome::Answers(answers)) => Ok((next, answers)),
                Some(Outcome::Expired) | None => Err(unknown()),
            },
            Ok(Ok(Submitted::Busy { retry_ms, reason })) => {
                let retry = Duration::from_millis(retry_ms);
                Err(StoreError::unavailable(reason, retry))
            }
            Ok(Ok(Submitted::NotLeader)) => Err(StoreError::unavailable(
                "no leader has taken it",
                RETRY_AFTER,
            )),
            Ok(Ok(Submitted::Unknown) | Err(_)) | Err(_) => Err(unknown()),
        }
    }

    /// Submits what another node passes on to its leader.
    pub(crate) async fn submit_for(&self, commands: Vec<Command>, deadline: Instant) -> Submitted {
        let wait = (Instant::now() + ROOM_WAIT).min(deadline);
        match self.enqueue(commands, None, wait, deadline).await {
            Ok(answer) => match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Submitted::Unknown,
            },
            Err(error) => Submitted::Busy {
                retry_ms: RETRY_AFTER.as_millis() as u64,
                reason: error.to_string(),
            },
        }
    }

    /// Waits until nothing waits or is under way, but not for ever.
    pub(crate) async fn drained(&self, patience: Duration) {
        let all = self.room.acquire_many(QUEUE_KIB as u32);
        let all = timeout_at(Instant::now() + patience, all).await;
        if all.is_err() {
            tracing::warn!("writes were under way when the store was closed");
        }
        // While all of it is held: who waits for room is turned away, and nothing more gets in that nobody would answer.
        self.room.close();
    }

    async fn enqueue(
        &self,
        commands: Vec<Command>,
        serials: Option<serials::Held>,
        wait: Instant,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Submitted>, StoreError> {
        let weight = commands.iter().map(Command::weight).sum::<usize>();
        let permits = (weight.div_ceil(1024)).min(QUEUE_KIB) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        let room = timeout_at(wait, room)
            .await
            .map_err(|_| full())?
            .map_err(|_| full())?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            commands,
            weight,
            deadline,
            local: serials.is_some(),
            sent: false,
            reply,
            _serials: serials,
            _room: room,
        };
        match timeout_at(wait, self.jobs.send(job)).await {
            Ok(Ok(())) => Ok(answer),
            Ok(Err(_)) => Err(StoreError::new(
                StoreErrorKind::Stopped,
                "the store is closed",
            )),
            Err(_) => Err(full()),
        }
    }
}

fn full() -> StoreError {
    StoreError::unavailable("too many writes wait", RETRY_AFTER)
}

fn unknown() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unknown,
        "nobody can say whether it was done: it was not answered in time",
    )
}

/// Takes jobs until the node is closed.
pub(crate) async fn run(node: Arc<Node>, mut jobs: mpsc::Receiver<Job>) {
    let flights = Arc::new(Semaphore::new(FLIGHTS));
    let mut paused = node.paused.subscribe();
    let mut left = VecDeque::new();
    loop {
        let Ok(permit) = Arc::clone(&flights).acquire_owned().await else {
            return;
        };
        let first = if let Some(job) = left.pop_front() {
            job
        } else {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => job,
                    None => return,
                },
                () = node.cancel.cancelled() => return,
            }
        };
        if paused.wait_for(|paused| !paused).await.is_err() {
            return;
        }
        for _ in 0..STEPS_BACK {
            tokio::task::yield_now().await;
        }
        let mut weight = first.weight;
        let mut batch = vec![first];
        while let Ok(job) = jobs.try_recv() {
            if weight + job.weight > ENTRY_BYTES {
                left.push_back(job);
                break;
            }
            weight += job.weight;
            batch.push(job);
        }
        let node = Arc::clone(&node);
        let tasks = node.tasks.clone();
        tasks.spawn(async move {
            fly(&node, batch).await;
            drop(permit);
        });
    }
}

/// Brings jobs into the log, here or through the leader, until they are answered or their time is up.
async fn fly(node: &Node, mut jobs: Vec<Job>) {
    loop {
        jobs.retain(|job| !job.reply.is_closed() || job.sent);
        let now = Instant::now();
        let (late, rest): (Vec<_>, _) = jobs.into_iter().partition(|job| job.deadline <= now);
        late.into_iter().for_each(Job::give_up);
        jobs = rest;
        if jobs.is_empty() {
            return;
        }
        let cancelled = node.cancel.is_cancelled();
        let ended = cancelled.then(|| "the store was dropped".into());
        let ended = ended.or_else(|| node.is_cut_off().then(|| CUT_OFF.into()));
        if let Some(reason) = node.stopped().or(ended) {
            tracing::debug!(%reason, "writes are given up");
            jobs.into_iter().for_each(Job::give_up);
            return;
        }
        jobs = match node.leader() {
            Leader::Here => propose(node, jobs).await,
            Leader::There { id, address } => pass_on(node, turn_away(jobs), id, &address).await,
            Leader::Nobody => turn_away(jobs),
        };
        if jobs.is_empty() {
            return;
        }
        // Whoever comes next is not known any sooner.
        tokio::select! {
            () = sleep_until(Instant::now() + PAUSE) => {}
            () = node.cancel.cancelled() => {}
        }
    }
}

impl Job {
    fn answer(self, answer: Submitted) {
        if self.reply.send(answer).is_err() {
            tracing::trace!("whoever submitted it has gone");
        }
    }

    fn give_up(self) {
        let answer = if self.sent {
            Submitted::Unknown
        } else {
            Submitted::NotLeader
        };
        self.answer(answer);
    }
}

/// Sends others' jobs back: there is one hop, no more.
fn turn_away(jobs: Vec<Job>) -> Vec<Job> {
    let (local, others): (Vec<_>, _) = jobs.into_iter().partition(|job| job.local);
    for job in others {
        // Whoever sent it tries again, under the same numbers.
        job.give_up();
    }
    local
}

/// The time until which the last of them waits.
fn deadline(jobs: &[Job]) -> Instant {
    let deadlines = jobs.iter().map(|job| job.deadline);
    deadlines.max().unwrap_or_else(Instant::now)
}

/// Makes an entry. Returns what is to be tried again.
async fn propose(node: &Node, jobs: Vec<Job>) -> Vec<Job> {
    if node.stopped().is_none() && !node.has_heard_quorum() {
        // In a moment it has, or another leads.
        return turn_away(jobs);
    }
    if let Some(reason) = node.refuses_writes() {
        let busy = |reason: &str| Submitted::Busy {
            retry_ms: RETRY_AFTER.as_millis() as u64,
            reason: reason.into(),
        };
        for job in jobs {
            let answer = if job.sent {
                Submitted::Unknown
            } else {
                busy(&reason)
            };
            job.answer(answer);
        }
        return Vec::new();
    }
    let (mut jobs, again, now_ms) = stamped(node, jobs);
    if jobs.is_empty() {
        return again;
    }
    let commands = jobs.iter().flat_map(|job| job.commands.iter().cloned());
    let proposal = Proposal {
        now_ms,
        commands: Arc::new(commands.collect()),
    };
    for job in &mut jobs {
        job.sent = true;
    }
    let written = timeout_at(deadline(&jobs), node.raft.client_write(proposal));
    let written = tokio::select! {
        written = written => written,
        // Another may lead by now, and have it or not: whoever waits here can ask there.
        () = node.cut_off() => {
            jobs.into_iter().for_each(Job::give_up);
            return again;
        }
    };
    match written {
        Ok(Ok(done)) => answer_all(jobs, done.log_id.index + 1, done.data),
        Ok(Err(CoreError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
            let again = again.into_iter().chain(jobs);
            return turn_away(again.collect());
        }
        Ok(Err(CoreError::APIError(ClientWriteError::ChangeMembershipError(error)))) => {
            tracing::error!(%error, "a write was taken for a change of the membership");
            jobs.into_iter().for_each(Job::give_up);
        }
        Ok(Err(CoreError::Fatal(fatal))) => {
            node.fail(&fatal.to_string());
            jobs.into_iter().for_each(Job::give_up);
        }
        Err(_) => jobs.into_iter().for_each(Job::give_up),
    }
    again
}

/// Returns what goes into the entry, what waits, and the entry's time. Without a clock that the others share, store time
/// stands still: leases are not touched, for they would end too early or too late.
fn stamped(node: &Node, jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>, u64) {
    let reading = node.stamp.borrow().read(node.metrics().vote);
    match reading {
        Reading::Ms(now_ms) => (jobs, Vec::new(), now_ms),
        Reading::Off => (refuse_leases(jobs), Vec::new(), 0),
        Reading::Wait => {
            let (leases, rest) = jobs.into_iter().partition(Job::has_lease);
            (rest, leases, 0)
        }
    }
}

/// Refuses grants and renewals: this leader's clock is not to be trusted with them.
fn refuse_leases(jobs: Vec<Job>) -> Vec<Job> {
    let (leases, rest): (Vec<_>, _) = jobs.into_iter().partition(Job::has_lease);
    for job in leases {
        let answer = if job.sent {
            Submitted::Unknown
        } else {
            Submitted::Busy {
                retry_ms: RETRY_AFTER.as_millis() as u64,
                reason: "the leader's clock is off; leadership is handed over".into(),
            }
        };
        job.answer(answer);
    }
    rest
}

impl Job {
    fn has_lease(&self) -> bool {
        let mut operations = self.commands.iter().flat_map(|c| &c.operations);
        operations.any(|operation| {
            matches!(
                operation,
                Operation::Acquire { .. } | Operation::Renew { .. }
            )
        })
    }
}

/// Passes jobs on to the leader. Returns what is to be tried again.
async fn pass_on(node: &Node, mut jobs: Vec<Job>, leader: u64, address: &str) -> Vec<Job> {
    if jobs.is_empty() {
        return jobs;
    }
    let commands: Vec<Command> = jobs.iter().flat_map(|job| job.commands.clone()).collect();
    let left = deadline(&jobs).saturating_duration_since(Instant::now());
    // A leader that is gone is not waited for: there may be another already.
    let patience = left.min(node.options.timings.election_max * 2);
    let answer = node.ask(leader, address, Topic::Submit, &commands, patience);
    let answer = tokio::select! {
        answer = answer => answer,
        () = node.deposed(leader) => Ok(Submitted::Unknown),
        () = node.cut_off() => Ok(Submitted::Unknown),
    };
    match answer {
        Ok(Submitted::Done { next, outcomes }) => {
            // What this node wrote it reads from then on.
            if node.wait_applied(next, deadline(&jobs)).await {
                answer_all(jobs, next, outcomes);
            } else {
                for job in &mut jobs {
                    job.sent = true;
                }
                jobs.into_iter().for_each(Job::give_up);
            }
            Vec::new()
        }
        Ok(Submitted::NotLeader) => jobs,
        Ok(Submitted::Busy { retry_ms, reason }) => {
            for job in jobs {
                let reason = reason.clone();
                let answer = if job.sent {
                    Submitted::Unknown
                } else {
                    Submitted::Busy { retry_ms, reason }
                };
                job.answer(answer);
            }
            Vec::new()
        }
        Ok(Submitted::Unknown) | Err(crate::channel::CallError::Unknown { .. }) => {
            for job in &mut jobs {
                job.sent = true;
            }
            jobs
        }
        Err(error) => {
            tracing::debug!(%error, "the leader was not reached");
            jobs
        }
    }
}

fn answer_all(jobs: Vec<Job>, next: u64, outcomes: Vec<Outcome>) {
    let mut outcomes = outcomes.into_iter();
    for job in jobs {
        let outcomes: Vec<_> = outcomes.by_ref().take(job.commands.len()).collect();
        let answer = if outcomes.len() == job.commands.len() {
            Submitted::Done { next, outcomes }
        } else {
            Submitted::Unknown
        };
        job.answer(answer);
    }
}
