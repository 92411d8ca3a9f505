//! Logging in and out, and people.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::json;

use super::{ANN, PASSWORD, Platform};
use crate::process::{hermod, text};

#[test]
fn i10_login_keeps_a_token_for_this_user_alone() {
    let platform = Platform::start();
    let said = platform.fails(1, &["workflow", "list", "--server", &platform.url]);
    assert!(
        said.contains("HMD-0133") && said.contains("hermod login"),
        "{said}"
    );

    fs::write(platform.path().join("wrong"), "not the password").unwrap();
    let wrong = [
        "login",
        "--server",
        &platform.url,
        "--user",
        "admin",
        "--password-file",
        "wrong",
    ];
    let said = platform.fails(1, &wrong);
    assert!(
        said.contains("do not fit") && !said.contains("not the password"),
        "{said}"
    );
    assert!(!platform.config().exists());

    // The password comes from standard input where there is no terminal.
    let mut login = hermod(platform.path())
        .args(["login", "--server", &platform.url, "--user", "admin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    login
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{PASSWORD}\n").as_bytes())
        .unwrap();
    let output = login.wait_with_output().unwrap();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("as `admin` (Administrator)"), "{said}");
    let kept = fs::read_to_string(platform.config()).unwrap();
    let token = kept
        .lines()
        .find_map(|line| line.strip_prefix("token = \""))
        .unwrap();
    let token = token.trim_end_matches('"').to_owned();
    assert!(!said.contains(&token) && !said.contains(PASSWORD), "{said}");
    assert!(!kept.contains(PASSWORD));
    let mode = fs::metadata(platform.config())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // Neither a server nor a token has to be named any more.
    assert_eq!(platform.json(&["workflow", "list"]), json!({"data": []}));
    let tokens = platform.json(&["token", "list"]);
    assert_eq!(tokens["data"].as_array().unwrap().len(), 1, "{tokens}");
    assert!(!tokens.to_string().contains(&token));

    // A second login replaces the token of the first.
    platform.ok(&["login", "--password-file", "password"]);
    let tokens = platform.json(&["token", "list"]);
    assert_eq!(tokens["data"].as_array().unwrap().len(), 1, "{tokens}");
    let output = platform.run_as(&token, &["workflow", "list"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn i10_logout_revokes_the_token_and_a_login_that_others_can_read_is_not_used() {
    let platform = Platform::signed_in();
    let kept = fs::read_to_string(platform.config()).unwrap();
    platform.ok(&["logout"]);
    assert!(!platform.config().exists());
    fs::create_dir_all(platform.config().parent().unwrap()).unwrap();
    fs::write(platform.config(), &kept).unwrap();
    let said = platform.fails(2, &["workflow", "list"]);
    assert!(said.contains("can be read by others"), "{said}");
    fs::set_permissions(platform.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let said = platform.fails(1, &["workflow", "list"]);
    assert!(
        said.contains("HMD-0133") && said.contains("hermod login"),
        "{said}"
    );
    // Of a token that is revoked already, nothing is left to do but to forget it.
    platform.ok(&["logout"]);
    platform.ok(&["logout"]);
}

#[test]
fn i10_a_token_is_shown_to_no_other_server() {
    let platform = Platform::signed_in();
    let other = platform.url.replace("127.0.0.1", "localhost");
    let said = platform.fails(1, &["workflow", "list", "--server", &other]);
    assert!(said.contains("not logged in to"), "{said}");
    // The same server, spelled in another way that means the same.
    platform.ok(&[
        "workflow",
        "list",
        "--server",
        &format!("{}/", platform.url),
    ]);
    let said = platform.fails(2, &["workflow", "list", "--server", "ann:hunter2@h"]);
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn people_have_passwords_and_the_journal_knows_who_did_what() {
    let platform = Platform::signed_in();
    platform.viewer();
    fs::write(platform.path().join("short"), "short").unwrap();
    let said = platform.fails(2, &["user", "create", "bob", "--password-file", "short"]);
    assert!(
        said.contains("HMD-0125") && said.contains("/password"),
        "{said}"
    );
    let said = platform.fails(2, &["user", "create", "bob"]);
    assert!(said.contains("standard input holds no password"), "{said}");
    let said = platform.fails(1, &["user", "create", "ann", "--password-file", "ann"]);
    assert!(said.contains("HMD-0122"), "{said}");

    fs::write(platform.path().join("new"), "another long password").unwrap();
    platform.ok(&["user", "password", "ann", "--password-file", "new"]);
    platform.ok(&[
        "user",
        "password",
        "--current-password-file",
        "password",
        "--password-file",
        "new",
    ]);
    let login = ["login", "--user", "admin", "--password-file", "password"];
    platform.fails(1, &login);
    platform.ok(&[
        "login",
        "--user",
        "admin",
        "--password-file",
        "new",
        "--role",
        "administrator",
    ]);
    let list = platform.json(&["user", "list", "--search", "an"]);
    assert_eq!(list["data"][0]["username"], "ann", "{list}");
    platform.ok(&["user", "delete", "ann"]);

    let audit = platform.json(&[
        "audit",
        "--since",
        "1h",
        "--user",
        "admin",
        "--action",
        "user.create",
    ]);
    assert_eq!(audit["data"].as_array().unwrap().len(), 1, "{audit}");
    assert_eq!(audit["data"][0]["entity_id"], "ann");
    assert!(!audit.to_string().contains(ANN));
    let audit = platform.json(&["audit", "--limit", "2"]);
    assert_eq!(audit["data"].as_array().unwrap().len(), 2);
    let table = platform.ok(&["audit", "--since", "2000-01-01"]);
    assert!(table.contains("user.delete"), "{table}");
    let nothing = platform.json(&["audit", "--since", "0s"]);
    assert_eq!(nothing["data"], json!([]));
}
