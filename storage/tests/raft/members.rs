//! How a cluster comes to be, and how members come and go.

use std::{fs, sync::Arc, time::Duration};

use hermod_storage::{
    RaftError, RaftOptions, Read, Store, StoreErrorKind,
    channel::{Call, Handler, Topic},
};

use super::{
    cluster::{Cluster, NAMES, founders, options, read, write},
    network::Network,
    open, open_unlocked, until,
};

#[tokio::test]
async fn different_lists_of_peers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let lists = [founders(&["a", "b", "c"]), founders(&["a", "b"])];
    let mut nodes = Vec::new();
    for (name, founders) in ["a", "b"].into_iter().zip(lists) {
        let options = RaftOptions {
            founders,
            ..options(&dir, &network, name)
        };
        nodes.push(open(&network, &options).await.unwrap());
    }
    for node in nodes {
        let refused = node.ready().await.unwrap_err();
        assert!(
            matches!(refused, RaftError::ListsDiffer { .. }),
            "{refused}"
        );
        assert_eq!(node.cluster(), 0);
        node.failed().await;
        node.close().await;
    }
}

#[tokio::test]
async fn the_order_of_the_list_does_not_matter_and_all_are_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let lists = [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]];
    let mut nodes = Vec::new();
    for (name, list) in NAMES.into_iter().zip(lists) {
        let options = RaftOptions {
            founders: founders(&list),
            ..options(&dir, &network, name)
        };
        nodes.push(open(&network, &options).await.unwrap());
        if nodes.len() < 3 {
            let early = tokio::time::timeout(Duration::from_millis(300), nodes[0].ready());
            early.await.unwrap_err();
            assert_eq!(nodes[0].cluster(), 0);
        }
    }
    for node in &nodes {
        node.ready().await.unwrap();
        assert_eq!(node.cluster(), nodes[0].cluster());
    }
}

#[tokio::test]
async fn a_node_that_is_not_in_its_own_list_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let options = RaftOptions {
        founders: founders(&["a", "b"]),
        ..options(&dir, &network, "c")
    };
    let node = open(&network, &options).await.unwrap();
    let refused = node.ready().await.unwrap_err();
    assert!(matches!(refused, RaftError::NotListed { .. }), "{refused}");
}

#[tokio::test]
async fn a_wiped_disk_under_the_old_name_is_refused_until_it_is_removed() {
    let mut cluster = Cluster::start().await;
    write(&cluster.nodes[0], "kept").await;
    let wiped = cluster.unplug(2);
    wiped.close().await;
    let old_id = wiped.id();
    drop(wiped);
    let options = cluster.options[2].clone();
    fs::remove_dir_all(&options.dir).unwrap();

    let fresh = open(&cluster.network, &options).await.unwrap();
    let refused = fresh.ready().await.unwrap_err();
    assert!(matches!(refused, RaftError::NameTaken { .. }), "{refused}");
    assert_eq!(fresh.cluster(), 0);
    fresh.close().await;
    drop(fresh);

    cluster.nodes[0].remove("c").await.unwrap();
    let fresh = open(&cluster.network, &options).await.unwrap();
    fresh.ready().await.unwrap();
    assert_ne!(fresh.id(), old_id);
    assert!(read(&fresh, "kept", Read::Latest).await.is_some());
    until("it has a vote", || {
        let members = fresh.status().members;
        members.len() == 3 && members.iter().all(|member| member.voter)
    })
    .await;
    cluster.nodes.push(fresh);
    cluster.close().await;
}

#[tokio::test]
async fn a_cluster_of_one_is_given_an_address_and_others_join_it() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let silent = RaftOptions {
        address: None,
        ..options(&dir, &network, "a")
    };
    let first = open_unlocked(&silent).await.unwrap();
    write(&first, "before").await;
    let cluster = first.cluster();
    first.close().await;
    drop(first);

    let first = open(&network, &options(&dir, &network, "a")).await.unwrap();
    assert_eq!(first.status().members[0].address, "a:1");
    assert_eq!(first.cluster(), cluster);
    let mut nodes = vec![first];
    for name in ["b", "c"] {
        let options = RaftOptions {
            join: Some("a:1".into()),
            ..options(&dir, &network, name)
        };
        let node = open(&network, &options).await.unwrap();
        node.ready().await.unwrap();
        assert_eq!(node.cluster(), cluster);
        assert!(read(&node, "before", Read::Latest).await.is_some());
        nodes.push(node);
    }
    write(&nodes[2], "after").await;
    for node in &nodes {
        assert!(read(node, "after", Read::Latest).await.is_some());
    }
    // With three it survives the first.
    let first = nodes.remove(0);
    first.close().await;
    write(&nodes[0], "without-the-first").await;

    // Its address is no longer its own to change.
    let moved = RaftOptions {
        address: Some("elsewhere:1".into()),
        ..options(&dir, &network, "a")
    };
    drop(first);
    let moved = open(&network, &moved).await.unwrap();
    let refused = moved.ready().await.unwrap_err();
    assert!(
        matches!(refused, RaftError::AddressChanged { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_leader_is_removed_after_it_has_handed_over() {
    let mut cluster = Cluster::start().await;
    let leader = cluster.leader().await;
    let name = cluster.options[leader].name.clone();
    let asked = Arc::clone(&cluster.nodes[(leader + 1) % 3]);
    asked.remove(&name).await.unwrap();
    let removed = cluster.unplug(leader);
    removed.close().await;
    assert!(asked.status().members.iter().all(|m| m.name != name));
    write(&asked, "goes-on").await;
    let unknown = asked.remove("nobody").await.unwrap_err();
    assert_eq!(unknown.kind(), StoreErrorKind::Invalid);

    // Down to one, and no further.
    let other = asked.status().members.into_iter();
    let other = other.map(|member| (member.id, member.name));
    let (mine, others): (Vec<_>, Vec<_>) = other.partition(|(id, _)| *id == asked.id());
    asked.remove(&others[0].1).await.unwrap();
    let last = asked.remove(&mine[0].1).await.unwrap_err();
    assert_eq!(last.kind(), StoreErrorKind::Invalid);
    write(&asked, "alone").await;
}

#[tokio::test]
async fn calls_of_another_cluster_or_for_another_node_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let network = Arc::new(Network::default());
    let node = open(&network, &options(&dir, &network, "a")).await.unwrap();
    let call = Call {
        cluster: node.cluster(),
        from: 1,
        to: node.id(),
        topic: Topic::ReadIndex,
        body: vec![1].into(),
    };
    let patience = Duration::from_secs(5);
    node.handle(call.clone(), patience).await.unwrap();
    let others = [
        Call {
            cluster: node.cluster() ^ 1,
            ..call.clone()
        },
        Call {
            cluster: 0,
            ..call.clone()
        },
        Call {
            to: node.id() ^ 1,
            ..call.clone()
        },
        Call {
            topic: Topic::Push,
            ..call.clone()
        },
        Call {
            body: vec![9, 9].into(),
            ..call
        },
    ];
    for call in others {
        node.handle(call, patience).await.unwrap_err();
    }
}
