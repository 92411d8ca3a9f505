//! The shared pass: reads the buffer once, evaluates the graph once, and feeds every sink that keeps up.
//!
//! A sink whose queue is full *leaves* the pass (`on_slow_sink: lag`): it keeps what was evaluated for it,
//! reads on from the buffer by itself, evaluates only its own path, and joins again when it has reached
//! the point up to which the pass has claimed messages. With `block` the pass waits for it instead.

mod evaluator;
mod feed;
mod lanes;

use hermod_sdk::Position;
use hermod_sdk::Record;
use tokio::sync::{mpsc, watch};

use crate::{
    buffer::{ChunkLimit, Found, Hole, Reader},
    document::OnSlowSink,
    pipeline::Stop,
    status::Board,
};
pub(crate) use evaluator::{Evaluator, EvaluatorContext, Versions, store_dead_letters};
pub(crate) use feed::Feed;
pub(crate) use lanes::Lanes;

/// Most messages and bytes that are evaluated at a time.
pub(crate) const CHUNK: ChunkLimit = ChunkLimit {
    messages: 1024,
    bytes: 1 << 20,
};

/// Evaluated chunks that wait for a sink at most (I9), each of at most [`CHUNK`].
pub(crate) const QUEUE: usize = 4;

/// What a sink has to write next.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Messages on this sink's path, in log order.
    pub(crate) records: Vec<Record>,
    /// Number after the last message that this work stands for, filtered ones included.
    pub(crate) next: u64,
    /// Source position after it, where one is known.
    pub(crate) position: Option<Position>,
    /// Messages before `next` that are lost to damage; there are no records then.
    pub(crate) lost: Option<Hole>,
}

impl Work {
    /// Stands for messages that are lost: a sink's cursor passes them only with a dead letter (I3).
    fn lost(hole: Hole) -> Self {
        Self {
            next: hole.to,
            lost: Some(hole),
            ..Self::default()
        }
    }
}

/// The task that runs the pass.
pub(crate) struct Pass {
    pub(crate) reader: Reader,
    pub(crate) evaluator: Evaluator,
    pub(crate) lanes: std::sync::Arc<Lanes>,
    pub(crate) queues: Vec<(mpsc::Sender<Work>, OnSlowSink)>,
    pub(crate) board: Board,
}

impl Pass {
    /// Runs until everything below `end` is handed on, once `end` is known.
    pub(crate) async fn run(mut self, mut end: watch::Receiver<Option<u64>>) -> Result<(), Stop> {
        loop {
            let next = self.lanes.claimed();
            if end.borrow_and_update().is_some_and(|end| next >= end) {
                return Ok(());
            }
            let found = tokio::select! {
                found = self.reader.read(CHUNK) => found?,
                changed = end.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            match found {
                Found::Entries(entries) => {
                    let Some(last) = entries.last() else { continue };
                    let only = self.lanes.claim(last.seq + 1);
                    let chunk = self.evaluator.evaluate(entries, only).await?;
                    self.hand_on(chunk.into_work(), only).await;
                }
                Found::Lost(hole) => {
                    let only = self.lanes.claim(hole.to);
                    let work = (0..self.queues.len()).map(|_| Work::lost(hole.clone()));
                    self.hand_on(work.collect(), only).await;
                }
            }
        }
    }

    async fn hand_on(&mut self, work: Vec<Work>, only: crate::graph::SinkSet) {
        for (sink, work) in work.into_iter().enumerate() {
            let Some((queue, on_slow)) = self.queues.get(sink) else {
                continue;
            };
            if !only.contains(sink) {
                continue;
            }
            match on_slow {
                // A closed queue means that its delivery has stopped; the pipeline ends then.
                OnSlowSink::Block => drop(queue.send(work).await),
                OnSlowSink::Lag => {
                    if let Err(mpsc::error::TrySendError::Full(work)) = queue.try_send(work) {
                        self.board.lag(sink, true);
                        self.lanes.leave(sink, work);
                    }
                }
            }
        }
    }
}
