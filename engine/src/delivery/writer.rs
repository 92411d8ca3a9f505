//! Writes one part of a sink's work until each of its messages is written or a dead letter.

use std::time::Duration;

use hermod_sdk::{ConnectorError, ErrorKind, Message, Outcome, Policy, Sink, Text, Written};

use super::{
    Delivery,
    part::{Attempt, Part},
};
use crate::{
    buffer::Hole,
    clock,
    dead_letter::{self, Origin},
    document::OnOutage,
    pass::store_dead_letters,
    pipeline::Stop,
    progress::Mark,
};

/// How the writing of a part ended.
pub(super) enum End {
    /// Everything is settled; the cursor may pass.
    Done(Mark),
    /// The sink refuses the part as a whole; nothing of it is written.
    Refused(Part),
}

/// What a round of writing left to do.
enum Round {
    /// Something was written or settled; begin the backoff anew.
    Progress,
    /// Nothing moved; wait at least this long.
    Wait(Duration),
}

impl Delivery {
    pub(super) async fn write_part(
        &self,
        sink: &mut dyn Sink,
        mut part: Part,
    ) -> Result<End, Stop> {
        let mut backoff = self.backoff();
        let mut outage = 0;
        while !part.is_empty() {
            let batch = part.lend(&self.context.stream, self.context.epoch);
            let result = sink.write(&batch).await;
            part.take_back(batch);
            let round = match result {
                Ok(Written::All) => {
                    self.confirmed(part.len(), part.oldest_ms());
                    part.clear();
                    Round::Progress
                }
                Ok(Written::Each(outcomes)) => {
                    self.settle(&mut part, outcomes, &mut outage).await?
                }
                Err(error) => match error.kind().policy() {
                    Policy::DeadLetter if part.divisible() => return Ok(End::Refused(part)),
                    Policy::DeadLetter => self.refused(&mut part, &error).await?,
                    Policy::Pause if self.gives_up(outage) => {
                        self.give_up(&mut part, &error).await?;
                        Round::Progress
                    }
                    Policy::Pause | Policy::Stop => {
                        outage += 1;
                        self.pause(&error, "write", &mut backoff).await?;
                        continue;
                    }
                },
            };
            match round {
                Round::Progress => backoff.reset(),
                Round::Wait(_) if part.is_empty() => {}
                Round::Wait(least) => tokio::time::sleep(least.max(backoff.next_delay())).await,
            }
        }
        self.board.block(self.index, None);
        Ok(End::Done(part.mark()))
    }

    fn gives_up(&self, outage: u32) -> bool {
        self.plan.on_outage == OnOutage::DeadLetter && outage >= self.plan.retry.max_retries
    }

    fn confirmed(&self, messages: usize, oldest_ms: Option<i64>) {
        self.writes.inc_by(messages as u64);
        if let Some(oldest) = oldest_ms {
            self.duration
                .observe((clock::now_ms() - oldest).max(0) as f64 / 1000.0);
        }
    }

    /// Applies the outcomes of a batch; what stays in the part must be written again.
    async fn settle(
        &self,
        part: &mut Part,
        outcomes: Vec<Outcome>,
        outage: &mut u32,
    ) -> Result<Round, Stop> {
        if outcomes.len() != part.len() {
            let (got, want) = (outcomes.len(), part.len());
            let reason = format!("sink `{}` gave {got} outcomes for {want} messages", self.id);
            return Err(Stop::failed(reason));
        }
        let oldest = part.oldest_ms();
        let give_up = self.gives_up(*outage);
        let (mut written, mut wait, mut blocked) = (0, Duration::ZERO, None);
        let (mut retried, mut rejected) = (false, false);
        let mut dead = Vec::new();
        for (mut attempt, outcome) in part.drain().zip(outcomes) {
            match outcome {
                Outcome::Written => written += 1,
                Outcome::Rejected { reason } => {
                    rejected = true;
                    self.count_failure();
                    attempt.refusals += 1;
                    if attempt.refusals > self.plan.retry.max_retries {
                        dead.push(self.entry(attempt, ErrorKind::Rejected, &reason));
                    } else {
                        blocked = Some(reason);
                        part.put(attempt);
                    }
                }
                Outcome::Retry { reason, .. } if give_up => {
                    dead.push(self.entry(attempt, ErrorKind::Unavailable, &reason));
                }
                Outcome::Retry { reason, after } => {
                    self.count_failure();
                    retried = true;
                    wait = wait.max(after.unwrap_or_default());
                    blocked = Some(reason);
                    part.put(attempt);
                }
            }
        }
        let moved = written > 0 || !dead.is_empty();
        // What stands behind a rejected message was not tried; that is no outage.
        let down = retried && !rejected;
        *outage = if moved { 0 } else { *outage + u32::from(down) };
        if written > 0 {
            self.confirmed(written, oldest);
        }
        self.board.block(self.index, blocked);
        self.dead_letter(dead).await?;
        Ok(if moved && wait.is_zero() {
            Round::Progress
        } else {
            Round::Wait(wait)
        })
    }

    /// Handles a message that the sink refuses though it is alone.
    async fn refused(&self, part: &mut Part, error: &ConnectorError) -> Result<Round, Stop> {
        self.count_failure();
        let mut dead = Vec::new();
        for mut attempt in part.drain() {
            attempt.refusals += 1;
            if attempt.refusals > self.plan.retry.max_retries {
                dead.push(self.entry(attempt, error.kind(), &error.report()));
            } else {
                part.put(attempt);
            }
        }
        self.board.block(self.index, Some(error.report()));
        self.dead_letter(dead).await?;
        Ok(Round::Wait(error.retry_after().unwrap_or_default()))
    }

    async fn give_up(&self, part: &mut Part, error: &ConnectorError) -> Result<(), Stop> {
        let report = error.report();
        let dead = part
            .drain()
            .map(|attempt| self.entry(attempt, error.kind(), &report));
        self.dead_letter(dead.collect()).await
    }

    fn entry(&self, attempt: Attempt, kind: ErrorKind, reason: &str) -> dead_letter::Entry {
        dead_letter::Entry {
            message: attempt.record.message,
            origin: Origin::Sink(self.id.clone()),
            sinks: vec![self.id.clone()],
            kind: Text::from_static(kind.name()),
            reason: reason.to_owned(),
            attempts: attempt.refusals.max(1),
            time_ms: clock::now_ms(),
        }
    }

    /// The dead letter that stands for messages that cannot be read.
    pub(super) fn lost(&self, hole: &Hole) -> dead_letter::Entry {
        let Hole {
            stream,
            from,
            to,
            segment,
            offset,
        } = hole;
        let last = to.saturating_sub(1);
        dead_letter::Entry {
            message: Message::new(format!("{stream}/{from}-{last}"), Vec::new()),
            origin: Origin::Log(format!("segment {segment}, offset {offset}").into()),
            sinks: vec![self.id.clone()],
            kind: Text::from_static("damaged"),
            reason: format!(
                "messages {from} to {last} of `{stream}` are lost to damage of the data log (segment {segment}, offset {offset})"
            ),
            attempts: 1,
            time_ms: clock::now_ms(),
        }
    }

    pub(super) async fn dead_letter(&self, entries: Vec<dead_letter::Entry>) -> Result<(), Stop> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let Some(dead_letters) = &self.dead_letters else {
            return Err(Stop::failed(format!(
                "sink `{}` refuses a message and there is no log for dead letters: {}",
                self.id, first.reason
            )));
        };
        for entry in &entries {
            tracing::warn!(
                workflow = %self.workflow, sink = %self.id, message = %entry.message.id,
                kind = %entry.kind, reason = %entry.reason, "message became a dead letter"
            );
        }
        // I3: the cursor passes these only after they are on disk.
        store_dead_letters(
            dead_letters,
            &entries,
            &self.board,
            &self.metrics,
            &self.workflow,
        )
        .await?;
        let labels = [&*self.workflow, &*self.id];
        self.metrics
            .dead_letters
            .with_label_values(&labels)
            .inc_by(entries.len() as u64);
        Ok(())
    }
}
