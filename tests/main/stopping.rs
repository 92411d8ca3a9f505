use rustix::process::Signal;

use crate::{
    delivery::Load,
    documents::{directory_with, hold, lines, missing, webhook_to_file},
    http::{get, post},
    process::{Node, wait_for},
};

#[test]
fn a_signal_under_load_ends_in_order_with_everything_delivered() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = directory_with(&webhook_to_file());
        let out = directory.path().join("out.ndjson");
        let mut node = Node::run(directory.path(), "w.json");
        let load = Load::start(node.address, 0);
        load.wait_for(500);
        node.signal(signal);
        assert_eq!(node.wait().code(), Some(0), "{}", node.errors());
        let acknowledged = load.end();
        assert_eq!(missing(&out, &acknowledged), Vec::<String>::new());
        assert_eq!(
            node.wait_for_log("everything in hand is delivered")["undelivered"],
            0
        );
    }
}

#[test]
fn a_second_signal_forces_and_what_was_acknowledged_comes_after_the_next_start() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let directory = directory_with(&webhook_to_file());
        let out = directory.path().join("out.ndjson");
        let held = hold(&out);
        let mut node = Node::run(directory.path(), "w.json");
        for body in ["one", "two", "three"] {
            assert_eq!(post(node.address, "in", body.as_bytes()).status, 200);
        }
        node.signal(signal);
        node.wait_for_log("stopping");
        // While it drains, pushes are refused and probes still answer.
        let refused = wait_for("a refusal", || {
            let answer = post(node.address, "in", b"late");
            (answer.status == 503).then_some(answer)
        });
        assert_eq!(refused.code(), "HMD-0108");
        assert!(refused.header("retry-after").is_some());
        assert_eq!(get(node.address, "/livez").status, 200);

        node.signal(signal);
        assert_eq!(node.wait().code(), Some(code), "{}", node.errors());
        let forced = node.wait_for_log("forced to end before everything was delivered");
        assert_eq!(forced["code"], "HMD-0017");
        drop(held);
        Node::run(directory.path(), "w.json").stop();
        let delivered = lines(&out);
        assert_eq!(delivered[..3], ["one", "two", "three"], "{delivered:?}");
    }
}

#[test]
fn what_a_sink_does_not_take_in_time_is_counted_and_kept() {
    let directory = directory_with(&webhook_to_file());
    let out = directory.path().join("out.ndjson");
    let held = hold(&out);
    let arguments = ["run", "w.json", "--drain-timeout", "200ms"];
    let mut node = Node::start(directory.path(), &arguments);
    for body in ["one", "two"] {
        assert_eq!(post(node.address, "in", body.as_bytes()).status, 200);
    }
    node.terminate();
    assert_eq!(node.wait().code(), Some(0), "{}", node.errors());
    let kept = "not everything was delivered in time; it is kept for the next start";
    assert_eq!(node.wait_for_log(kept)["undelivered"], 2);
    drop(held);
    Node::run(directory.path(), "w.json").stop();
    assert_eq!(lines(&out), ["one", "two"]);
}
