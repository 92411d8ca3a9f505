//! A look at what it costs. Shown with `--nocapture`; nothing is asserted about time.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinSet;

use super::node::{Node, PATIENCE, call, identity};
use crate::channel::{Channel as _, Connections, Topic};

async fn look(tasks: usize, calls: usize, bytes: usize) {
    let node = Node::start().await;
    let connections = Arc::new(Connections::new(&identity()));
    node.echo(&connections, "connect").await.unwrap();
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..tasks {
        let (connections, address) = (Arc::clone(&connections), node.address.clone());
        senders.spawn(async move {
            for _ in 0..calls {
                let call = call(Topic::RaftAppend, vec![1; bytes]);
                let answer = connections.call(&address, call, PATIENCE).await.unwrap();
                assert_eq!(answer.len(), bytes);
            }
        });
    }
    senders.join_all().await;
    let seconds = begun.elapsed().as_secs_f64();
    let total = (tasks * calls) as f64;
    println!(
        "{tasks} senders, {bytes} bytes there and back: {:.0} calls/s, {:.3} ms each, {:.1} MiB/s each way",
        total / seconds,
        1e3 * seconds * tasks as f64 / total,
        total * bytes as f64 / seconds / f64::from(1 << 20),
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_cost_of_a_call() {
    look(1, 200, 100).await;
    look(64, 20, 100).await;
    look(4, 2, 1 << 20).await;
}
