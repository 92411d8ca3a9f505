//! The tasks of connections: owned, and ended with their owner.

use std::future::Future;

use hyper::rt::Executor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Starts tasks and ends them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl Tasks {
    /// Starts a task. It is dropped where it stands when the tasks are ended.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.tracker.spawn(async move {
            // Ended or done is all one: nothing is left to be told.
            end.run_until_cancelled(task).await.unwrap_or_default();
        });
    }

    /// Waits until every task is done. None may be started after it except by these tasks.
    pub(super) async fn done(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends every task.
    pub(super) fn end(&self) {
        self.end.cancel();
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
