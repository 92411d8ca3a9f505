//! The node `mapping` (the original's `set`): puts values into a JSON payload.
//!
//! `fields` maps dotted paths to values; the original's keys `column.PATH` say the same. A value is a
//! literal, or `source.PATH`, which copies what stands at that path in the payload as it entered the node.

use hermod_sdk::{Message, Outputs, Problems, Transform, TransformError, set_path};
use serde_json::Value;

use super::condition::lookup;
use crate::document::NodeDocument;

struct Mapping(Vec<(String, Assigned)>);

enum Assigned {
    Literal(Value),
    Copy(String),
}

pub(super) fn compile(
    node: &NodeDocument,
    pointer: &str,
    problems: &mut Problems,
) -> Option<Box<dyn Transform>> {
    let mut assignments = Vec::new();
    for (key, value) in &node.config {
        let at = format!("{pointer}/config/{key}");
        match (key.as_str(), value) {
            ("transType" | "label", _) => {}
            ("fields", Value::Object(fields)) => {
                for (path, value) in fields {
                    let at = format!("{at}/{path}");
                    assignments.extend(assignment(path, value, &at, problems));
                }
            }
            ("fields", _) => problems.add(at, "is not an object of paths and values"),
            (key, value) => match key.strip_prefix("column.") {
                Some(path) => assignments.extend(assignment(path, value, &at, problems)),
                None => problems.add(
                    at,
                    format!("unknown key `{key}`; known are `fields` and `column.PATH`"),
                ),
            },
        }
    }
    if assignments.is_empty() {
        problems.add(
            format!("{pointer}/config/fields"),
            "at least one field is needed",
        );
        return None;
    }
    Some(Box::new(Mapping(assignments)))
}

fn assignment(
    path: &str,
    value: &Value,
    pointer: &str,
    problems: &mut Problems,
) -> Option<(String, Assigned)> {
    if path.is_empty() || path.split('.').any(str::is_empty) {
        problems.add(
            pointer,
            format!("`{path}` is not a path; write names with dots between them"),
        );
        return None;
    }
    let assigned = match value.as_str() {
        Some(text) if text.starts_with("source.") => {
            Assigned::Copy(text.trim_start_matches("source.").to_owned())
        }
        Some(text) if is_call(text) => {
            problems.add(
                pointer,
                "expressions with functions are not built yet; use a literal or `source.PATH`",
            );
            return None;
        }
        _ => Assigned::Literal(value.clone()),
    };
    Some((path.to_owned(), assigned))
}

/// Whether text looks like one of the original's expressions, `name(…)`.
fn is_call(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or_default();
    text.ends_with(')')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Transform for Mapping {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        let not_json = |error: hermod_sdk::NotJson| TransformError::new(error.to_string());
        let before = message.payload.value().map_err(not_json)?;
        if !before.is_object() {
            return Err(TransformError::new(
                "payload is not a JSON object, so no field can be set",
            ));
        }
        let mut values = Vec::with_capacity(self.0.len());
        for (path, assigned) in &self.0 {
            let value = match assigned {
                Assigned::Literal(value) => value.clone(),
                Assigned::Copy(from) => lookup(before, from).cloned().unwrap_or(Value::Null),
            };
            values.push((path, value));
        }
        let root = message.payload.value_mut().map_err(not_json)?;
        for (path, value) in values {
            set_path(root, path, value).map_err(|error| TransformError::new(error.to_string()))?;
        }
        outputs.push(message);
        Ok(())
    }
}
