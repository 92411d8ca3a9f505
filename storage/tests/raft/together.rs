//! What three nodes promise together.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hermod_storage::{
    Answer, Expect, Operation, Owner, Read, Role, Store, StoreErrorKind, channel::Topic,
};

use tokio_util::task::TaskTracker;

use super::{
    cluster::{Cluster, key, put, read, write},
    until,
};

#[tokio::test]
async fn each_node_takes_writes_and_reads_its_own() {
    let cluster = Cluster::start().await;
    for (at, node) in cluster.nodes.iter().enumerate() {
        let id = format!("from-{at}");
        write(node, &id).await;
        assert!(read(node, &id, Read::Local).await.is_some());
        for other in &cluster.nodes {
            assert!(read(other, &id, Read::Latest).await.is_some());
        }
    }
    let clusters: Vec<_> = cluster.nodes.iter().map(|node| node.cluster()).collect();
    assert!(clusters.iter().all(|id| *id == clusters[0] && *id != 0));
    let status = cluster.nodes[0].status();
    assert_eq!(status.members.iter().filter(|m| m.voter).count(), 3);
    assert_eq!(status.members.iter().filter(|m| m.leader).count(), 1);
    cluster.close().await;
}

#[tokio::test]
async fn an_isolated_leader_refuses_and_the_others_go_on() {
    let cluster = Cluster::start_with(|options| {
        options.write_timeout = Duration::from_secs(3);
        options.read_timeout = Duration::from_secs(3);
    })
    .await;
    let old = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != old).collect();
    write(&cluster.nodes[old], "before").await;
    cluster.isolate(old);

    let alone = Arc::clone(&cluster.nodes[old]);
    let stuck =
        TaskTracker::new().spawn(async move { alone.submit(put("stuck", Expect::Absent)).await });
    let new = cluster.leader_among(&others).await;
    write(&cluster.nodes[others[0]], "after").await;
    write(&cluster.nodes[others[1]], "after-2").await;

    // What it held when it was cut off, it may show; not as the latest.
    let after = key("after");
    let stale = cluster.nodes[old].get(&after, Read::Latest);
    assert_eq!(stale.await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(read(&cluster.nodes[old], "after", Read::Local).await, None);
    let stuck = stuck.await.unwrap().unwrap_err();
    assert_eq!(stuck.kind(), StoreErrorKind::Unknown);
    until("the old leader knows", || {
        !cluster.nodes[old].health().writable
    })
    .await;
    let refused = cluster.nodes[old].submit(put("refused", Expect::Absent));
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);

    cluster.network.heal();
    until("the old leader follows", || {
        cluster.nodes[old].health().writable
    })
    .await;
    write(&cluster.nodes[old], "healed").await;
    cluster.converged().await;
    assert!(
        read(&cluster.nodes[old], "after", Read::Local)
            .await
            .is_some()
    );
    // Done or not, it is the same on all.
    let fates = [0, 1, 2].map(|at| &cluster.nodes[at]);
    let first = read(fates[0], "stuck", Read::Local).await;
    for node in fates {
        assert_eq!(read(node, "stuck", Read::Local).await, first);
        assert_eq!(read(node, "refused", Read::Local).await, None);
    }
    assert_ne!(new, old);
    cluster.close().await;
}

#[tokio::test]
async fn a_leader_that_hears_nobody_keeps_nobody_from_electing_another() {
    let cluster = Cluster::start().await;
    let old = cluster.leader().await;
    let others: Vec<_> = (0..3).filter(|at| *at != old).collect();
    write(&cluster.nodes[old], "before").await;
    cluster.deafen(old);
    let new = cluster.leader_among(&others).await;
    assert_ne!(new, old);
    write(&cluster.nodes[others[0]], "after").await;
    write(&cluster.nodes[others[1]], "after-2").await;
    cluster.network.heal();
    until("the old leader follows", || {
        cluster.nodes[old].health().writable
    })
    .await;
    write(&cluster.nodes[old], "healed").await;
    cluster.converged().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_command_whose_answer_was_lost_is_applied_once() {
    let cluster = Cluster::start().await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let address = cluster.options[follower].address.clone().unwrap();
    cluster.network.lose_answers(&address, Topic::Submit);
    let node = Arc::clone(&cluster.nodes[follower]);
    let before = cluster.nodes[leader].health().revision;
    let submitted =
        TaskTracker::new().spawn(async move { node.submit(put("once", Expect::Absent)).await });
    // It is done, and nobody has told.
    until("it is done", || {
        cluster.nodes[follower].health().revision > before
    })
    .await;
    let log = cluster.nodes[leader].status().last_log;
    until("it was tried again", || {
        cluster.nodes[leader].status().last_log > log
    })
    .await;
    cluster.network.heal();
    let answers = submitted.await.unwrap().unwrap();
    let Answer::Committed { revision } = answers[0] else {
        panic!("applied again, and refused: {answers:?}");
    };
    let object = read(&cluster.nodes[follower], "once", Read::Latest).await;
    assert_eq!(object.unwrap().version, revision);
    assert_eq!(revision.0, before.0 + 1);
    cluster.close().await;
}

#[tokio::test]
async fn a_restart_of_all_keeps_everything_and_reads_are_fresh_at_once() {
    let mut cluster = Cluster::start().await;
    for round in 0..3 {
        let id = format!("round-{round}");
        write(&cluster.nodes[round % 3], &id).await;
        let ids: Vec<_> = cluster.nodes.iter().map(|node| node.id()).collect();
        // As in a crash of all at once: nothing is flushed.
        for at in (0..3).rev() {
            drop(cluster.unplug(at));
        }
        cluster.open_all().await;
        let now: Vec<_> = cluster.nodes.iter().map(|node| node.id()).collect();
        assert_eq!(ids, now);
        for node in &cluster.nodes {
            assert!(read(node, &id, Read::Latest).await.is_some(), "`{id}`");
        }
    }
    cluster.close().await;
}

#[tokio::test]
async fn a_crash_of_the_leader_loses_nothing_that_was_answered() {
    let mut cluster = Cluster::start().await;
    let leader = cluster.leader().await;
    for write_no in 0..20 {
        write(&cluster.nodes[leader], &format!("w{write_no}")).await;
    }
    drop(cluster.unplug(leader));
    for node in &cluster.nodes {
        for write_no in 0..20 {
            let id = format!("w{write_no}");
            assert!(read(node, &id, Read::Latest).await.is_some(), "`{id}`");
        }
    }
    write(&cluster.nodes[0], "goes-on").await;
    cluster.close().await;
}

#[tokio::test]
async fn i5_a_lease_has_one_owner_on_all_nodes() {
    let cluster = Cluster::start().await;
    let acquire = |node| Operation::Acquire {
        lease: "w".into(),
        owner: Owner { node, start: 1 },
        ttl_ms: 60_000,
    };
    let (a, b) = tokio::join!(
        cluster.nodes[0].submit(vec![acquire(1)]),
        cluster.nodes[1].submit(vec![acquire(2)]),
    );
    let granted = [a.unwrap(), b.unwrap()]
        .iter()
        .filter(|answers| matches!(answers[0], Answer::Granted(_)))
        .count();
    assert_eq!(granted, 1);
    cluster.close().await;
}

#[tokio::test]
async fn a_panic_in_apply_ends_the_store_and_the_others_go_on() {
    let cluster = Cluster::start_with(|options| {
        if options.name == "b" {
            options.probe = Some(Arc::new(|operation| {
                let Operation::Commit(transaction) = operation else {
                    return;
                };
                assert!(
                    transaction.entries.is_empty(),
                    "this one cannot be done here"
                );
            }));
        }
    })
    .await;
    let transaction = hermod_storage::Transaction::new()
        .put(key("poison"), Expect::Any, "x")
        .record(hermod_storage::EntryDraft::default());
    let answers = cluster.nodes[0].submit(vec![Operation::Commit(transaction)]);
    let failed = tokio::time::timeout(Duration::from_secs(20), cluster.nodes[1].failed());
    let (answers, failed) = tokio::join!(answers, failed);
    failed.expect("the store says that it has stopped");
    if let Err(error) = answers {
        // It led, and the answer died with it.
        assert_eq!(error.kind(), StoreErrorKind::Unknown);
    }
    let stopped = cluster.nodes[1].submit(put("x", Expect::Any)).await;
    assert_eq!(stopped.unwrap_err().kind(), StoreErrorKind::Stopped);
    assert!(!cluster.nodes[1].health().writable);
    let poison = key("poison");
    let stale = cluster.nodes[1].get(&poison, Read::Local);
    assert_eq!(stale.await.unwrap_err().kind(), StoreErrorKind::Stopped);
    write(&cluster.nodes[0], "goes-on").await;
    write(&cluster.nodes[2], "goes-on-2").await;
    cluster.close().await;
}

#[tokio::test]
async fn leadership_is_handed_over_by_name_and_before_a_stop() {
    let cluster = Cluster::start().await;
    let old = cluster.leader().await;
    let wanted = (old + 1) % 3;
    let name = cluster.options[wanted].name.clone();
    let asked = (old + 2) % 3;
    let node = &cluster.nodes[asked];
    node.transfer_leader(Some(&name)).await.unwrap();
    let new = cluster.leader().await;
    assert_eq!(new, wanted);
    let term = cluster.nodes[asked].status().term;
    write(&cluster.nodes[old], "handed-over").await;

    cluster.nodes[new].close().await;
    let rest: Vec<_> = (0..3).filter(|at| *at != new).collect();
    // The leader is gone, and another is there already: nobody had to miss it.
    assert!(rest.iter().any(|at| {
        let health = cluster.nodes[*at].health();
        health.role == Role::Leader
    }));
    assert!(cluster.nodes[asked].status().term > term);
    write(&cluster.nodes[rest[0]], "after-the-stop").await;
    cluster.close().await;
}

#[tokio::test]
async fn a_member_that_lags_far_behind_is_given_a_snapshot() {
    let cluster = Cluster::start_with(|options| {
        options.snapshot_bytes = 256 << 10;
        options.log_bytes = 64 << 10;
    })
    .await;
    let leader = cluster.leader().await;
    let lagging = (leader + 1) % 3;
    cluster.isolate(lagging);
    let document = vec![b'x'; 100 << 10];
    for round in 0..40 {
        let put = hermod_storage::Transaction::new().put(
            key(&format!("{}", round % 4)),
            Expect::Any,
            document.clone(),
        );
        let at = cluster.leader_among(&[leader, (leader + 2) % 3]).await;
        let done = cluster.nodes[at].submit(vec![Operation::Commit(put)]).await;
        done.unwrap();
    }
    let behind = cluster.nodes[lagging].status().last_log;
    until("the log is let go of", || {
        cluster.nodes[leader].status().purged > behind
    })
    .await;
    let mut watch = cluster.nodes[lagging].watch();
    cluster.network.heal();
    cluster.converged().await;
    let events = watch.changed().await;
    assert_eq!(events, [hermod_storage::Event::Lagged]);
    write(&cluster.nodes[lagging], "caught-up").await;
    cluster.close().await;
}

#[tokio::test]
async fn i5_a_leader_whose_clock_is_off_grants_no_lease_and_hands_over() {
    let ahead = Arc::new(AtomicU64::new(0));
    let who = Arc::new(Mutex::new(String::new()));
    let cluster = Cluster::start_with(|options| {
        options.clock_skew_max = Duration::from_millis(200);
        let (ahead, who, name) = (Arc::clone(&ahead), Arc::clone(&who), options.name.clone());
        let clock = Arc::clone(&options.clock);
        options.clock = Arc::new(move || {
            let off = *who.lock().unwrap() == name;
            clock()
                + if off {
                    ahead.load(Ordering::Relaxed)
                } else {
                    0
                }
        });
    })
    .await;
    let old = cluster.leader().await;
    write(&cluster.nodes[old], "before").await;
    who.lock().unwrap().clone_from(&cluster.options[old].name);
    ahead.store(3_600_000, Ordering::Relaxed);

    let others: Vec<_> = (0..3).filter(|at| *at != old).collect();
    let new = cluster.leader_among(&others).await;
    write(&cluster.nodes[old], "after").await;
    let acquire = Operation::Acquire {
        lease: "w".into(),
        owner: Owner { node: 1, start: 1 },
        ttl_ms: 60_000,
    };
    let answers = cluster.nodes[old].submit(vec![acquire]).await.unwrap();
    let Answer::Granted(grant) = &answers[0] else {
        panic!("not granted: {answers:?}");
    };
    // No entry has carried the wrong time into the store.
    assert!(grant.until_ms < cluster.nodes[new].now_ms() + 120_000);
    cluster.close().await;
}

#[tokio::test]
async fn a_slow_network_is_only_slow() {
    let cluster = Cluster::start().await;
    cluster.network.delay(Duration::from_millis(15));
    for (at, node) in cluster.nodes.iter().enumerate() {
        write(node, &format!("slow-{at}")).await;
        assert!(
            read(node, &format!("slow-{at}"), Read::Latest)
                .await
                .is_some()
        );
    }
    let all: Vec<_> = (0..200).map(|no| format!("many-{no}")).collect();
    let mut writers = tokio::task::JoinSet::new();
    for (no, id) in all.iter().cloned().enumerate() {
        let node = Arc::clone(&cluster.nodes[no % 3]);
        writers.spawn(async move { write(&node, &id).await });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    for id in &all {
        assert!(
            read(&cluster.nodes[0], id, Read::Local).await.is_some() || {
                read(&cluster.nodes[0], id, Read::Latest).await.is_some()
            }
        );
    }
    cluster.close().await;
}
