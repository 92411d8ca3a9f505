//! Writers on all nodes while the network is cut, answers are lost and nodes crash.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hermod_storage::{Answer, Expect, Kind, Raft, Range, Read, Store, channel::Topic};
use tokio::task::JoinSet;

use super::{
    cluster::{Cluster, put},
    open,
};

/// What the writers were told.
#[derive(Default)]
struct Told {
    done: BTreeSet<String>,
    /// Refused before it reached any log.
    not_done: BTreeSet<String>,
}

/// A node that is replaced when it crashes.
type Place = Arc<Mutex<Option<Arc<Raft>>>>;

async fn writer(no: usize, place: Place, told: Arc<Mutex<Told>>, stop: Arc<AtomicBool>) {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let id = format!("{no}-{round}");
        let Some(node) = place.lock().unwrap().clone() else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        match node.submit(put(&id, Expect::Absent)).await {
            Ok(answers) => {
                // Nobody else writes this key: a refusal would say that it was applied before.
                assert!(
                    matches!(answers[0], Answer::Committed { .. }),
                    "`{id}` was applied twice: {answers:?}"
                );
                // A writer reads its own writes.
                let found = node.get(&super::cluster::key(&id), Read::Local).await;
                assert!(!matches!(found, Ok(None)), "`{id}` is not read back");
                told.lock().unwrap().done.insert(id);
            }
            Err(error) if error.kind() == hermod_storage::StoreErrorKind::Unavailable => {
                told.lock().unwrap().not_done.insert(id);
            }
            Err(_) => {}
        }
        drop(node);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_and_nothing_is_applied_twice() {
    let mut cluster = Cluster::start_with(|options| {
        options.write_timeout = Duration::from_secs(3);
        options.snapshot_bytes = 64 << 10;
        options.log_bytes = 16 << 10;
    })
    .await;
    let places: Vec<Place> = cluster
        .nodes
        .drain(..)
        .map(|node| Arc::new(Mutex::new(Some(node))))
        .collect();
    let (told, stop) = (
        Arc::<Mutex<Told>>::default(),
        Arc::new(AtomicBool::new(false)),
    );
    let mut writers = JoinSet::new();
    for no in 0..12 {
        let place = Arc::clone(&places[no % 3]);
        writers.spawn(writer(no, place, Arc::clone(&told), Arc::clone(&stop)));
    }
    for round in 0..6_usize {
        let at = rand_below(3);
        let address = cluster.options[at].address.clone().unwrap();
        match round % 3 {
            0 => cluster.network.isolate(&address),
            1 => cluster.network.lose_answers(&address, Topic::Submit),
            _ => {
                cluster.network.unplug(&address);
                let fresh = restart(&cluster, &places[at], at).await;
                *places[at].lock().unwrap() = Some(fresh);
            }
        }
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        cluster.network.heal();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    cluster.nodes = places
        .iter()
        .filter_map(|p| p.lock().unwrap().clone())
        .collect();
    cluster.leader().await;
    let told = told.lock().unwrap().take();
    assert!(told.done.len() > 100, "only {} writes", told.done.len());
    for node in &cluster.nodes {
        let found = everything(node).await;
        let lost: Vec<_> = told.done.difference(&found).collect();
        assert!(lost.is_empty(), "answered and lost: {lost:?}");
        let ghosts: Vec<_> = told.not_done.intersection(&found).collect();
        assert!(ghosts.is_empty(), "refused and done: {ghosts:?}");
    }
    cluster.close().await;
}

async fn everything(node: &Arc<Raft>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut range = Range::all(Kind::Setting);
    loop {
        let page = node.list(&range, Read::Latest).await.unwrap();
        let Some(last) = page.last() else {
            return found;
        };
        range.after = Some(last.key.id.clone());
        found.extend(page.into_iter().map(|object| object.key.id.to_string()));
    }
}

impl Told {
    fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Drops a node as in a crash, and opens it again.
async fn restart(cluster: &Cluster, place: &Place, at: usize) -> Arc<Raft> {
    let gone = place.lock().unwrap().take();
    drop(gone);
    open(&cluster.network, &cluster.options[at]).await.unwrap()
}

fn rand_below(end: usize) -> usize {
    (rand::random::<u64>() % end as u64) as usize
}
