use std::fs;

use serde_json::json;

use crate::{
    documents::{directory_with, generator_to_file, webhook_to_file, write},
    process::{hermod, run, run_json, text},
};

#[test]
fn validate_reports_every_error_of_every_file_with_line_and_pointer() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = "\
workflow:
  id: orders
  colour: blue
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
sinks: []
";
    fs::write(directory.path().join("bad.yaml"), yaml).unwrap();
    fs::write(directory.path().join("broken.json"), "{\n\"workflow\": {\n").unwrap();
    write(directory.path(), "good.json", &generator_to_file(1));
    let files = [
        "validate",
        "bad.yaml",
        "broken.json",
        "good.json",
        "missing.yaml",
    ];
    let output = run(directory.path(), &files);
    assert_eq!(output.status.code(), Some(2));
    let lines = text(&output.stdout);
    for start in [
        "bad.yaml:3: /workflow/colour: ",
        "bad.yaml:13: /sources/0/config/paht: unknown key `paht`",
        "bad.yaml:6: /workflow/nodes/1/ref_id: ",
        "broken.json:",
        "good.json: workflow `orders` is valid",
        "missing.yaml: cannot be read: ",
    ] {
        assert!(
            lines.lines().any(|line| line.starts_with(start)),
            "{start} in {lines}"
        );
    }

    let json = [&files[..], &["--output", "json"]].concat();
    let output = run(directory.path(), &json);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let errors = report["errors"].as_array().unwrap();
    let colour = errors
        .iter()
        .find(|e| e["pointer"] == "/workflow/colour")
        .unwrap();
    assert_eq!(
        (&colour["file"], &colour["line"]),
        (&json!("bad.yaml"), &json!(3))
    );
    assert_eq!(report["workflows"][0]["workflow"], "orders");
}

#[test]
fn a_valid_document_passes_with_its_warnings() {
    let directory = directory_with(&webhook_to_file());
    let output = run(directory.path(), &["validate", "w.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("warning"),
        "a webhook without a secret is open"
    );
    let report = run_json(
        directory.path(),
        &["validate", "w.json", "--output", "json"],
    );
    assert_eq!(
        (&report["valid"], &report["errors"]),
        (&json!(true), &json!([]))
    );
}

#[test]
fn forms_that_the_original_exports_are_taken_with_a_warning_for_what_is_dropped() {
    let mut document = webhook_to_file();
    document["sources"][0]["config"]["secret"] = json!("");
    document["sources"][0]["state"] = json!({"last": "1"});
    document["workflow"]["nodes"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"id": "n", "type": "note"}));
    document["sinks"][0] = json!({"id": "file", "type": "http", "config": {
        "url": "http://127.0.0.1:1/", "headers": "X-Tenant:blue,Authorization:Bearer a:b",
    }});
    let directory = directory_with(&document);
    let arguments = ["validate", "w.json", "--output", "json"];
    let report = run_json(directory.path(), &arguments);
    let warnings = report["warnings"].as_array().unwrap();
    let pointers: Vec<_> = warnings
        .iter()
        .map(|w| w["pointer"].as_str().unwrap())
        .collect();
    for pointer in ["/sources/0/config", "/sources/0/state", "/workflow/nodes/0"] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
    assert!(
        report.to_string().contains("anybody who reaches it"),
        "an open webhook is named"
    );

    document["sinks"][0]["config"]["headers"] = json!("X-Tenant:blue,hunter2");
    write(directory.path(), "w.json", &document);
    let output = run(directory.path(), &["validate", "w.json"]);
    let lines = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{lines}");
    assert!(
        lines.contains("/sinks/0/config/headers: part 2 "),
        "{lines}"
    );
    assert!(!lines.contains("hunter2"), "{lines}");
}

#[test]
fn an_invalid_document_stops_the_start_with_all_errors_of_all_files() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.json"] {
        let mut document = webhook_to_file();
        document["sources"][0]["config"]["colour"] = json!(name);
        write(directory.path(), name, &document);
    }
    let arguments = ["--mode=standalone", "--workflows", ".", "--port", "0"];
    let output = run(directory.path(), &arguments);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in [
        "HMD-0002",
        "a.json:1: /sources/0/config/colour",
        "b.json:1: /sources/0/config/colour",
    ] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    assert!(
        !directory.path().join("data").exists(),
        "nothing was opened"
    );
}

#[test]
fn a_mode_that_does_not_exist_names_those_that_do() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["--mode=cluster"][..], &["--mode="]] {
        let output = run(directory.path(), arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(
            errors.contains("HMD-0008")
                && ["api", "standalone", "worker"]
                    .iter()
                    .all(|mode| errors.contains(mode)),
            "{errors}"
        );
    }
}

#[test]
fn a_value_comes_from_the_flag_then_the_environment_then_the_file_then_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let file = "listen = \"::1\"\nport = 1\ndata_dir = \"from-file\"\n";
    fs::write(directory.path().join("hermod.toml"), file).unwrap();
    let output = hermod(directory.path())
        .args(["config", "--port", "3", "--output", "json"])
        .env("HERMOD_PORT", "2")
        .env("HERMOD_DATA_DIR", "from-environment")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let config: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = |name: &str| {
        let key = &config["keys"][name];
        (
            key["value"].as_str().unwrap().to_owned(),
            key["origin"].clone(),
        )
    };
    assert_eq!(
        key("port"),
        ("3".to_owned(), json!({"from": "flag", "at": "--port"}))
    );
    let environment = json!({"from": "environment", "at": "HERMOD_DATA_DIR"});
    assert_eq!(
        key("data_dir"),
        ("from-environment".to_owned(), environment)
    );
    assert_eq!(
        key("listen"),
        (
            "::1".to_owned(),
            json!({"from": "file", "at": "hermod.toml:1"})
        )
    );
    assert_eq!(key("log"), ("info".to_owned(), json!({"from": "default"})));
}

#[test]
fn unknown_keys_and_bad_values_are_errors() {
    let directory = directory_with(&generator_to_file(1));
    fs::write(directory.path().join("hermod.toml"), "port = 0\nprot = 1\n").unwrap();
    let output = run(directory.path(), &["run", "w.json"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    for part in ["HMD-0001", "hermod.toml:2: unknown key `prot`", "`port`"] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    fs::write(directory.path().join("hermod.toml"), "port = 99999\n").unwrap();
    let output = hermod(directory.path())
        .args(["run", "w.json"])
        .env("HERMOD_DRAIN_TIMEOUT", "soon")
        .output()
        .unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("hermod.toml:1") && errors.contains("HERMOD_DRAIN_TIMEOUT"),
        "{errors}"
    );
    let output = run(directory.path(), &["run", "w.json", "--prot", "1"]);
    assert_eq!(output.status.code(), Some(2));
}

/// Reads the only line of standard error.
fn only_line(output: &std::process::Output) -> serde_json::Value {
    let errors = text(&output.stderr);
    let mut lines = errors.lines();
    let line = lines.next().expect("a line");
    assert_eq!(lines.next(), None, "{errors}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_node_that_cannot_start_says_so_in_one_line_of_json_where_its_log_is_json() {
    let directory = directory_with(&generator_to_file(1));
    let directory = directory.path();
    fs::write(directory.join("hermod.toml"), "port = 99999\n").unwrap();
    for arguments in [&["run", "w.json"][..], &["--mode=standalone"]] {
        let output = run(directory, arguments);
        assert_eq!(output.status.code(), Some(2));
        let line = only_line(&output);
        assert_eq!(
            (&line["level"], &line["code"]),
            (&json!("ERROR"), &json!("HMD-0001"))
        );
        assert_eq!(line["message"], "configuration is not valid");
        assert_eq!(line["pointer"], "/port");
        assert!(
            line["hint"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
        let detail = line["details"][0]["message"].as_str().unwrap();
        assert!(detail.contains("hermod.toml:1"), "{line}");
    }
    // Where the file cannot be used at all, and the log is filtered.
    fs::write(directory.join("hermod.toml"), "prot = 1\nlog = \"off\"\n").unwrap();
    assert_eq!(
        only_line(&run(directory, &["run", "w.json"]))["pointer"],
        "/prot"
    );
    fs::write(directory.join("hermod.toml"), "log = \"off\"\n").unwrap();
    assert_eq!(
        only_line(&run(directory, &["--mode=cluster"]))["code"],
        "HMD-0008"
    );
    let mut document = generator_to_file(1);
    document["sources"][0]["config"]["colour"] = json!("red");
    write(directory, "w.json", &document);
    let line = only_line(&run(directory, &["run", "w.json"]));
    let detail = &line["details"][0];
    assert_eq!(line["pointer"], "/sources/0/config/colour");
    assert_eq!(
        (&detail["file"], &detail["line"]),
        (&json!("w.json"), &json!(1))
    );

    // A log for people, and a command that is no node, report as text.
    fs::write(directory.join("hermod.toml"), "port = 99999\n").unwrap();
    for arguments in [
        &["run", "w.json", "--log-format", "text"][..],
        &["dlq", "list"],
    ] {
        let output = run(directory, arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors.starts_with("error HMD-0001: "), "{errors}");
    }
}

#[test]
fn connectors_are_listed_with_schema_and_example() {
    let directory = tempfile::tempdir().unwrap();
    let all = run_json(directory.path(), &["connectors", "--output", "json"]);
    let kinds: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (&c["side"], &c["kind"]))
        .collect();
    assert!(kinds.contains(&(&json!("source"), &json!("webhook"))));
    assert!(kinds.contains(&(&json!("sink"), &json!("file"))));
    let file = run_json(
        directory.path(),
        &["connectors", "file", "--output", "json"],
    );
    for connector in file.as_array().unwrap() {
        assert!(connector["schema"]["properties"].is_object(), "{connector}");
        assert!(connector["example"].is_object(), "{connector}");
        let is_sink = connector["side"] == "sink";
        for (key, of_sinks) in [
            ("confirms", true),
            ("repeats", true),
            ("partial", true),
            ("rereadable", false),
        ] {
            assert_eq!(connector.get(key).is_some(), of_sinks == is_sink, "{key}");
        }
    }
    let output = run(directory.path(), &["connectors", "wehbook"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors.contains("`webhook` may be meant")
            && errors.contains("to do: `hermod connectors` lists all"),
        "{errors}"
    );
    for arguments in [
        &["connectors"][..],
        &["connectors", "file"],
        &["connectors", "--markdown"],
    ] {
        let output = run(directory.path(), arguments);
        assert!(output.status.success() && text(&output.stdout).contains("file"));
    }
    let output = run(directory.path(), &["connectors", "carrier-pigeon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("webhook"));
}

#[test]
fn help_and_version_are_there() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["validate", "--help"],
        &["connectors", "--help"],
        &["dlq", "--help"],
        &["wal", "--help"],
        &["config", "--help"],
    ] {
        let output = run(directory.path(), arguments);
        assert!(
            output.status.success() && text(&output.stdout).contains("xamples:"),
            "{arguments:?}"
        );
    }
    let version = text(&run(directory.path(), &["--version"]).stdout);
    assert_eq!(
        version.trim(),
        concat!("hermod ", env!("CARGO_PKG_VERSION"))
    );
    assert!(text(&run(directory.path(), &["--help"]).stdout).contains("Exit codes:"));
}

#[test]
fn the_start_prints_the_address_and_a_line_to_paste() {
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };

    let directory = directory_with(&webhook_to_file());
    let mut child = hermod(directory.path())
        .args(["run", "w.json", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = out.next().unwrap().unwrap();
    let paste = out.next().unwrap().unwrap();
    let address = first
        .split(' ')
        .find_map(|word| word.strip_prefix("http://"))
        .unwrap()
        .to_owned();
    assert!(
        paste.starts_with(&format!("curl -i 'http://{address}/api/webhooks/in'")),
        "{paste}"
    );
    let pasted = std::process::Command::new("sh")
        .args(["-c", &paste])
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // Where curl is installed the line works as it stands.
    if pasted.status.code() != Some(127) {
        assert!(
            text(&pasted.stdout).starts_with("HTTP/1.1 200"),
            "{}",
            text(&pasted.stderr)
        );
    }
}

#[test]
fn the_interface_is_built_for_a_node_only() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--build-ui", "connectors"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`--build-ui` is for a node"));
}
