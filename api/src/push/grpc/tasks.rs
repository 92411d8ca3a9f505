//! The tasks of connections: owned, reported when they panic, and ended with their owner.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use hyper::rt::Executor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Starts tasks and ends them. All of a connection's are in it: HTTP/2 has one for each call.
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
            if end.run_until_cancelled(unwound(task)).await == Some(None) {
                tracing::error!("a call's task panicked; the others go on");
            }
        });
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.tracker.len()
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

/// Waits for a future; a panic in it is `None`.
async fn unwound<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}
