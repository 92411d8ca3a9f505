//! A sink's side of the pass: its queue, and its own way through the buffer when it lags.

use std::sync::Arc;

use tokio::{
    sync::mpsc::{self, error::TryRecvError},
    time::Instant,
};

use super::{CHUNK, Evaluator, Lanes, Work};
use crate::{
    buffer::{Buffer, ChunkLimit, Found, Reader},
    graph::SinkSet,
    pipeline::Stop,
    status::Board,
};

pub(crate) struct Feed {
    sink: usize,
    queue: mpsc::Receiver<Work>,
    lanes: Arc<Lanes>,
    evaluator: Evaluator,
    buffer: Buffer,
    board: Board,
    // The own way through the buffer, while the sink is not in the pass.
    own: Option<(Reader, u64)>,
}

impl Feed {
    pub(crate) fn new(
        sink: usize,
        queue: mpsc::Receiver<Work>,
        lanes: Arc<Lanes>,
        evaluator: Evaluator,
        buffer: Buffer,
        board: Board,
    ) -> Self {
        Self {
            sink,
            queue,
            lanes,
            evaluator,
            buffer,
            board,
            own: None,
        }
    }

    /// Begins behind the pass, at the sink's own cursor.
    pub(crate) fn begin_behind(&mut self, cursor: u64) {
        self.board.lag(self.sink, true);
        self.own = Some((self.buffer.reader(cursor), cursor));
    }

    /// Waits for the next work; `None` once the pass has ended and everything was taken.
    ///
    /// Not cancel-safe: a caller that gives up must stop for good.
    pub(crate) async fn next(&mut self) -> Result<Option<Work>, Stop> {
        if self.own.is_some() {
            return self.catch_up().await.map(Some);
        }
        if let Some(work) = self.waiting() {
            return Ok(Some(work));
        }
        match self.queue.recv().await {
            Some(work) => Ok(Some(work)),
            None => Ok(self.waiting()),
        }
    }

    /// Returns more work if there is some before `until`; never reads the buffer.
    pub(crate) async fn next_until(&mut self, until: Option<Instant>) -> Option<Work> {
        if self.own.is_some() {
            return None;
        }
        if let Some(work) = self.waiting() {
            return Some(work);
        }
        let until = until?;
        // Receiving is cancel-safe, so a timeout loses nothing.
        tokio::time::timeout_at(until, self.queue.recv())
            .await
            .ok()
            .flatten()
    }

    /// Takes what is there without waiting: first the queue, then what did not fit into it.
    fn waiting(&mut self) -> Option<Work> {
        match self.queue.try_recv() {
            Ok(work) => Some(work),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                let work = self.lanes.left(self.sink)?;
                self.own = Some((self.buffer.reader(work.next), work.next));
                self.try_join(work.next);
                Some(work)
            }
        }
    }

    async fn catch_up(&mut self) -> Result<Work, Stop> {
        let mut only = SinkSet::default();
        only.insert(self.sink);
        let Some((reader, next)) = &mut self.own else {
            return Err(Stop::Cancelled);
        };
        // Never beyond what the pass has claimed, or the two would never meet.
        let behind = self.lanes.claimed().saturating_sub(*next) as usize;
        let limit = ChunkLimit {
            messages: CHUNK.messages.min(behind.max(1)),
            ..CHUNK
        };
        let work = match reader.read(limit).await? {
            Found::Entries(entries) => {
                let chunk = self.evaluator.evaluate(entries, only).await?;
                // One for each sink of the workflow, this one among them.
                let mut work = chunk.into_work();
                work.swap_remove(self.sink)
            }
            Found::Lost(hole) => Work::lost(hole),
        };
        *next = work.next;
        self.try_join(work.next);
        Ok(work)
    }

    fn try_join(&mut self, next: u64) {
        if self.lanes.join(self.sink, next) {
            self.own = None;
            self.board.lag(self.sink, false);
        }
    }
}
