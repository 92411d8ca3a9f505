//! An engine that runs.

use std::time::Duration;

use hermod_engine::{DeadLetters, Drained, Ended, Metrics, Status, Workflow};
use hermod_wal::Log;

/// A running engine. Dropping it stops nothing: call [`Running::stop`].
pub struct Running {
    engine: hermod_engine::Engine,
    workflow: Workflow,
    log: Option<Log>,
}

impl Running {
    pub(super) fn new(engine: hermod_engine::Engine, workflow: Workflow, log: Option<Log>) -> Self {
        Self {
            engine,
            workflow,
            log,
        }
    }

    /// Returns what the engine shows of itself at this moment.
    pub fn status(&self) -> Status {
        self.workflow.status()
    }

    /// Waits until the engine has ended by itself: its source has come to its end, or it failed.
    ///
    /// # Cancel safety
    /// The engine goes on when the future is dropped.
    pub async fn ended(&self) -> Ended {
        self.workflow.ended().await
    }

    /// Stops in order: reading first, then everything that sinks take within `deadline`, then cursors,
    /// acknowledgements and connections, at last the log.
    ///
    /// # Durability
    /// What is not delivered stays in a file buffer, or with a source that can be read again.
    pub async fn stop(self, deadline: Duration) -> Drained {
        let drained = self.workflow.drain(deadline).await;
        let Self {
            engine,
            workflow,
            log,
        } = self;
        drop((engine, workflow));
        if let Some(log) = log {
            // Closing waits for the disk.
            match tokio::task::spawn_blocking(move || log.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "data log did not close cleanly"),
                Err(error) => tracing::error!(%error, "closing the data log ended badly"),
            }
        }
        drained
    }

    /// Returns the dead letters, if there is a file buffer.
    pub fn dead_letters(&self) -> Option<DeadLetters> {
        self.workflow.dead_letters()
    }

    /// Puts dead letters back as new messages; returns how many.
    ///
    /// # Errors
    /// [`crate::DeadLetterError`]; nothing is replayed then.
    pub async fn replay(&self, seqs: &[u64]) -> Result<u64, crate::DeadLetterError> {
        self.workflow.replay(seqs).await
    }

    /// Returns the engine's metrics.
    pub fn metrics(&self) -> &Metrics {
        self.engine.metrics()
    }
}
