//! `hermod` as a client of its own API: a real node, real people, real files.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    documents::{webhook_to_file, write},
    http,
    process::{Node, hermod, text, wait_for},
};

const PASSWORD: &str = "correct horse battery staple";
const ANN: &str = "ann's long password";

/// A node with an administrator, and a directory in which somebody works with it.
struct Platform {
    node: Node,
    directory: tempfile::TempDir,
    url: String,
}

impl Platform {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let node = directory.path().join("node");
        fs::create_dir(&node).unwrap();
        fs::write(directory.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        fs::write(directory.path().join("ann"), format!("{ANN}\n")).unwrap();
        let node_ran = Node::start(
            &node,
            &[
                "--mode=standalone",
                "--grpc-port",
                "off",
                "--data-dir",
                "data",
            ],
        );
        let setup = [
            "setup",
            "--password-file",
            "../password",
            "--data-dir",
            "data",
        ];
        let done = hermod(&node).args(setup).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        Self {
            url: format!("http://{}", node_ran.address),
            node: node_ran,
            directory,
        }
    }

    /// The same, logged in as the administrator.
    fn signed_in() -> Self {
        let platform = Self::start();
        let url = platform.url.clone();
        let login = [
            "login",
            "--server",
            &url,
            "--user",
            "admin",
            "--password-file",
            "password",
        ];
        platform.ok(&login);
        platform
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        hermod(self.path()).args(arguments).output().unwrap()
    }

    /// Runs what must succeed, and returns what it prints.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Runs what must fail, and returns what it says.
    fn fails(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
        said
    }

    fn write(&self, name: &str, document: &Value) {
        write(self.path(), name, document);
    }

    fn config(&self) -> PathBuf {
        self.path().join("config/hermod/client.toml")
    }

    /// Adds the viewer `ann`, logs her in elsewhere, and returns her token.
    fn viewer(&self) -> String {
        self.ok(&[
            "user",
            "create",
            "ann",
            "--role",
            "viewer",
            "--password-file",
            "ann",
        ]);
        let create = [
            "token",
            "create",
            "hers",
            "--user",
            "ann",
            "--password-file",
            "ann",
            "--output",
            "json",
        ];
        let made: Value = serde_json::from_str(&self.ok(&create)).unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    fn run_as(&self, token: &str, arguments: &[&str]) -> Output {
        let mut command = hermod(self.path());
        command
            .env("HERMOD_SERVER", &self.url)
            .env("HERMOD_TOKEN", token);
        command.args(arguments).output().unwrap()
    }
}

fn bundle() -> Value {
    let mut bundle = webhook_to_file();
    bundle["sinks"][0]["config"]["filename"] = json!("out.ndjson");
    bundle
}

#[test]
fn i10_login_keeps_a_token_for_this_user_alone_and_logout_revokes_it() {
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
fn a_workflow_is_made_started_watched_and_stopped() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    let said = platform.ok(&["workflow", "create", "-f", "orders.json", "--start"]);
    assert!(
        said.contains("workflow `orders` is made and is to run"),
        "{said}"
    );
    wait_for("a workflow that runs", || {
        let status = platform.json(&["workflow", "status", "orders"]);
        (status["state"] == "running").then_some(())
    });
    let table = platform.ok(&["workflow", "status"]);
    assert!(
        table.starts_with("WORKFLOW") && table.contains("running"),
        "{table}"
    );
    assert_eq!(
        http::post(platform.node.address, "in", b"{\"n\":1}").status,
        200
    );

    let mut watch = hermod(platform.path())
        .args([
            "workflow", "status", "orders", "--watch", "--output", "json",
        ])
        .stdout(fs::File::create(platform.path().join("watched")).unwrap())
        .spawn()
        .unwrap();
    let watched = || fs::read_to_string(platform.path().join("watched")).unwrap();
    wait_for("a first status", || {
        watched().contains("\"running\"").then_some(())
    });
    platform.ok(&["workflow", "stop", "orders"]);
    wait_for("a status that has changed", || {
        watched().contains("\"stopped\"").then_some(())
    });
    watch.kill().unwrap();
    watch.wait().unwrap();
    for line in watched().lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        assert_eq!(status["workflow"], "orders");
    }

    let list = platform.json(&["workflow", "list"]);
    assert_eq!(list["data"][0]["active"], false);
    wait_for("a workflow that can be removed", || {
        let gone = platform.run(&["workflow", "delete", "orders", "--discard"]);
        gone.status.success().then_some(())
    });
    let said = platform.fails(2, &["workflow", "show", "orders"]);
    assert!(said.contains("HMD-0132"), "{said}");
    platform.ok(&["source", "delete", "hook"]);
    assert_eq!(platform.json(&["source", "list"]), json!({"data": []}));
}

#[test]
fn a_change_that_is_based_on_an_old_version_is_refused() {
    let platform = Platform::signed_in();
    platform.write("orders.json", &bundle());
    platform.ok(&["workflow", "create", "-f", "orders.json"]);
    let shown = platform.ok(&["workflow", "show", "orders"]);
    let mut mine: Value = serde_json::from_str(&shown).unwrap();
    let mut theirs = mine.clone();
    theirs["max_retries"] = json!(7);
    mine["max_retries"] = json!(9);
    platform.write("theirs.json", &theirs);
    platform.write("mine.json", &mine);
    let said = platform.ok(&[
        "workflow",
        "update",
        "-f",
        "theirs.json",
        "--message",
        "seven",
    ]);
    assert!(said.contains("saved as version 2"), "{said}");
    let said = platform.fails(1, &["workflow", "update", "-f", "mine.json"]);
    assert!(
        said.contains("HMD-0124") && said.contains("read it again"),
        "{said}"
    );
    let now = platform.json(&["workflow", "show", "orders"]);
    assert_eq!(now["max_retries"], 7);

    // Without a version of its own the document is written over what is there, as one asks for.
    mine.as_object_mut().unwrap().remove("etag");
    platform.write("mine.json", &mine);
    platform.ok(&["workflow", "update", "-f", "mine.json"]);
    let versions = platform.json(&["workflow", "versions", "orders"]);
    assert_eq!(versions["data"][1]["message"], "seven", "{versions}");
    platform.ok(&["workflow", "rollback", "orders", "2"]);
    assert_eq!(
        platform.json(&["workflow", "show", "orders"])["max_retries"],
        7
    );
    let old = platform.json(&["workflow", "show", "orders", "--version", "3"]);
    assert_eq!(old["document"]["max_retries"], 9, "{old}");

    let sink = platform.json(&["sink", "show", "file"]);
    platform.write("sink.json", &sink);
    platform.ok(&["sink", "update", "-f", "sink.json"]);
    let said = platform.fails(1, &["sink", "update", "-f", "sink.json"]);
    assert!(said.contains("HMD-0124"), "{said}");
}

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

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line_and_nothing_is_changed() {
    let platform = Platform::signed_in();
    let yaml = "\
workflow:
  id: orders
  nodes:
    - {id: in, type: source, ref_id: hook}
    - {id: out, type: sink, ref_id: nowhere}
  edges:
    - {id: e, source_id: in, target_id: out}
sources:
  - id: hook
    type: webhook
    config:
      paht: in
";
    fs::write(platform.path().join("bad.yaml"), yaml).unwrap();
    let said = platform.fails(2, &["apply", "-f", "bad.yaml"]);
    assert!(said.contains("error HMD-0125"), "{said}");
    assert!(
        said.contains("bad.yaml:12: /sources/0/config/paht"),
        "{said}"
    );
    assert!(
        said.contains("bad.yaml:5: /workflow/nodes/1/ref_id"),
        "{said}"
    );
    assert_eq!(platform.json(&["source", "list"]), json!({"data": []}));
    let said = platform.fails(2, &["workflow", "create", "-f", "bad.yaml"]);
    assert!(
        said.contains("bad.yaml:12: /sources/0/config/paht"),
        "{said}"
    );
    let output = platform.run(&["workflow", "validate", "-f", "bad.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stdout).contains("bad.yaml:12: "),
        "{}",
        text(&output.stdout)
    );

    let alone = "id: hook\n\ntype: webhook\nconfig:\n  path: [1]\n";
    fs::write(platform.path().join("source.yaml"), alone).unwrap();
    let said = platform.fails(2, &["source", "create", "-f", "source.yaml"]);
    assert!(said.contains("source.yaml:5: /config/path"), "{said}");

    fs::write(platform.path().join("broken.yaml"), "workflow: [\n").unwrap();
    let said = platform.fails(2, &["apply", "-f", "broken.yaml", "bad.yaml"]);
    assert!(
        said.contains("HMD-0002") && said.contains("broken.yaml:"),
        "{said}"
    );
    fs::write(
        platform.path().join("none.yaml"),
        "workflow: {nodes: []}\nsink: []\n",
    )
    .unwrap();
    let said = platform.fails(2, &["apply", "-f", "none.yaml"]);
    assert!(
        said.contains("none.yaml:1: /workflow: `id` is missing"),
        "{said}"
    );
    assert!(said.contains("none.yaml:2: /sink: is none of"), "{said}");

    let mut one = bundle();
    platform.write("one.json", &one);
    one["workflow"]["id"] = json!("two");
    one["sources"][0]["config"]["path"] = json!("elsewhere");
    platform.write("two.json", &one);
    let said = platform.fails(2, &["apply", "-f", "one.json", "two.json"]);
    assert!(
        said.contains("source `hook` is another one in `one.json`"),
        "{said}"
    );
}

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

#[test]
fn a_source_or_sink_can_be_tried() {
    let platform = Platform::signed_in();
    platform.write(
        "sink.json",
        &json!({"id": "file", "type": "file", "config": {"filename": "out.ndjson"}}),
    );
    platform.ok(&["sink", "create", "-f", "sink.json"]);
    let said = platform.ok(&["sink", "test", "file"]);
    assert!(said.contains("the sink works"), "{said}");
    let away = json!({"id": "away", "type": "http", "config": {"url": "http://127.0.0.1:1/"}});
    platform.write("away.json", &away);
    let output = platform.run(&["sink", "test", "-f", "away.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("the sink does not work"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(
        platform.json(&["sink", "list"])["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_server_that_is_away_or_none_of_ours_is_named() {
    let platform = Platform::signed_in();
    let away = ["workflow", "list", "--server", "http://127.0.0.1:1"];
    let output = hermod(platform.path())
        .args(away)
        .env("HERMOD_TOKEN", "hmd_x")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("`http://127.0.0.1:1` does not answer: "),
        "{said}"
    );
    assert!(
        said.contains("refused") && said.contains("HMD-0013"),
        "{said}"
    );

    // Something that listens and speaks otherwise.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // All of the request is read: who closes before loses the answer.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).unwrap();
            request.extend_from_slice(&some[..read]);
        }
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let output = hermod(platform.path())
        .args(["workflow", "list"])
        .env("HERMOD_TOKEN", "hmd_x")
        .env("HERMOD_SERVER", &other)
        .output()
        .unwrap();
    answering.join().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not as a node of Hermod does"), "{said}");
}

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

/// Answers one request over TLS, with a certificate for `localhost` whose authority is in the file that is returned.
fn answer_over_tls(directory: &Path) -> (String, PathBuf, std::thread::JoinHandle<Option<String>>) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap())
            .unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let ours = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let ours = ours.signed_by(&key, &authority).unwrap();
    let file = directory.join("authority.pem");
    fs::write(&file, authority.pem()).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![ours.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let answering = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut some = [0; 4096];
            // Whoever does not trust the certificate says no more.
            let read = stream.read(&mut some).ok().filter(|read| *read > 0)?;
            request.extend_from_slice(&some[..read]);
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";
        stream.write_all(answer.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        Some(String::from_utf8(request).unwrap())
    });
    (url, file, answering)
}

#[test]
fn i10_a_token_goes_only_to_a_server_whose_certificate_the_machine_trusts() {
    let directory = tempfile::tempdir().unwrap();
    let list = |url: &str, authorities: &Path| {
        let mut command = hermod(directory.path());
        command
            .args(["worker", "list", "--output", "json", "--server", url])
            .env("HERMOD_TOKEN", "hmd_a-token")
            .env("SSL_CERT_FILE", authorities)
            .env_remove("SSL_CERT_DIR");
        command.output().unwrap()
    };
    let (url, file, answering) = answer_over_tls(directory.path());
    let output = list(&url, &file);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let request = answering.join().unwrap().unwrap().to_lowercase();
    assert!(
        request.contains("authorization: bearer hmd_a-token"),
        "{request}"
    );

    // The next one has an authority of its own, which is not that of the file.
    let other = directory.path().join("other.pem");
    fs::rename(&file, &other).unwrap();
    let (url, _, answering) = answer_over_tls(directory.path());
    let output = list(&url, &other);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(answering.join().unwrap(), None, "nothing was said to it");
}
