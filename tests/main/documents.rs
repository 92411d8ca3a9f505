//! Workflow documents of tests, and what their sinks have written.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

/// A webhook `in` at level `durable` that leads to the file `out.ndjson`.
pub(crate) fn webhook_to_file() -> Value {
    json!({
        "workflow": {
            "id": "orders",
            "acknowledge": "durable",
            "max_retries": 0,
            "nodes": [
                {"id": "in", "type": "source", "ref_id": "hook"},
                {"id": "out", "type": "sink", "ref_id": "file"},
            ],
            "edges": [{"id": "e", "source_id": "in", "target_id": "out"}],
        },
        "sources": [{"id": "hook", "type": "webhook", "config": {"path": "in"}}],
        "sinks": [{"id": "file", "type": "file", "config": {"filename": "out.ndjson"}}],
    })
}

/// A generator that leads to the file `out.ndjson`.
pub(crate) fn generator_to_file(count: u64) -> Value {
    let mut document = webhook_to_file();
    document["workflow"]["acknowledge"] = json!("delivered");
    document["sources"] = json!([{"id": "hook", "type": "generator", "config": {"count": count, "rate": 0, "seed": 7}}]);
    document
}

pub(crate) fn write(directory: &Path, name: &str, document: &Value) {
    fs::write(directory.join(name), document.to_string()).unwrap();
}

/// A directory with one document, `w.json`.
pub(crate) fn directory_with(document: &Value) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "w.json", document);
    directory
}

/// Returns the lines that a file sink has finished.
pub(crate) fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// Returns what of `expected` is not in a file sink's lines.
pub(crate) fn missing(file: &Path, expected: &BTreeSet<String>) -> Vec<String> {
    let found: BTreeSet<_> = lines(file).into_iter().collect();
    expected.difference(&found).cloned().collect()
}

/// Keeps the file sink from writing for as long as the lock is held: it is an outage.
pub(crate) fn hold(file: &Path) -> File {
    let held = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    held
}
