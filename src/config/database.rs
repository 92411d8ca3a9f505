//! `db_config.yaml`: which metadata store a data directory has worked with, so that the next start needs not be told.
//!
//! A node writes it into its data directory when it first works with a store. Where there is none, one in the working
//! directory counts, as it does in older installations.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Faults;
use crate::bundle;

/// Name of the file.
pub(crate) const FILE: &str = "db_config.yaml";

/// Its members, and the keys that they stand for.
const MEMBERS: [(&str, &str); 2] = [("type", "db_type"), ("conn", "db_conn")];

/// Adds what the file says to the values that `hermod.toml` gives; `wanted` is the type that is asked for elsewhere.
pub(super) fn add(
    data_dir: &Path,
    wanted: Option<String>,
    values: &mut BTreeMap<&'static str, (String, String)>,
    faults: &mut Faults,
) {
    let Some((path, text)) = find(data_dir, faults) else {
        return;
    };
    let found = parse(&path, &text, faults);
    let kind = found.get("db_type").map(|(text, _)| text.clone());
    // A connection is one of its type: where another type is asked for, it means nothing.
    if let Some(wanted) = wanted
        && kind.is_some_and(|kind| kind != wanted.trim())
    {
        return;
    }
    for (key, value) in found {
        values.entry(key).or_insert(value);
    }
}

fn find(data_dir: &Path, faults: &mut Faults) -> Option<(PathBuf, String)> {
    for path in [data_dir.join(FILE), PathBuf::from(FILE)] {
        match fs::read_to_string(&path) {
            Ok(text) => return Some((path, text)),
            // A data directory that cannot be used is told of by whoever uses it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::PermissionDenied
                ) => {}
            Err(error) => {
                faults.push(format!("{}: cannot be read: {error}", path.display()));
                return None;
            }
        }
    }
    None
}

fn parse(path: &Path, text: &str, faults: &mut Faults) -> BTreeMap<&'static str, (String, String)> {
    let file = path.display();
    let mut found = BTreeMap::new();
    let (value, lines) = match bundle::parse_yaml(text) {
        Ok(parsed) => parsed,
        Err(malformed) => {
            let line = malformed.line.unwrap_or(1);
            faults.push(format!("{file}:{line}: {}", malformed.message));
            return found;
        }
    };
    let Value::Object(members) = value else {
        faults.push(format!(
            "{file}:1: must be a mapping with `type` and `conn`"
        ));
        return found;
    };
    for (name, value) in members {
        let line = lines.get(&format!("/{name}")).copied().unwrap_or(1);
        let place = format!("{file}:{line}");
        match (MEMBERS.iter().find(|(known, _)| *known == name), value) {
            (Some((_, key)), Value::String(text)) => {
                found.insert(*key, (text, place));
            }
            (Some(_), _) => faults.push(format!("{place}: `{name}` must be text")),
            // Older installations have members for what this version does not do; empty ones ask for nothing.
            (None, Value::String(text)) if text.is_empty() => {}
            (None, _) => faults.push(format!(
                "{place}: unknown member `{name}`; known are `type` and `conn`"
            )),
        }
    }
    found
}

/// Returns the text of the file for a store.
pub(crate) fn text(kind: &str, conn: &str) -> String {
    let mut text = format!("type: {kind}");
    if !conn.is_empty() {
        text += &format!("\nconn: {}", Value::from(conn));
    }
    text
}
