//! Who may do what.

use super::{Platform, bundle};
use crate::process::text;

#[test]
fn a_viewer_looks_and_is_told_what_else_is_needed() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    platform.ok(&["apply", "-f", "orders.json"]);
    let token = platform.viewer();
    for looks in [
        &["workflow", "list"][..],
        &["source", "show", "hook"],
        &["workflow", "export", "orders"],
    ] {
        let output = platform.run_as(&token, looks);
        assert!(
            output.status.success(),
            "{looks:?}: {}",
            text(&output.stderr)
        );
    }
    for refused in [
        &["workflow", "start", "orders"][..],
        &["workflow", "delete", "orders"],
        &["apply", "-f", "orders.json"],
        &["audit"],
        &["user", "list"],
        &["worker", "drain", "w"],
    ] {
        let output = platform.run_as(&token, refused);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{refused:?}: {said}");
        assert!(
            said.contains("HMD-0120") && said.contains("role"),
            "{refused:?}: {said}"
        );
        assert!(!said.contains(&token), "{said}");
    }

    // More than one's own role is not to be had.
    let more = [
        "token",
        "create",
        "more",
        "--role",
        "editor",
        "--user",
        "ann",
        "--password-file",
        "ann",
    ];
    let said = platform.fails(1, &more);
    assert!(said.contains("HMD-0120"), "{said}");

    let list = platform.json(&["token", "list"]);
    let tokens = list["data"].as_array().unwrap();
    let hers = tokens.iter().find(|token| token["name"] == "hers").unwrap();
    platform.ok(&["token", "revoke", hers["id"].as_str().unwrap()]);
    let output = platform.run_as(&token, &["workflow", "list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("HMD-0133") && said.contains("hermod login"),
        "{said}"
    );
}
