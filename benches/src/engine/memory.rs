//! A source in memory that hands out prepared messages, and a sink that throws them away.

use std::{
    future::ready,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use async_trait::async_trait;
use hermod_sdk::{
    Batch, Confirms, ConnectorError, Locality, Message, Position, PositionError, Read, ReadLimit,
    Repeats, Sink, SinkContext, SinkFactory, Source, SourceBatch, SourceContext, SourceFactory,
    Spec, Stability, TypedPosition, Written,
};
use serde::{Deserialize, Serialize};

type Opening<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

/// How many messages have been read.
#[derive(Debug, Serialize, Deserialize)]
struct Index(u64);

impl TypedPosition for Index {
    const VERSION: u16 = 1;

    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

/// What a sink or a source of this bench says of itself.
pub(super) const SPEC: Spec = Spec {
    kind: "bench",
    title: "Bench",
    summary: "Hands messages out, or throws them away.",
    stability: Stability::Experimental,
    locality: Locality::Any,
    confirms: Confirms::Durable,
    repeats: Repeats::AtLeastOnce,
    rereadable: true,
    partial: false,
};

/// When a source comes to its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// After so many messages.
    Messages(u64),
    /// When so much time has passed since it was opened.
    Time(Duration),
}

/// A source with an end, and with so many of its messages unacknowledged at a time.
pub(super) struct Memory {
    messages: Arc<Vec<Message>>,
    extent: Extent,
    in_flight_max: u64,
    counts: Arc<Counts>,
    opened: OnceLock<Instant>,
}

#[derive(Default)]
struct Counts {
    handed_out: AtomicU64,
    acknowledged: AtomicU64,
}

impl Memory {
    pub(super) fn new(messages: Arc<Vec<Message>>, extent: Extent, in_flight_max: u64) -> Self {
        let (counts, opened) = (Arc::default(), OnceLock::new());
        Self {
            messages,
            extent,
            in_flight_max,
            counts,
            opened,
        }
    }

    /// Opens the source at its beginning.
    pub(super) fn source(&self) -> impl Source + 'static {
        Reading {
            messages: self.messages.clone(),
            next: 0,
            extent: self.extent,
            opened: *self.opened.get_or_init(Instant::now),
            in_flight_max: self.in_flight_max,
            counts: self.counts.clone(),
        }
    }

    pub(super) fn handed_out(&self) -> u64 {
        self.counts.handed_out.load(Ordering::Acquire)
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.counts.acknowledged.load(Ordering::Acquire)
    }

    /// Returns when the source was opened.
    pub(super) fn opened_at(&self) -> anyhow::Result<Instant> {
        self.opened
            .get()
            .copied()
            .context("the source was never opened")
    }
}

impl SourceFactory for Memory {
    fn open(&self, _: Option<Position>, _: SourceContext) -> Opening<'_, Box<dyn Source>> {
        let source: Box<dyn Source> = Box::new(self.source());
        Box::pin(ready(Ok(source)))
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn covers(&self, position: &Position, other: &Position) -> Result<bool, PositionError> {
        position.covers::<Index>(other)
    }
}

struct Reading {
    messages: Arc<Vec<Message>>,
    next: u64,
    extent: Extent,
    opened: Instant,
    in_flight_max: u64,
    counts: Arc<Counts>,
}

impl Reading {
    /// Returns how many messages are left, as far as that is known.
    fn left(&self) -> u64 {
        match self.extent {
            Extent::Messages(count) => count - self.next,
            Extent::Time(lasts) if self.opened.elapsed() >= lasts => 0,
            Extent::Time(_) => u64::MAX,
        }
    }
}

#[async_trait]
impl Source for Reading {
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError> {
        let left = self.left();
        if left == 0 {
            return Ok(Read::End);
        }
        let in_flight = self.next - self.counts.acknowledged.load(Ordering::Acquire);
        let room = self.in_flight_max - in_flight;
        if room == 0 {
            // Only an acknowledgement makes room, and that is given to this very source: the caller has to stop this
            // read for it.
            std::future::pending::<()>().await;
        }
        let size = self.messages[0].size();
        let most = limit.messages.min((limit.bytes / size).max(1)) as u64;
        // A window is given out in parts, as it becomes free, so that one is written while another is synced.
        let part = (self.in_flight_max / 4).max(1);
        let end = self.next + most.min(room).min(part).min(left);
        let at = |n: u64| self.messages[n as usize % self.messages.len()].clone();
        let messages = (self.next..end).map(at).collect();
        self.next = end;
        self.counts.handed_out.store(end, Ordering::Release);
        Ok(Read::Batch(SourceBatch {
            messages,
            position: Position::encode(1, &Index(end)),
        }))
    }

    async fn acknowledge(&mut self, position: &Position) -> Result<(), ConnectorError> {
        // A position that is not ours must not pass for an acknowledgement: the count at the end tells.
        if let Ok(Index(index)) = position.decode() {
            self.counts.acknowledged.fetch_max(index, Ordering::Release);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// A sink that counts.
#[derive(Default)]
pub(super) struct Null {
    count: Arc<AtomicU64>,
}

impl Null {
    /// Returns how many messages were written.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

impl SinkFactory for Null {
    fn spec(&self) -> Spec {
        SPEC
    }

    fn repeats(&self) -> Repeats {
        SPEC.repeats
    }

    fn open(&self, _: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        let sink: Box<dyn Sink> = Box::new(Counting(self.count.clone()));
        Box::pin(ready(Ok(sink)))
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

struct Counting(Arc<AtomicU64>);

#[async_trait]
impl Sink for Counting {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        self.0
            .fetch_add(batch.records.len() as u64, Ordering::Release);
        Ok(Written::All)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}
