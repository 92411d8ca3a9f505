use std::{
    fs,
    path::{Path, PathBuf},
};

use hermod_sdk::{ErrorKind, Message, Outcome, Record, Text, Token, validate};
use tempfile::TempDir;

use super::*;
use crate::{sink, timestamp};

mod full;
mod killed;

fn context() -> SinkContext {
    SinkContext {
        workflow: "w".into(),
        sink: "s".into(),
        stream: "b".into(),
        epoch: 1,
        tenure: hermod_sdk::Tenure::Owner,
    }
}

fn batch<T: AsRef<str>>(payloads: &[T]) -> Batch {
    let records = payloads.iter().enumerate().map(|(index, payload)| Record {
        seq: index as u64,
        message: Message::new(Text::from(index.to_string()), payload.as_ref().to_owned()),
    });
    Batch {
        records: records.collect(),
        token: Token {
            stream: "b".into(),
            epoch: 1,
            first: 0,
            last: payloads.len() as u64,
            position: None,
        },
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.ndjson");
    (directory, path)
}

fn config(path: &Path) -> FileSinkConfig {
    FileSinkConfig::new(path.to_str().unwrap())
}

fn csv(path: &Path) -> FileSinkConfig {
    FileSinkConfig {
        format: FileFormat::Csv,
        ..config(path)
    }
}

async fn open(config: &FileSinkConfig) -> FileSink {
    FileSink::open(config.clone(), context()).await.unwrap()
}

async fn refused(config: &FileSinkConfig) -> ConnectorError {
    let opened = FileSink::open(config.clone(), context()).await;
    opened.err().expect("it must not open")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Files beside `path` whose name goes on with `.` and `marker`, in order.
fn beside(path: &Path, marker: &str) -> Vec<PathBuf> {
    let start = format!("{}.{marker}", path.file_name().unwrap().to_str().unwrap());
    let mut found: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&start)
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn batches_are_appended_and_directories_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/out.ndjson");
    FileSink::probe(&config(&path)).await.unwrap();
    let mut sink = open(&config(&path)).await;
    assert_eq!(sink.write(&batch(&["1", "2"])).await.unwrap(), Written::All);
    sink.flush().await.unwrap();
    sink.close().await.unwrap();
    let mut again = open(&config(&path)).await;
    again
        .write(&batch(&["{\"n\":\n 9007199254740993 }"]))
        .await
        .unwrap();
    assert_eq!(text(&path), "1\n2\n{\"n\":9007199254740993}\n");
}

#[tokio::test]
async fn a_payload_with_line_breaks_that_is_not_json_rejects_only_itself() {
    let (_directory, path) = place();
    let mut sink = open(&config(&path)).await;
    let Written::Each(outcomes) = sink.write(&batch(&["a", "b\nc", "d"])).await.unwrap() else {
        panic!("one message cannot be written");
    };
    assert!(matches!(
        outcomes[..],
        [Outcome::Written, Outcome::Rejected { .. }, Outcome::Written]
    ));
    assert_eq!(text(&path), "a\nd\n");
}

#[tokio::test]
async fn a_held_file_is_unavailable_until_it_is_let_go() {
    let (_directory, path) = place();
    let mut first = open(&config(&path)).await;
    let error = refused(&config(&path)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("held"), "{error}");
    first.close().await.unwrap();
    open(&config(&path)).await;
}

#[tokio::test]
async fn an_incomplete_last_line_is_put_aside() {
    let (_directory, path) = place();
    let long = "x".repeat(600_000);
    fs::write(&path, format!("whole\n{long}")).unwrap();
    let mut sink = open(&config(&path)).await;
    sink.write(&batch(&["next"])).await.unwrap();
    assert_eq!(text(&path), "whole\nnext\n");
    let torn = beside(&path, "torn-");
    assert_eq!(torn.len(), 1);
    assert_eq!(text(&torn[0]), long);
}

#[tokio::test]
async fn an_incomplete_csv_record_is_put_aside_though_it_ends_with_a_line_break() {
    let (_directory, path) = place();
    fs::write(&path, "a,b\n1,\"x\ny\"\n2,\"z\n").unwrap();
    let mut sink = open(&csv(&path)).await;
    sink.write(&batch(&[r#"{"a": 3, "b": "w"}"#]))
        .await
        .unwrap();
    assert_eq!(text(&path), "a,b\n1,\"x\ny\"\n3,w\n");
    assert_eq!(text(&beside(&path, "torn-")[0]), "2,\"z\n");
}

#[tokio::test]
async fn a_file_that_was_moved_or_emptied_by_others_is_made_anew() {
    let (_directory, path) = place();
    let mut sink = open(&config(&path)).await;
    sink.write(&batch(&["1"])).await.unwrap();
    let moved = path.with_extension("moved");
    fs::rename(&path, &moved).unwrap();
    sink.write(&batch(&["2"])).await.unwrap();
    assert_eq!(
        (text(&moved).as_str(), text(&path).as_str()),
        ("1\n", "2\n")
    );
    fs::write(&path, "").unwrap();
    sink.write(&batch(&["3"])).await.unwrap();
    assert_eq!(text(&path), "3\n");
    fs::remove_file(&path).unwrap();
    sink.write(&batch(&["4"])).await.unwrap();
    assert_eq!(text(&path), "4\n");
}

#[tokio::test]
async fn a_full_file_is_put_aside_and_the_oldest_are_deleted() {
    let (_directory, path) = place();
    let config = FileSinkConfig {
        rotate_bytes: 8,
        rotate_keep: 2,
        ..config(&path)
    };
    let mut sink = open(&config).await;
    for number in 10..20 {
        let line = number.to_string();
        sink.write(&batch(&[line.clone(), line])).await.unwrap();
    }
    let aside = beside(&path, "2");
    let texts: Vec<_> = aside.iter().map(|path| text(path)).collect();
    assert_eq!(texts, ["17\n17\n", "18\n18\n"]);
    assert_eq!(text(&path), "19\n19\n");
    let name = aside[0].file_name().unwrap().to_str().unwrap();
    assert!(timestamp::is_utc_basic(
        name.strip_prefix("out.ndjson.").unwrap()
    ));
    assert!(
        refused(&config).await.to_string().contains("held"),
        "the new file is locked"
    );
}

#[tokio::test]
async fn csv_quotes_exactly_and_keeps_numbers_nulls_and_nested_values() {
    let (_directory, path) = place();
    let config = FileSinkConfig {
        columns: ["id", "name", "address.city", "tags", "none", "flag"]
            .map(str::to_owned)
            .to_vec(),
        rotate_bytes: 1000,
        ..csv(&path)
    };
    let mut sink = open(&config).await;
    let payload = r#"{"id": 9007199254740993, "name": "a \"b\", c\nd", "address": {"city": "Århus"},
        "tags": [1, 0.10], "none": null, "flag": true, "left": "out"}"#;
    let empty = r#"{"id": 1.50, "name": ""}"#;
    let written = sink.write(&batch(&[payload, "[1]", "x", empty])).await;
    let Written::Each(outcomes) = written.unwrap() else {
        panic!("two messages are no objects");
    };
    let rejected = |outcome: &Outcome| matches!(outcome, Outcome::Rejected { .. });
    let rejected: Vec<_> = outcomes.iter().map(rejected).collect();
    assert_eq!(rejected, [false, true, true, false]);
    let header = "id,name,address.city,tags,none,flag\n";
    let rows = "9007199254740993,\"a \"\"b\"\", c\nd\",Århus,\"[1,0.10]\",,true\n1.50,\"\",,,,\n";
    assert_eq!(text(&path), format!("{header}{rows}"));
    let wide = format!(r#"{{"id": "{}"}}"#, "x".repeat(990));
    sink.write(&batch(&[wide])).await.unwrap();
    assert!(
        text(&path).starts_with(&format!("{header}xxx")),
        "a new file has a header"
    );
}

#[tokio::test]
async fn csv_columns_come_from_the_first_message_and_strangers_are_rejected() {
    let (_directory, path) = place();
    let mut sink = open(&csv(&path)).await;
    let first = batch(&[
        r#"{"b": 1, "a": "x"}"#,
        r#"{"a": "y", "c": 2}"#,
        r#"{"a": "z"}"#,
    ]);
    let Written::Each(outcomes) = sink.write(&first).await.unwrap() else {
        panic!("`c` has no column");
    };
    let Outcome::Rejected { reason } = &outcomes[1] else {
        panic!("`c` has no column");
    };
    assert!(reason.contains("`c`"), "{reason}");
    sink.close().await.unwrap();
    let mut again = open(&csv(&path)).await;
    again.write(&batch(&[r#"{"a": 1, "b": 2}"#])).await.unwrap();
    assert_eq!(text(&path), "b,a\n1,x\n,z\n2,1\n");
}

#[tokio::test]
async fn csv_with_other_columns_than_the_file_does_not_open() {
    let (_directory, path) = place();
    fs::write(&path, "\u{feff}\"a\",b\r\n1,2\r\n").unwrap();
    let with = |columns: &[&str]| FileSinkConfig {
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        ..csv(&path)
    };
    let error = refused(&with(&["b", "a"])).await;
    assert!(error.to_string().contains("columns"), "{error}");
    let mut sink = open(&with(&["a", "b"])).await;
    sink.write(&batch(&[r#"{"a": 3, "b": 4}"#])).await.unwrap();
    assert!(text(&path).ends_with("1,2\r\n3,4\n"));
}

#[tokio::test]
async fn a_directory_or_device_is_refused_by_open_and_probe() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    assert_eq!(refused(&config).await.kind(), ErrorKind::Unavailable);
    assert!(FileSink::probe(&config).await.is_err());
    let null = FileSinkConfig::new("/dev/null");
    let error = refused(&null).await;
    assert!(error.to_string().contains("regular"), "{error}");
    let below = FileSinkConfig::new("/dev/null/x/y");
    assert!(FileSink::probe(&below).await.is_err());
}

#[test]
fn configuration_is_checked_across_fields() {
    let schema = sink("file").unwrap().schema();
    for (config, pointer) in [
        (json!({"filename": "a/"}), "/filename"),
        (json!({"filename": "a", "rotate_keep": 3}), "/rotate_keep"),
        (json!({"filename": "a", "columns": ["x"]}), "/columns"),
        (json!({"filename": "a", "delimiter": "\""}), "/delimiter"),
        (json!({"filename": "a", "delimiter": "é"}), "/delimiter"),
        (
            json!({"filename": "a", "format": "csv", "header": false}),
            "/columns",
        ),
        (
            json!({"filename": "a", "format": "csv", "columns": ["x", "x"]}),
            "/columns/1",
        ),
    ] {
        let problems = validate::<FileSinkConfig>(&schema, &config).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().pointer, pointer, "{config}");
    }
}
