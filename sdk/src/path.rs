//! Dotted paths into JSON values: `customer.address.city`, `items.0.sku`.

use serde_json::{Map, Value};

/// A path cannot be written to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A value on the way is neither an object nor a list.
    #[error("`{at}` is not an object, so `{path}` cannot be set")]
    NotAnObject {
        /// Where the way ends.
        at: String,
        /// The whole path.
        path: String,
    },
    /// A list is shorter than the index.
    #[error("list `{at}` has no element {index}, so `{path}` cannot be set")]
    NoSuchElement {
        /// The list.
        at: String,
        /// The index that was asked for.
        index: usize,
        /// The whole path.
        path: String,
    },
}

/// Returns the value at a dotted path. A key that itself holds dots is found by its whole name first.
pub fn get_path<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(root);
    }
    if let Some(found) = step(root, path) {
        return Some(found);
    }
    let (head, rest) = path.split_once('.')?;
    get_path(step(root, head)?, rest)
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Sets the value at a dotted path, making objects on the way.
///
/// # Errors
/// [`PathError`] if something else than an object or list stands in the way; nothing is changed then.
pub fn set_path(root: &mut Value, path: &str, value: Value) -> Result<(), PathError> {
    let mut current = root;
    let mut walked = 0;
    let mut rest = path;
    loop {
        let (name, after) = match rest.split_once('.') {
            Some((name, after)) => (name, Some(after)),
            None => (rest, None),
        };
        let at = path[..walked].trim_end_matches('.');
        let slot = slot(current, name, at, path)?;
        let Some(after) = after else {
            *slot = value;
            return Ok(());
        };
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        current = slot;
        walked += name.len() + 1;
        rest = after;
    }
}

fn slot<'a>(
    value: &'a mut Value,
    name: &str,
    at: &str,
    path: &str,
) -> Result<&'a mut Value, PathError> {
    match value {
        Value::Object(fields) => Ok(fields.entry(name.to_owned()).or_insert(Value::Null)),
        Value::Array(items) => {
            let index = name.parse::<usize>().map_err(|_| PathError::NotAnObject {
                at: at.to_owned(),
                path: path.to_owned(),
            })?;
            items
                .get_mut(index)
                .ok_or_else(|| PathError::NoSuchElement {
                    at: at.to_owned(),
                    index,
                    path: path.to_owned(),
                })
        }
        _ => Err(PathError::NotAnObject {
            at: at.to_owned(),
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_nested_fields_and_list_elements() {
        let value = json!({"a": {"b": [10, {"c": "x"}]}, "with.dot": 1});
        assert_eq!(get_path(&value, "a.b.1.c"), Some(&json!("x")));
        assert_eq!(get_path(&value, "with.dot"), Some(&json!(1)));
        assert_eq!(get_path(&value, "a.missing"), None);
    }

    #[test]
    fn sets_nested_fields_and_refuses_scalars_in_the_way() {
        let mut value = json!({"a": 1, "list": [0]});
        set_path(&mut value, "n.m", json!(2)).unwrap();
        set_path(&mut value, "list.0", json!(3)).unwrap();
        assert_eq!(value, json!({"a": 1, "list": [3], "n": {"m": 2}}));
        assert!(set_path(&mut value, "a.b", json!(0)).is_err());
        assert!(set_path(&mut value, "list.7", json!(0)).is_err());
    }
}
