//! Making a server have what files say.

use std::fs;

use serde_json::{Value, json};

use super::{Platform, bundle};
use crate::documents::write;

#[test]
fn apply_changes_only_what_differs() {
    let platform = Platform::signed_in();
    let directory = platform.path().join("bundles");
    fs::create_dir(&directory).unwrap();
    let mut bundle = bundle();
    bundle["workflow"]["active"] = json!(true);
    write(&directory, "orders.json", &bundle);
    let results = |answer: &Value| -> Vec<String> {
        let objects = answer["objects"].as_array().unwrap();
        let word = |object: &Value| object["result"].as_str().unwrap().to_owned();
        objects.iter().map(word).collect()
    };

    let said = platform.ok(&["apply", "-f", "bundles", "--dry-run"]);
    assert!(
        said.contains("workflow `orders`: would be created"),
        "{said}"
    );
    assert_eq!(platform.json(&["workflow", "list"]), json!({"data": []}));

    let answer = platform.json(&["apply", "-f", "bundles"]);
    assert_eq!(results(&answer), ["created"; 3], "{answer}");
    let shown = platform.json(&["workflow", "show", "orders"]);
    assert_eq!(
        shown["active"], false,
        "nothing runs before somebody says so"
    );
    let answer = platform.json(&["apply", "-f", "bundles"]);
    assert_eq!(results(&answer), ["unchanged"; 3], "{answer}");
    assert_eq!(
        platform.json(&["workflow", "show", "orders"])["etag"],
        shown["etag"]
    );

    bundle["sinks"][0]["config"]["filename"] = json!("other.ndjson");
    bundle["workflow"]["max_retries"] = json!(3);
    write(&directory, "orders.json", &bundle);
    let said = platform.ok(&["apply", "-f", "bundles", "--dry-run"]);
    for line in [
        "source `hook`: unchanged",
        "sink `file`: would be updated",
        "  ~ /config/filename: \"out.ndjson\" -> \"other.ndjson\"",
        "  ~ /max_retries: 0 -> 3",
        "0 would be created, 2 would be updated, 1 unchanged",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert_eq!(
        platform.json(&["workflow", "show", "orders"])["etag"],
        shown["etag"]
    );
    let answer = platform.json(&["apply", "-f", "bundles", "--start", "--message", "three"]);
    assert_eq!(
        results(&answer),
        ["unchanged", "updated", "updated"],
        "{answer}"
    );
    assert_eq!(answer["objects"][2]["started"], true);
    let answer = platform.json(&["apply", "-f", "bundles", "--start"]);
    assert_eq!(results(&answer), ["unchanged"; 3], "{answer}");
    assert_eq!(answer["objects"][2]["started"], false, "it runs already");
    let versions = platform.json(&["workflow", "versions", "orders"]);
    assert_eq!(versions["data"][0]["message"], "three", "{versions}");

    // What is exported is what is there.
    let exported = platform.ok(&["workflow", "export", "orders"]);
    fs::write(directory.join("orders.json"), exported).unwrap();
    let answer = platform.json(&["apply", "-f", "bundles"]);
    assert_eq!(results(&answer), ["unchanged"; 3], "{answer}");
}

#[test]
fn i10_apply_shows_no_secret_and_keeps_those_that_it_is_told_to() {
    let platform = Platform::signed_in();
    let mut bundle = bundle();
    bundle["sources"][0]["config"]["secret"] = json!("hunter2-hunter2");
    platform.write("orders.json", &bundle);
    let seen = platform.ok(&["apply", "-f", "orders.json", "--output", "json"]);
    assert!(!seen.contains("hunter2"), "{seen}");
    let said = platform.ok(&["apply", "-f", "orders.json", "--dry-run"]);
    assert!(
        said.contains("/config/secret: a secret, which cannot be compared"),
        "{said}"
    );
    let said = platform.ok(&["apply", "-f", "orders.json", "--keep-secrets"]);
    assert!(said.contains("source `hook`: unchanged"), "{said}");

    // One that is new, and one that takes the place of a reference.
    bundle["sources"][0]["config"]["secret"] = json!("${env:SOME_SECRET}");
    platform.write("orders.json", &bundle);
    platform.ok(&["apply", "-f", "orders.json"]);
    let said = platform.ok(&["apply", "-f", "orders.json"]);
    assert!(said.contains("source `hook`: unchanged"), "{said}");
    bundle["sources"][0]["config"]["secret"] = json!("hunter3-hunter3");
    platform.write("orders.json", &bundle);
    for form in ["table", "json"] {
        let said = platform.ok(&["apply", "-f", "orders.json", "--dry-run", "--output", form]);
        assert!(
            said.contains("[secret]") && !said.contains("hunter3"),
            "{said}"
        );
    }
    let said = platform.ok(&["source", "show", "hook"]);
    assert!(said.contains("${env:SOME_SECRET}"), "{said}");
}
