//! `hermod` as a client of its own API: a real node, real people, real files.

mod apply;
mod dead_letter;
mod document;
mod login;
mod role;
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};

use crate::{
    documents::{webhook_to_file, write},
    process::{Node, hermod, text},
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
