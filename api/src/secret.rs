//! Secrets of configurations: which values they are, how they are kept, and what is shown of them (I10).
//!
//! A literal is sealed before it is stored and never leaves again; what is shown is `{"$secret": "set"}`. The same
//! object, sent back, and an absent value both mean "as it was". References (`${env:NAME}`, `${file:PATH}`) are no
//! secrets and are kept and shown as they are.

use hermod_storage::Key;
use serde_json::{Map, Value, json};

use crate::platform::{Direction, Error, Platform, ProblemAt};

/// The one member of a sealed value.
const SEALED: &str = "$sealed";

/// The one member of what is shown in place of a secret.
const SHOWN: &str = "$secret";

/// Objects that a schema may nest; connectors' schemas have three or four.
const DEPTH_MAX: usize = 16;

/// Returns pointers to the values of a document whose schema says `writeOnly`.
pub fn pointers(schema: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Walk {
        root: schema,
        found: &mut found,
    }
    .look(schema, document, "", 0);
    found.sort();
    found.dedup();
    found
}

struct Walk<'a> {
    root: &'a Value,
    found: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn look(&mut self, schema: &Value, value: &Value, pointer: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if schema.get("writeOnly") == Some(&Value::Bool(true)) {
            self.found.push(pointer.to_owned());
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = target
                .strip_prefix('#')
                .and_then(|at| self.root.pointer(at))
        {
            self.look(target, value, pointer, depth + 1);
        }
        for name in ["anyOf", "oneOf", "allOf"] {
            let branches = schema.get(name).and_then(Value::as_array);
            for branch in branches.into_iter().flatten() {
                self.look(branch, value, pointer, depth + 1);
            }
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let declared = schema.get("properties").and_then(|all| all.get(name));
                    let below = declared.or_else(|| schema.get("additionalProperties"));
                    if let Some(below) = below {
                        self.look(below, member, &step(pointer, name), depth + 1);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(below) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.look(below, item, &format!("{pointer}/{at}"), depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Appends a name to a JSON pointer.
pub(crate) fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn only_member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(name)
}

/// Returns whether a value is a reference, which is no secret.
fn is_reference(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let inside = text
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix('}'));
    inside.is_some_and(|inside| inside.starts_with("env:") || inside.starts_with("file:"))
}

/// Returns whether somewhere in a value stands something sealed.
fn holds_sealed(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.contains_key(SEALED) || members.values().any(holds_sealed)
        }
        Value::Array(items) => items.iter().any(holds_sealed),
        _ => false,
    }
}

/// Secrets cannot be taken over from a document.
#[derive(Debug)]
pub(crate) enum TakeError {
    /// The document is not right.
    Problems(Vec<ProblemAt>),
    /// Sealing does not work now.
    Platform(Error),
}

impl From<Error> for TakeError {
    fn from(error: Error) -> Self {
        Self::Platform(error)
    }
}

/// Makes a document ready to be stored: literals sealed, what is absent or only shown taken from the one before.
pub(crate) fn take(
    platform: &dyn Platform,
    direction: Direction,
    owner: &Key,
    document: &mut Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Result<(), TakeError> {
    let kind = text(document, "type").to_owned();
    let mut config = document.remove("config").unwrap_or_else(|| json!({}));
    let mut problems = Vec::new();
    let mut problem = |at: &str, message: &str| {
        problems.push(ProblemAt {
            pointer: format!("/config{at}"),
            message: message.to_owned(),
            warning: false,
        });
    };
    // Nobody but the node makes sealed values: one that is sent could be another secret, put where it can be seen.
    if holds_sealed(&config) {
        problem("", "holds a member `$sealed`, which is not for documents");
        document.insert("config".to_owned(), config);
        return Err(TakeError::Problems(problems));
    }
    // A secret is only kept for what it was given to.
    let old = before.filter(|before| text(before, "type") == kind);
    let old = old.and_then(|before| before.get("config"));
    if let Some(old) = old {
        let secrets = platform.secret_pointers(direction, &kind, old);
        for pointer in &secrets {
            if is_same_place(&config, old, pointer, &secrets) {
                keep(&mut config, old, pointer);
            }
        }
    }
    let secrets = platform.secret_pointers(direction, &kind, &config);
    let given = config.clone();
    for pointer in &secrets {
        let Some(value) = config.pointer_mut(pointer) else {
            continue;
        };
        if only_member(value, SHOWN).is_some() {
            let old = old.filter(|old| is_same_place(&given, old, pointer, &secrets));
            match old.and_then(|old| old.pointer(pointer)) {
                Some(kept) => *value = kept.clone(),
                None => problem(pointer, "the secret has to be given; there is none to keep"),
            }
        } else if only_member(value, SEALED).is_none() && !value.is_null() && !is_reference(value) {
            *value = platform.seal(owner, value)?;
        }
    }
    if problems.is_empty() && holds_shown(&config) {
        problems.push(ProblemAt {
            pointer: "/config".to_owned(),
            message: "`{\"$secret\": …}` stands where no secret is expected".to_owned(),
            warning: false,
        });
    }
    document.insert("config".to_owned(), config);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(TakeError::Problems(problems))
    }
}

/// Returns whether a shown secret is left over.
fn holds_shown(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.contains_key(SHOWN) && !members.contains_key(SEALED)
                || members.values().any(holds_shown)
        }
        Value::Array(items) => items.iter().any(holds_shown),
        _ => false,
    }
}

/// Returns whether a pointer means the same place in both. In a list it does where the item is otherwise as it was:
/// a secret must not go over to its neighbour because the list was sorted.
fn is_same_place(config: &Value, old: &Value, pointer: &str, secrets: &[String]) -> bool {
    let parts: Vec<_> = pointer.split('/').collect();
    (1..parts.len()).all(|end| {
        let list = parts[..end].join("/");
        let (Some(Value::Array(items)), Some(Value::Array(before))) =
            (config.pointer(&list), old.pointer(&list))
        else {
            return true;
        };
        let item = parts[..=end].join("/");
        let bare = |root: &Value| {
            let mut value = root.pointer(&item)?.clone();
            let inside = secrets
                .iter()
                .filter_map(|secret| secret.strip_prefix(&item));
            for secret in inside {
                remove(&mut value, secret);
            }
            Some(value)
        };
        items.len() == before.len() && bare(config) == bare(old)
    })
}

fn remove(value: &mut Value, pointer: &str) {
    match pointer.rsplit_once('/') {
        None => *value = Value::Null,
        Some((parent, name)) => {
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                members.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
        }
    }
}

/// Copies a value that is absent, if the object that it stood in is there.
fn keep(config: &mut Value, old: &Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    if let (Some(Value::Object(members)), Some(value)) =
        (config.pointer_mut(parent), old.pointer(pointer))
    {
        members.entry(name).or_insert_with(|| value.clone());
    }
}

/// Returns a document as it may be shown: whatever is sealed, or declared a secret, is hidden (I10).
pub(crate) fn masked(
    platform: &dyn Platform,
    direction: Direction,
    document: &Map<String, Value>,
) -> Map<String, Value> {
    let mut document = document.clone();
    let kind = text(&document, "type").to_owned();
    if let Some(config) = document.get_mut("config") {
        for pointer in platform.secret_pointers(direction, &kind, config) {
            if let Some(value) = config.pointer_mut(&pointer)
                && !value.is_null()
                && !is_reference(value)
            {
                *value = json!({ SHOWN: "set" });
            }
        }
    }
    for value in document.values_mut() {
        mask_sealed(value);
    }
    document
}

/// Hides whatever is sealed in a value.
pub(crate) fn mask_sealed(value: &mut Value) {
    match value {
        Value::Object(members) if members.contains_key(SEALED) => {
            *value = json!({ SHOWN: "set" });
        }
        Value::Object(members) => members.values_mut().for_each(mask_sealed),
        Value::Array(items) => items.iter_mut().for_each(mask_sealed),
        _ => {}
    }
}

/// Opens whatever is sealed in a value of an object, for a probe or a run on this node.
pub(crate) fn unsealed(
    platform: &dyn Platform,
    owner: &Key,
    value: &Value,
) -> Result<Value, Error> {
    Ok(match value {
        Value::Object(members) if members.contains_key(SEALED) => platform.unseal(owner, value)?,
        Value::Object(members) => {
            let open = |(name, value): (&String, &Value)| {
                Ok::<_, Error>((name.clone(), unsealed(platform, owner, value)?))
            };
            Value::Object(members.iter().map(open).collect::<Result<_, _>>()?)
        }
        Value::Array(items) => {
            let open = |item| unsealed(platform, owner, item);
            Value::Array(items.iter().map(open).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn text<'a>(document: &'a Map<String, Value>, name: &str) -> &'a str {
    document
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_wherever_a_schema_declares_them() {
        let schema = json!({
            "properties": {
                "url": {"type": "string"},
                "token": {"anyOf": [{"writeOnly": true}, {"type": "null"}]},
                "headers": {"additionalProperties": {"$ref": "#/$defs/Secret"}},
                "hosts": {"items": {"properties": {"a/b": {"writeOnly": true}}}},
            },
            "$defs": {"Secret": {"type": "string", "writeOnly": true}},
        });
        let document = json!({
            "url": "u", "token": "t", "headers": {"x": "1", "y": "2"}, "hosts": [{"a/b": "s"}, {}],
        });
        assert_eq!(
            pointers(&schema, &document),
            ["/headers/x", "/headers/y", "/hosts/0/a~1b", "/token"]
        );
    }
}
