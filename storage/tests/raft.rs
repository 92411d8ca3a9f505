//! The Raft store, alone and in company.

mod alone;
mod churn;
mod cluster;
mod conformance;
mod kill;
mod members;
mod network;
mod together;
mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hermod_storage::{Raft, RaftError, RaftOptions};
use network::Network;

/// Waits until something is true, and fails after a long time.
async fn until(what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_true() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Opens a node. A directory whose lock is still held is waited for: by a node that was dropped, or by a process that
/// another test starts, until it runs its own program.
async fn open_unlocked(options: &RaftOptions) -> Result<Arc<Raft>, RaftError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Raft::open(options.clone()).await {
            Err(RaftError::Log(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

/// Opens a node and plugs it in.
async fn open(network: &Arc<Network>, options: &RaftOptions) -> Result<Arc<Raft>, RaftError> {
    let node = open_unlocked(options).await?;
    let address = options.address.as_ref().unwrap();
    network.listen(address, &node);
    Ok(node)
}
