//! Dead letters over the API, and who is asked.

use serde_json::{Value, json};

use super::{Platform, bundle};
use crate::{
    http,
    process::{hermod, text, wait_for},
};

/// Lists dead letters until there are so many.
fn wait_for_dead_letters(platform: &Platform, count: usize) -> Vec<u64> {
    wait_for("dead letters", || {
        let list = platform.json(&["dlq", "list", "--workflow", "orders"]);
        let letters = list["data"].as_array().unwrap();
        let seqs: Vec<_> = letters
            .iter()
            .map(|one| one["seq"].as_u64().unwrap())
            .collect();
        (seqs.len() == count).then_some(seqs)
    })
}

#[test]
fn dead_letters_are_listed_shown_replayed_and_discarded_over_the_api() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    platform.ok(&["workflow", "create", "-f", "orders.json", "--start"]);
    wait_for("a webhook that takes messages", || {
        let answer = http::post(platform.node.address, "in", b"0\nx");
        (answer.status == 200).then_some(())
    });
    for number in 1..4 {
        // The sink's format cannot put two lines on one.
        let text = format!("{number}\nx");
        assert_eq!(
            http::post(platform.node.address, "in", text.as_bytes()).status,
            200
        );
    }
    let seqs = wait_for_dead_letters(&platform, 4);
    let seqs: Vec<_> = seqs.iter().map(u64::to_string).collect();
    let table = platform.ok(&["dlq", "list"]);
    assert!(
        table.contains("sink file") && table.contains("4 in workflow `orders` fit"),
        "{table}"
    );
    let shown: Value = serde_json::from_str(&platform.ok(&["dlq", "show", &seqs[1]])).unwrap();
    assert!(shown["message"].to_string().contains("1\\nx"), "{shown}");
    let none = platform.json(&["dlq", "list", "--kind", "nothing-of-the-kind"]);
    assert_eq!(none["data"], json!([]));

    let said = platform.ok(&["dlq", "discard", &seqs[0]]);
    assert!(said.contains("1 discarded"), "{said}");
    // A workflow that runs again fails again with what is put back.
    let said = platform.ok(&["dlq", "replay", &seqs[1], &seqs[2]]);
    assert!(said.contains("2 replayed"), "{said}");
    wait_for_dead_letters(&platform, 3);
    let said = platform.ok(&[
        "dlq",
        "discard",
        "--all",
        "--workflow",
        "orders",
        "--sink",
        "file",
    ]);
    assert!(said.contains("3 discarded"), "{said}");
    wait_for_dead_letters(&platform, 0);
}

#[test]
fn a_data_directory_is_asked_by_itself_unless_a_server_is_named() {
    let platform = Platform::signed_in();
    let node = platform.path().join("node");
    let copy = |arguments: &[&str]| {
        let mut command = hermod(&node);
        // The login is that of the directory above.
        command.env("XDG_CONFIG_HOME", platform.path().join("config"));
        command.args(arguments);
        command
    };
    let local = json!({"workflow": null, "open": 0, "letters": [], "next": null, "damaged": []});
    let list = ["dlq", "list", "--output", "json"];
    let output = copy(&list).output().unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        local
    );

    let server = ["--server", &platform.url];
    let output = copy(&[&list[..], &server].concat()).output().unwrap();
    assert!(
        text(&output.stderr).contains("the server has no workflows"),
        "{}",
        text(&output.stderr)
    );
    let output = copy(&list)
        .env("HERMOD_SERVER", &platform.url)
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).contains("the server has no workflows"),
        "{}",
        text(&output.stderr)
    );
    let named = [&list[..], &["--data-dir", "data"]].concat();
    let output = copy(&named)
        .env("HERMOD_SERVER", &platform.url)
        .output()
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        local
    );
    // Where there is no directory, the login is what is left.
    let said = platform.fails(2, &["dlq", "list"]);
    assert!(said.contains("the server has no workflows"), "{said}");

    let both = [&named[..], &server].concat();
    let output = copy(&both).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let output = copy(&[&list[..], &["--node", "n"]].concat())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
