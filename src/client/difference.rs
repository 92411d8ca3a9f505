//! What differs between a document that is there and one that is to be.

use serde_json::{Map, Value, json};

/// Something that differs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Where.
    pub(crate) pointer: String,
    /// What is there; absent where nothing is.
    pub(crate) before: Option<Value>,
    /// What is to be; absent where nothing is.
    pub(crate) after: Option<Value>,
    /// Whether it is a secret that the server does not show, so that nobody can say whether it differs.
    pub(crate) unknown: bool,
}

/// Finds what differs. `before` is as the API shows it: a secret that is set and not named by `after` stays as it is.
pub(crate) fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let mut found = Vec::new();
    members(before, after, "", &mut found);
    found
}

/// Returns whether a value is what the API shows in place of a secret.
fn is_shown_secret(value: &Value) -> bool {
    *value == json!({"$secret": "set"})
}

fn members(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    pointer: &str,
    found: &mut Vec<Change>,
) {
    for (name, old) in before {
        let at = step(pointer, name);
        match after.get(name) {
            Some(new) => values(old, new, at, found),
            None if is_shown_secret(old) => {}
            None => found.push(Change {
                pointer: at,
                before: Some(old.clone()),
                after: None,
                unknown: false,
            }),
        }
    }
    for (name, new) in after {
        if !before.contains_key(name) {
            found.push(Change {
                pointer: step(pointer, name),
                before: None,
                after: Some(new.clone()),
                unknown: false,
            });
        }
    }
}

fn values(old: &Value, new: &Value, pointer: String, found: &mut Vec<Change>) {
    match (old, new) {
        (old, new) if old == new => {}
        (old, new) if is_shown_secret(old) => found.push(Change {
            pointer,
            before: Some(old.clone()),
            after: Some(new.clone()),
            unknown: !new.is_null(),
        }),
        (Value::Object(old), Value::Object(new)) => members(old, new, &pointer, found),
        (Value::Array(old), Value::Array(new)) => items(old, new, &pointer, found),
        (old, new) => found.push(Change {
            pointer,
            before: Some(old.clone()),
            after: Some(new.clone()),
            unknown: false,
        }),
    }
}

fn items(old: &[Value], new: &[Value], pointer: &str, found: &mut Vec<Change>) {
    for at in 0..old.len().max(new.len()) {
        let below = format!("{pointer}/{at}");
        match (old.get(at), new.get(at)) {
            (Some(old), Some(new)) => values(old, new, below, found),
            (before, after) => found.push(Change {
                pointer: below,
                before: before.cloned(),
                after: after.cloned(),
                unknown: false,
            }),
        }
    }
}

fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(before: &Value, after: &Value) -> Vec<(String, bool)> {
        let found = changes(before.as_object().unwrap(), after.as_object().unwrap());
        found
            .into_iter()
            .map(|change| (change.pointer, change.unknown))
            .collect()
    }

    #[test]
    fn what_differs_is_found_where_it_stands() {
        let before = json!({"a": 1, "b/c": {"x": [1, 2, 3]}, "gone": true});
        let after = json!({"b/c": {"x": [1, 5]}, "a": 1, "new": null});
        let pointers = ["/b~1c/x/1", "/b~1c/x/2", "/gone", "/new"];
        assert_eq!(
            of(&before, &after),
            pointers.map(|at| (at.to_owned(), false))
        );
        assert_eq!(of(&before, &before), []);
    }

    #[test]
    fn a_secret_stays_unless_it_is_named() {
        let shown = json!({"$secret": "set"});
        let before = json!({"config": {"secret": shown}});
        for same in [json!({"config": {}}), before.clone()] {
            assert_eq!(of(&before, &same), []);
        }
        let at = "/config/secret".to_owned();
        let literal = json!({"config": {"secret": "x"}});
        assert_eq!(of(&before, &literal), [(at.clone(), true)]);
        let removed = json!({"config": {"secret": null}});
        assert_eq!(of(&before, &removed), [(at, false)]);
    }
}
