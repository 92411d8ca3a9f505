//! Reads a re-readable source into the buffer, and tells it what is safe.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hermod_sdk::{
    ConnectorError, Message, Policy, Position, Read, ReadLimit, Source, SourceBatch, SourceContext,
    SourceFactory, Text,
};
use hermod_wal::Ticket;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    buffer::{Buffer, FileBuffer, RegisterValue},
    checkpoint::Checkpoint,
    document::Level,
    log::{DataLog, LogError},
    metrics::Metrics,
    pipeline::Stop,
    stamp::Stamp,
    status::Board,
};

/// Batches that are being written to the log at a time (I9).
const PENDING_MAX: usize = 8;

/// Most messages and bytes that are read at a time.
const READ: ReadLimit = ReadLimit {
    messages: 1024,
    bytes: 1 << 20,
};

/// The task that reads a source.
pub(crate) struct Intake {
    pub(crate) factory: Arc<dyn SourceFactory>,
    pub(crate) context: SourceContext,
    pub(crate) level: Level,
    pub(crate) buffer: Buffer,
    pub(crate) log: Option<DataLog>,
    /// Register of the position, written with the data (file buffer).
    pub(crate) position_key: String,
    /// Where to go on after a reopening: behind what the buffer has.
    pub(crate) position: Option<Position>,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) safe: watch::Receiver<Option<Position>>,
    pub(crate) board: Board,
    pub(crate) metrics: Metrics,
    pub(crate) stamp: Stamp,
    pub(crate) stop: CancellationToken,
}

/// Why reading ended, with the source still open for its last acknowledgement.
#[derive(Default)]
pub(crate) struct Ended {
    /// Whether the source came to its end by itself.
    pub(crate) complete: bool,
    source: Option<Box<dyn Source>>,
    acknowledged: Option<Position>,
}

/// Batches on their way to the disk, in order.
type Pending = VecDeque<(Ticket, Position)>;

enum Event {
    Stop,
    Durable(Result<(), LogError>),
    Safe,
    Read(Result<Read, ConnectorError>),
}

impl Intake {
    /// Reads until the source ends or reading is stopped.
    pub(crate) async fn run(mut self) -> Result<Ended, Stop> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let mut ended = Ended::default();
        loop {
            let Some(mut source) = self.open(&mut backoff).await? else {
                return Ok(ended);
            };
            match self.read_on(&mut *source, &mut ended, &mut backoff).await? {
                Some(complete) => {
                    ended.complete = complete;
                    ended.source = Some(source);
                    return Ok(ended);
                }
                // Reopened behind what the buffer has; what was not acknowledged comes again.
                None => drop(source.close().await),
            }
        }
    }

    async fn open(&mut self, backoff: &mut Backoff) -> Result<Option<Box<dyn Source>>, Stop> {
        loop {
            let opening = self
                .factory
                .open(self.position.clone(), self.context.clone());
            let opened = tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                opened = opening => opened,
            };
            match opened {
                Ok(source) => {
                    self.board.explain(None);
                    return Ok(Some(source));
                }
                Err(error) => self.pause(&error, "open", backoff).await?,
            }
        }
    }

    /// Returns whether the source ended by itself, or `None` if it must be opened again.
    async fn read_on(
        &mut self,
        source: &mut dyn Source,
        ended: &mut Ended,
        backoff: &mut Backoff,
    ) -> Result<Option<bool>, Stop> {
        let mut pending = Pending::new();
        loop {
            match self.next_event(source, &mut pending).await {
                Event::Stop => {
                    self.settle(source, &mut pending, ended).await?;
                    return Ok(Some(false));
                }
                Event::Durable(Ok(())) => {
                    let position = pending.pop_front().map(|(_, position)| position);
                    self.durable(source, position, ended).await;
                }
                Event::Durable(Err(error)) => {
                    self.after_failed_write(&error)?;
                    return Ok(None);
                }
                Event::Safe => {
                    let position = self.safe.borrow_and_update().clone();
                    if let Some(position) = position {
                        self.acknowledge(source, position, ended).await;
                    }
                }
                Event::Read(Ok(Read::Batch(batch))) => {
                    backoff.reset();
                    if !self.take_in(batch, &mut pending).await? {
                        self.settle(source, &mut pending, ended).await?;
                        return Ok(Some(false));
                    }
                }
                Event::Read(Ok(Read::End)) => {
                    self.settle(source, &mut pending, ended).await?;
                    return Ok(Some(true));
                }
                Event::Read(Err(error)) => {
                    self.settle(source, &mut pending, ended).await?;
                    self.pause(&error, "read", backoff).await?;
                    return Ok(None);
                }
            }
        }
    }

    async fn next_event(&mut self, source: &mut dyn Source, pending: &mut Pending) -> Event {
        let room = pending.len() < PENDING_MAX;
        let told = self.level == Level::Delivered || self.checkpoint.is_replicated();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Event::Stop,
            result = first_durable(pending), if !pending.is_empty() => Event::Durable(result),
            changed = self.safe.changed(), if told => match changed {
                Ok(()) => Event::Safe,
                Err(_) => Event::Stop,
            },
            // Reading is cancel-safe by contract.
            read = source.read(READ), if room => Event::Read(read),
        }
    }

    /// Puts a batch into the buffer; returns false if reading was stopped meanwhile.
    async fn take_in(&mut self, batch: SourceBatch, pending: &mut Pending) -> Result<bool, Stop> {
        let SourceBatch {
            mut messages,
            position,
        } = batch;
        let Some(last) = messages.last_mut() else {
            return Ok(true);
        };
        last.position.get_or_insert_with(|| position.clone());
        self.stamp.apply(&mut messages);
        match self.buffer.clone() {
            Buffer::Ring(ring) => {
                let stop = self.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => return Ok(false),
                    _next = ring.push(messages, None) => {}
                }
            }
            Buffer::File(file) => match self.append(&file, &messages, &position).await? {
                Some(ticket) => pending.push_back((ticket, position.clone())),
                None => return Ok(false),
            },
        }
        self.position = Some(position);
        Ok(true)
    }

    /// Appends messages with the position behind them; waits while the log is full (I8).
    async fn append(
        &self,
        file: &FileBuffer,
        messages: &[Message],
        position: &Position,
    ) -> Result<Option<Ticket>, Stop> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut explained = false;
        loop {
            let register = RegisterValue {
                name: &self.position_key,
                value: position.to_bytes(),
            };
            match file.enqueue(messages, None, Some(register)).await {
                Ok((ticket, _)) => {
                    if explained {
                        self.board.explain(None);
                    }
                    return Ok(Some(ticket));
                }
                Err(LogError::Full(error)) => {
                    tracing::warn!(
                        workflow = %self.context.workflow, %error,
                        "no room in the data log; the source waits"
                    );
                    self.board
                        .explain(Some(format!("the source waits: {error}")));
                    explained = true;
                    tokio::select! {
                        () = self.stop.cancelled() => return Ok(None),
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                    }
                }
                Err(error @ LogError::Failed(_)) => return Err(Stop::failed(error.to_string())),
            }
        }
    }

    /// Waits for what is on its way to the disk.
    async fn settle(
        &mut self,
        source: &mut dyn Source,
        pending: &mut Pending,
        ended: &mut Ended,
    ) -> Result<(), Stop> {
        while !pending.is_empty() {
            if let Err(error) = first_durable(pending).await {
                return self.after_failed_write(&error);
            }
            let position = pending.pop_front().map(|(_, position)| position);
            self.durable(source, position, ended).await;
        }
        Ok(())
    }

    /// I1: at level `durable` the group's sync is what safe means, here and, with a store, for the next owner.
    async fn durable(
        &self,
        source: &mut dyn Source,
        position: Option<Position>,
        ended: &mut Ended,
    ) {
        match (self.level, position) {
            (Level::Durable, Some(position)) if self.checkpoint.is_replicated() => {
                self.checkpoint.hold(Some(&position));
            }
            (Level::Durable, Some(position)) => self.acknowledge(source, position, ended).await,
            _ => {}
        }
    }

    /// I7: after a failed group nothing of it was acknowledged; the source is read again from the
    /// position that the log holds.
    fn after_failed_write(&mut self, error: &LogError) -> Result<(), Stop> {
        let stored = self
            .log
            .as_ref()
            .and_then(|log| log.log().register(&self.position_key));
        tracing::error!(workflow = %self.context.workflow, %error, "a batch was not written");
        self.position = match stored {
            Some(bytes) => Some(
                Position::from_bytes(&bytes).map_err(|error| Stop::failed(error.to_string()))?,
            ),
            None => None,
        };
        Ok(())
    }

    async fn acknowledge(&self, source: &mut dyn Source, position: Position, ended: &mut Ended) {
        match source.acknowledge(&position).await {
            Ok(()) => ended.acknowledged = Some(position),
            // The next acknowledgement covers this one.
            Err(error) => tracing::warn!(
                workflow = %self.context.workflow, error = %error.report(),
                "source did not take an acknowledgement"
            ),
        }
    }

    async fn pause(
        &self,
        error: &ConnectorError,
        action: &'static str,
        backoff: &mut Backoff,
    ) -> Result<(), Stop> {
        let labels = [&*self.context.workflow, &*self.context.source, "read"];
        self.metrics.errors.with_label_values(&labels).inc();
        let report = error.report();
        if error.kind().policy() != Policy::Pause {
            let source: &Text = &self.context.source;
            return Err(Stop::failed(format!(
                "source `{source}` cannot {action}: {report}"
            )));
        }
        tracing::warn!(
            workflow = %self.context.workflow, source = %self.context.source, action,
            error = %report, "source does not answer as it should; trying again"
        );
        self.board.explain(Some(format!("source: {report}")));
        let delay = error
            .retry_after()
            .unwrap_or_default()
            .max(backoff.next_delay());
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
        Ok(())
    }
}

impl Ended {
    /// Tells the source the last safe position and closes it: the end of the drain.
    pub(crate) async fn finish(self, safe: Option<Position>, workflow: &Text) {
        let Some(mut source) = self.source else {
            return;
        };
        if let Some(position) = safe.filter(|safe| self.acknowledged.as_ref() != Some(safe))
            && let Err(error) = source.acknowledge(&position).await
        {
            tracing::warn!(
                %workflow, error = %error.report(),
                "source did not take the last acknowledgement; some messages will come again"
            );
        }
        if let Err(error) = source.close().await {
            tracing::warn!(%workflow, error = %error.report(), "source did not close cleanly");
        }
    }
}

async fn first_durable(pending: &mut Pending) -> Result<(), LogError> {
    match pending.front_mut() {
        Some((ticket, _)) => ticket.await.map(drop).map_err(LogError::from),
        None => Ok(()),
    }
}
