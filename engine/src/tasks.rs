//! The one owner of tasks.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Starts tasks, knows when all have ended, and cancels them together.
///
/// A task that panics is reported and cancels its siblings: nothing goes on half alive.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Tasks {
    /// Makes an owner without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an owner whose tasks are cancelled with this one's.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: TaskTracker::new(),
            cancel: self.cancel.child_token(),
        }
    }

    /// Returns the token that tells tasks to end.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Starts a task under a name; a panic in it is reported and cancels the owner.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        let span = tracing::debug_span!("task", name);
        let inner = self.tracker.clone();
        self.tracker.spawn(
            async move {
                // The inner task is tracked too, so that an end waits for it.
                if let Err(error) = inner.spawn(task).await
                    && error.is_panic()
                {
                    tracing::error!(task = name, "task panicked; its siblings are stopped");
                    cancel.cancel();
                }
            }
            .instrument(span),
        );
    }

    /// Tells all tasks to end.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until every task has ended. No task may be started afterwards.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
