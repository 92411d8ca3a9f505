//! Nothing in the suite waits for ever.

use std::{future::Future, time::Duration};

use tokio::{runtime::Handle, time::Instant};

/// How long any one call may take. It is generous: the suite finds what hangs, not what is slow.
pub(super) const CALL: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 30 });
/// How long closing may take; the engine gives up after it.
pub(super) const CLOSE: Duration = Duration::from_secs(10);

/// Awaits a call.
///
/// # Panics
/// If it is not done by the deadline.
pub(super) async fn within<T>(limit: Duration, what: &str, call: impl Future<Output = T>) -> T {
    let Ok(answer) = tokio::time::timeout(limit, call).await else {
        panic!("{what} did not return within {limit:?}");
    };
    answer
}

/// Counts the tasks of the runtime, to find those that a connector leaves behind.
pub(super) struct Tasks(usize);

impl Tasks {
    pub(super) fn count() -> Self {
        Self(Handle::current().metrics().num_alive_tasks())
    }

    /// Waits until there are no more tasks than at the count.
    ///
    /// # Panics
    /// If there still are at the deadline.
    pub(super) async fn none_left(self, of: &str) {
        let deadline = Instant::now() + CLOSE;
        loop {
            let now = Handle::current().metrics().num_alive_tasks();
            if now <= self.0 {
                return;
            }
            let more = now - self.0;
            assert!(Instant::now() < deadline, "{of} leaves {more} tasks behind");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
