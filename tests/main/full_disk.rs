use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    documents::{directory_with, hold, missing, webhook_to_file},
    http::{Client, get},
    process::{Node, wait_for},
};

/// A file system of its own, unmounted when the test ends.
struct Mount(PathBuf);

impl Mount {
    /// Returns `None` where this user may not mount.
    fn new(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "hermod-test"])
            .arg(path)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Posts until there is no room, and returns the bodies that were acknowledged.
fn fill(node: &Node, round: &str) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    let padding = "x".repeat(50_000);
    let mut client = Client::connect(node.address).unwrap();
    for number in 0..2000 {
        let body = format!("{round}-{number}-{padding}");
        let answer = client.post("in", "", body.as_bytes()).unwrap();
        if answer.status != 200 {
            assert_eq!((answer.status, answer.code().as_str()), (503, "HMD-0107"));
            assert!(answer.header("retry-after").is_some());
            return acknowledged;
        }
        acknowledged.insert(body);
    }
    panic!("the log took 100 MB and was never full");
}

fn post_until_taken(node: &Node, body: &str) {
    wait_for("room", || {
        let mut client = Client::connect(node.address).ok()?;
        let answer = client.post("in", "", body.as_bytes()).ok()?;
        match answer.status {
            200 => Some(()),
            503 => None,
            other => panic!("{other}: {answer:?}"),
        }
    });
}

#[test]
fn i8_a_full_disk_holds_senders_back_and_mends_itself() {
    let directory = directory_with(&webhook_to_file());
    let out = directory.path().join("out.ndjson");
    let data = directory.path().join("disk");
    let Some(_mount) = Mount::new(&data, "48m") else {
        println!("skipped: this user may not mount; the quota's test covers the same path");
        return;
    };
    let ballast = data.join("ballast");
    fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    let held = hold(&out);
    let node = Node::start(directory.path(), &["run", "w.json", "--data-dir", "disk"]);
    let mut acknowledged = fill(&node, "first");
    assert!(!acknowledged.is_empty());
    // Full is a state, not a death (I8).
    let ready = get(node.address, "/readyz");
    assert_eq!(ready.status, 200, "{ready:?}");

    // Room comes back by somebody else's doing.
    fs::remove_file(&ballast).unwrap();
    post_until_taken(&node, "in between");
    acknowledged.insert("in between".to_owned());
    acknowledged.extend(fill(&node, "second"));

    // Room comes back by our own: the sink works again.
    drop(held);
    post_until_taken(&node, "at last");
    acknowledged.insert("at last".to_owned());
    node.stop();
    assert_eq!(missing(&out, &acknowledged), Vec::<String>::new());
}

#[test]
fn i8_a_full_quota_holds_senders_back_and_mends_itself() {
    fill_a_quota("400MiB", 1 << 20);
}

/// A quota that is no larger than a segment usually is.
#[test]
fn i8_a_small_quota_mends_itself_too() {
    fill_a_quota("64MiB", 900_000);
    fill_a_quota("20MiB", 900_000);
}

fn fill_a_quota(quota: &str, body_bytes: usize) {
    let mut document = webhook_to_file();
    document["workflow"]["name"] = "quota".into();
    let directory = directory_with(&document);
    let out = directory.path().join("out.ndjson");
    let held = hold(&out);
    let arguments = ["run", "w.json", "--data-quota", quota];
    let node = Node::start(directory.path(), &arguments);
    let mut client = Client::connect(node.address).unwrap();
    let body = vec![b'x'; body_bytes];
    let mut taken = 0;
    let refused = loop {
        let answer = client.post("in", "", &body).unwrap();
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 500, "the quota was never reached");
    };
    assert_eq!((refused.status, refused.code().as_str()), (503, "HMD-0107"));
    assert!(refused.header("retry-after").is_some());
    drop(held);
    post_until_taken(&node, "at last");
    node.stop();
    let lines = crate::documents::lines(&out);
    assert_eq!(lines.len(), taken + 1);
    assert_eq!(lines.last().map(String::as_str), Some("at last"));
}
