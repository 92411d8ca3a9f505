//! One sink's delivery: batches in log order, retry, bisection, dead letters, and the sink's own cursor.

mod gather;
mod held;
mod part;
mod writer;

use std::sync::Arc;

use hermod_sdk::{ConnectorError, Policy, Sink, SinkContext, SourceFactory, Text};
use prometheus::{Histogram, IntCounter};

use crate::{
    backoff::Backoff,
    buffer::Hole,
    dead_letter::DeadLetters,
    document::{DeliveryPlan, SinkPlan},
    metrics::Metrics,
    pass::Feed,
    pipeline::Stop,
    progress::{Mark, Progress},
    status::Board,
};
use gather::{Gather, Step};
use held::Held;
use part::Part;
use writer::End;

/// What a delivery needs besides its feed.
pub(crate) struct Setup {
    pub(crate) index: usize,
    pub(crate) plan: SinkPlan,
    pub(crate) context: SinkContext,
    /// Id of the workflow's source.
    pub(crate) source: Text,
    pub(crate) progress: Arc<Progress>,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) board: Board,
    pub(crate) metrics: Metrics,
    /// Compares positions, where the source is re-readable and the level is `delivered`.
    pub(crate) covers: Option<Arc<dyn SourceFactory>>,
}

/// The task that writes one sink.
pub(crate) struct Delivery {
    index: usize,
    workflow: Text,
    id: Text,
    plan: DeliveryPlan,
    context: SinkContext,
    factory: Arc<dyn hermod_sdk::SinkFactory>,
    progress: Arc<Progress>,
    dead_letters: Option<DeadLetters>,
    board: Board,
    metrics: Metrics,
    writes: IntCounter,
    write_errors: IntCounter,
    errors: IntCounter,
    duration: Histogram,
    covers: Option<Arc<dyn SourceFactory>>,
}

impl Delivery {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            index,
            plan,
            context,
            source,
            progress,
            dead_letters,
            board,
            metrics,
            covers,
        } = setup;
        let labels = [&*context.workflow, &*plan.id];
        let stage = [labels[0], &*source, "sink"];
        Self {
            index,
            writes: metrics.sink_writes.with_label_values(&labels),
            write_errors: metrics.sink_write_errors.with_label_values(&labels),
            errors: metrics.errors.with_label_values(&stage),
            duration: metrics.duration.with_label_values(&[labels[0]]),
            workflow: context.workflow.clone(),
            id: plan.id,
            plan: plan.delivery,
            context,
            factory: plan.factory,
            progress,
            dead_letters,
            board,
            metrics,
            covers,
        }
    }

    /// Counts a write that failed.
    fn count_failure(&self) {
        self.write_errors.inc();
        self.errors.inc();
    }

    /// Writes until the feed ends, then flushes and closes the sink.
    pub(crate) async fn run(self, feed: Feed) -> Result<(), Stop> {
        let mut sink = self.open().await?;
        let mut held = Held::of(&*sink, &*self.factory, self.covers.clone());
        let mut skipped = 0;
        let mut gather = Gather::new(feed, &self.plan, self.factory.spec().partial);
        while let Some(step) = gather.next().await? {
            let (records, boundary) = match step {
                Step::Write(records, boundary) => (records, boundary),
                Step::Lost(hole) => {
                    self.pass_lost(&hole).await?;
                    continue;
                }
            };
            let offered = records.len();
            let records = held.skip(records);
            skipped += offered - records.len();
            if skipped > 0 && !records.is_empty() {
                tracing::info!(
                    workflow = %self.workflow, sink = %self.id, messages = skipped,
                    "skipped messages that the sink already holds"
                );
                skipped = 0;
            }
            self.deliver(&mut *sink, Part::new(records, boundary))
                .await?;
        }
        self.finish(&mut *sink).await
    }

    /// Opens the sink, for as long as it takes.
    async fn open(&self) -> Result<Box<dyn Sink>, Stop> {
        let mut backoff = self.backoff();
        loop {
            match self.factory.open(self.context.clone()).await {
                Ok(sink) => {
                    self.board.block(self.index, None);
                    return Ok(sink);
                }
                Err(error) => self.pause(&error, "open", &mut backoff).await?,
            }
        }
    }

    /// Delivers a part and moves the cursor behind it.
    async fn deliver(&self, sink: &mut dyn Sink, part: Part) -> Result<(), Stop> {
        let mut parts = vec![part];
        while let Some(part) = parts.pop() {
            match self.write_part(sink, part).await? {
                // I3: everything in the part is confirmed, or fsynced as a dead letter.
                End::Done(mark) => self.progress.advance(self.index, mark),
                End::Refused(part) => {
                    // Refused as a whole: halves are tried in order until the bad message is alone.
                    let (first, second) = part.halves();
                    parts.push(second);
                    parts.push(first);
                }
            }
        }
        Ok(())
    }

    /// Lets the cursor pass messages that damage took, once a dead letter on disk names them.
    async fn pass_lost(&self, hole: &Hole) -> Result<(), Stop> {
        let entry = self.lost(hole);
        tracing::error!(
            code = "HMD-0012", workflow = %self.workflow, sink = %self.id, stream = %hole.stream,
            from = hole.from, until = hole.to, segment = hole.segment, offset = hole.offset,
            "messages are lost to damage of the data log; a dead letter names them, and delivery goes on behind them"
        );
        self.dead_letter(vec![entry]).await?;
        self.metrics
            .lost
            .with_label_values(&[&*self.workflow, &*self.id])
            .inc_by(hole.to.saturating_sub(hole.from));
        // I3, I6: named on disk, and only then passed.
        self.progress.advance(
            self.index,
            Mark {
                next: hole.to,
                position: None,
            },
        );
        Ok(())
    }

    /// Makes everything hold that was written, then lets go of the sink.
    async fn finish(&self, sink: &mut dyn Sink) -> Result<(), Stop> {
        let mut backoff = self.backoff();
        while let Err(error) = sink.flush().await {
            self.pause(&error, "flush", &mut backoff).await?;
        }
        if let Err(error) = sink.close().await {
            tracing::warn!(
                workflow = %self.workflow, sink = %self.id, error = %error.report(),
                "sink did not close cleanly; everything was flushed before"
            );
        }
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.plan.retry.interval(), self.plan.retry.interval_max())
    }

    /// Shows a failure and waits; failures that waiting cannot mend end the workflow.
    async fn pause(
        &self,
        error: &ConnectorError,
        action: &'static str,
        backoff: &mut Backoff,
    ) -> Result<(), Stop> {
        self.count_failure();
        let report = error.report();
        if error.kind().policy() == Policy::Stop {
            return Err(Stop::failed(format!(
                "sink `{}` cannot {action}: {report}",
                self.id
            )));
        }
        tracing::warn!(
            workflow = %self.workflow, sink = %self.id, action, kind = error.kind().name(),
            error = %report, "sink does not answer as it should; trying again"
        );
        self.board.block(self.index, Some(report));
        let delay = error
            .retry_after()
            .unwrap_or_default()
            .max(backoff.next_delay());
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
