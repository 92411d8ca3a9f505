//! The contract suite on the local connectors.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use hermod_sdk::{
    SinkFactory, SourceFactory, SourceOpener, Text,
    testkit::{Effect, SinkDriver, SourceDriver, check_sink, check_source},
};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

fn source(kind: &str, config: &Value) -> Arc<dyn SourceFactory> {
    let entry = hermod_connectors::source(kind).expect("the kind is registered");
    match entry.configure(config) {
        Ok(SourceOpener::Pull(factory)) => factory,
        Ok(SourceOpener::Push { .. }) => panic!("`{kind}` is pushed to"),
        Err(problems) => panic!("{problems}"),
    }
}

fn sink(kind: &str, config: &Value) -> Arc<dyn SinkFactory> {
    let entry = hermod_connectors::sink(kind).expect("the kind is registered");
    entry
        .configure(config)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// A file that lines are appended to.
struct GrowingFile {
    config: Value,
    header: &'static str,
    directory: TempDir,
    count: usize,
}

impl GrowingFile {
    fn new(header: &'static str, config: Value) -> Self {
        Self {
            config,
            header,
            directory: tempfile::tempdir().unwrap(),
            count: 0,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("growing.log")
    }

    fn append(&self, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

#[async_trait]
impl SourceDriver for GrowingFile {
    async fn reset(&mut self) -> Arc<dyn SourceFactory> {
        self.directory = tempfile::tempdir().unwrap();
        self.append(self.header);
        let mut config = self.config.clone();
        config["local_path"] = json!(self.path());
        config["poll_interval_ms"] = json!(5);
        source("file", &config)
    }

    async fn produce(&mut self, count: usize) {
        for _ in 0..count {
            self.count += 1;
            self.append(&format!("{0},record {0}\n", self.count));
        }
    }
}

#[tokio::test]
async fn source_file() {
    check_source(&mut GrowingFile::new("", json!({"format": "raw"}))).await;
    check_source(&mut GrowingFile::new("", json!({"format": "ndjson"}))).await;
    let csv = json!({"format": "csv"});
    check_source(&mut GrowingFile::new("\u{feff}number,text\n", csv)).await;
}

/// A source that makes its records up.
struct MadeUp(Value);

#[async_trait]
impl SourceDriver for MadeUp {
    async fn reset(&mut self) -> Arc<dyn SourceFactory> {
        source("generator", &self.0)
    }

    async fn produce(&mut self, _count: usize) {}

    fn is_endless(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn source_generator() {
    check_source(&mut MadeUp(json!({"rate": 0, "size": 100}))).await;
    check_source(&mut MadeUp(json!({"rate": 2000, "keys": 0}))).await;
}

/// A file that lines are read back from.
struct LineFile {
    format: &'static str,
    directory: TempDir,
}

impl LineFile {
    fn path(&self) -> PathBuf {
        self.directory.path().join("out/lines.ndjson")
    }
}

#[derive(serde::Deserialize)]
struct Line {
    id: String,
    payload: Option<Box<RawValue>>,
    payload_text: Option<String>,
    payload_base64: Option<String>,
}

impl Line {
    fn payload(self) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        match (self.payload, self.payload_text, self.payload_base64) {
            (Some(json), None, None) => json.get().as_bytes().to_vec(),
            (None, Some(text), None) => text.into_bytes(),
            (None, None, Some(text)) => STANDARD.decode(text).unwrap(),
            // `null` as the payload.
            _ => b"null".to_vec(),
        }
    }
}

#[async_trait]
impl SinkDriver for LineFile {
    async fn reset(&mut self) -> Arc<dyn SinkFactory> {
        self.directory = tempfile::tempdir().unwrap();
        let config = json!({"filename": self.path(), "format": self.format});
        sink("file", &config)
    }

    async fn effects(&mut self) -> Vec<Effect> {
        let text = fs::read(self.path()).unwrap();
        let Some(text) = text.strip_suffix(b"\n") else {
            assert!(text.is_empty(), "the last line is not complete");
            return Vec::new();
        };
        let effect = |line: &[u8]| {
            if self.format == "payload" {
                let (id, payload) = (Text::new(), line.to_vec());
                return Effect { id, payload };
            }
            let line: Line = serde_json::from_slice(line).unwrap();
            Effect {
                id: Text::from(line.id.clone()),
                payload: line.payload(),
            }
        };
        text.split(|&byte| byte == b'\n').map(effect).collect()
    }

    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let has_breaks = payload.contains(&b'\n') || payload.contains(&b'\r');
        if payload.starts_with(b"{ \"white\"") {
            // JSON over several lines comes out as one.
            return Some(br#"{"white":"space","lines":[1,2]}"#.to_vec());
        }
        (self.format == "json" || !has_breaks).then(|| payload.to_vec())
    }
}

#[tokio::test]
async fn sink_file() {
    for format in ["payload", "json"] {
        let directory = tempfile::tempdir().unwrap();
        check_sink(&mut LineFile { format, directory }).await;
    }
}
