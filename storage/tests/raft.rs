//! The Raft store, alone and in company.

mod alone;
mod churn;
mod cluster;
mod kill;
mod members;
mod network;
mod together;

use std::time::{Duration, Instant};

/// Waits until something is true, and fails after a long time.
async fn until(what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_true() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
