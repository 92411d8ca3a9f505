//! The node `mapping` (the original's `set`): puts values into a JSON payload.
//!
//! `fields` maps dotted paths to values; the original's keys `column.PATH` say the same. A value is a
//! literal, or `source.PATH`, which copies what stands at that path in the payload as it came to the node,
//! and `null` where nothing stands. No path lies within another, so their order has no effect.

use hermod_sdk::{Message, Operation, Outputs, Transform, TransformError, set_path};
use serde_json::{Map, Value};

use super::{Configured, NodeType, ONE};
use crate::{
    document::{Report, Section, escape},
    graph::predicate::Path,
};

/// Most names in a path: no document that people write is nested deeper.
const DEPTH_MAX: usize = 64;

/// The original's functions of expressions; text that calls one of them is no literal.
const FUNCTIONS: &[&str] = &[
    "add",
    "and",
    "coalesce",
    "concat",
    "contains",
    "date_format",
    "div",
    "env",
    "eq",
    "gt",
    "if",
    "lower",
    "lt",
    "mul",
    "not",
    "now",
    "or",
    "replace",
    "round",
    "secret",
    "sub",
    "substring",
    "timestamp",
    "toBool",
    "toDate",
    "toFloat",
    "toInt",
    "toString",
    "trim",
    "upper",
    "uuid",
];

pub(super) const TYPE: NodeType = NodeType {
    kind: "mapping",
    branches: ONE,
    transformations: &["advanced", "set"],
    read,
};

struct Mapping(Vec<Assignment>);

struct Assignment {
    path: String,
    value: Assigned,
}

enum Assigned {
    Literal(Value),
    Copy(Path),
}

fn read(section: &mut Section<'_>, report: &mut Report) -> Option<Configured> {
    let mut given: Vec<(String, &str, &Value)> = Vec::new();
    let at = section.at("fields");
    match section.value("fields") {
        None => {}
        Some(Value::Object(fields)) => {
            let each = fields.iter();
            given.extend(
                each.map(|(path, value)| (format!("{at}/{}", escape(path)), path.as_str(), value)),
            );
        }
        Some(_) => report.refuse(at, "is not an object of paths and values"),
    }
    for (key, value) in section.starting_with("column.") {
        given.push((section.at(key), &key["column.".len()..], value));
    }
    if given.is_empty() && report.problems.is_empty() {
        let message = "at least one field is needed: `fields: {PATH: VALUE}`";
        report.refuse(section.at("fields"), message);
    }
    overlaps(&given, report);
    let mut assignments = Vec::new();
    let mut fields = Map::new();
    let mut refused = given.is_empty();
    for (at, path, value) in given {
        match Assignment::read(path, value, &at, report) {
            Some(assignment) => assignments.push(assignment),
            None => refused = true,
        }
        fields.insert(path.to_owned(), value.clone());
    }
    if refused {
        return None;
    }
    let mut normal = Map::new();
    normal.insert("fields".to_owned(), Value::Object(fields));
    Some(Configured {
        transform: Box::new(Mapping(assignments)),
        reads_payload: true,
        normal,
    })
}

/// Refuses a path that lies within another: what it sets would be overwritten, or not, by their order.
fn overlaps(given: &[(String, &str, &Value)], report: &mut Report) {
    let mut sorted: Vec<Vec<&str>> = given
        .iter()
        .map(|(_, path, _)| path.split('.').collect())
        .collect();
    sorted.sort();
    for pair in sorted.windows(2) {
        if !pair[1].starts_with(&pair[0]) {
            continue;
        }
        let (outer, inner) = (pair[0].join("."), pair[1].join("."));
        let twice = given.iter().rev().find(|(_, path, _)| *path == inner);
        if let Some((at, ..)) = twice {
            report.refuse(at, format!("`{inner}` is set by `{outer}` too"));
        }
    }
}

impl Assignment {
    fn read(path: &str, value: &Value, at: &str, report: &mut Report) -> Option<Self> {
        if path.split('.').any(str::is_empty) || path.split('.').count() > DEPTH_MAX {
            let message = format!(
                "`{path}` is not a path; write up to {DEPTH_MAX} names with dots between them"
            );
            report.refuse(at, message);
            return None;
        }
        let copied = value.as_str().and_then(|text| text.strip_prefix("source."));
        if let Some(function) = value.as_str().and_then(called) {
            let message =
                format!("function `{function}` is not built yet; give a value or `source.PATH`");
            report.refuse(at, message);
            return None;
        }
        Some(Self {
            path: path.to_owned(),
            value: match copied {
                Some(path) => Assigned::Copy(Path::new(path)),
                None => Assigned::Literal(value.clone()),
            },
        })
    }
}

/// Returns the function that text calls as the original's expressions do, `name(…)`.
fn called(text: &str) -> Option<&str> {
    let (name, rest) = text.trim().split_once('(')?;
    (rest.ends_with(')') && FUNCTIONS.contains(&name.trim())).then_some(name.trim())
}

impl Transform for Mapping {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        if message.operation == Operation::Delete && message.payload.size() == 0 {
            // What is gone has no fields to set.
            outputs.push(message);
            return Ok(());
        }
        let refused = |error: hermod_sdk::NotChangeable| TransformError::new(error.to_string());
        let root = message.payload.value_mut().map_err(refused)?;
        if !root.is_object() {
            let what = match root {
                Value::Array(_) => "a list",
                _ => "a single value",
            };
            return Err(TransformError::new(format!(
                "payload is {what} and not a JSON object, so no field can be set"
            )));
        }
        // All is read before anything is written, so that fields can be swapped.
        let values: Vec<Value> = self.0.iter().map(|one| one.value.of(root)).collect();
        for (assignment, value) in self.0.iter().zip(values) {
            set_path(root, &assignment.path, value)
                .map_err(|error| TransformError::new(error.to_string()))?;
        }
        outputs.push(message);
        Ok(())
    }
}

impl Assigned {
    fn of(&self, root: &Value) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Copy(path) => path.find(root).cloned().unwrap_or(Value::Null),
        }
    }
}
