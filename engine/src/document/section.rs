//! Reads the fields of one object of a document, and knows which were read.

use std::collections::BTreeSet;

use hermod_sdk::{Problem, Problems, coerce};
use serde_json::{Map, Value, json};

use super::keys;

/// One object of a document.
pub(super) struct Section<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
    read: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    /// Begins to read the object at `pointer`, or says that it is none.
    pub(super) fn new(value: &'a Value, pointer: &str, problems: &mut Problems) -> Option<Self> {
        let Some(map) = value.as_object() else {
            problems.add(pointer, "is not an object");
            return None;
        };
        Some(Self {
            map,
            pointer: pointer.to_owned(),
            read: BTreeSet::new(),
        })
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}/{key}", self.pointer)
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.read.insert(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            problems.add(self.at(key), "is not text");
        }
        text.filter(|text| !text.is_empty())
    }

    /// Reads a whole number of at least `least`; text is taken too.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        least: u64,
        problems: &mut Problems,
    ) -> Option<u64> {
        self.coerced(
            key,
            &json!({"type": "integer"}),
            least,
            "a whole number",
            problems,
        )
    }

    /// Reads a duration in milliseconds; text like `250ms` or `10s` is taken too.
    pub(super) fn duration_ms(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<u64> {
        let schema = json!({"type": "integer", "x-unit": "ms"});
        self.coerced(
            key,
            &schema,
            0,
            "a duration in milliseconds, or text like `250ms`",
            problems,
        )
    }

    fn coerced(
        &mut self,
        key: &'static str,
        schema: &Value,
        least: u64,
        what: &str,
        problems: &mut Problems,
    ) -> Option<u64> {
        let mut value = self.value(key)?.clone();
        coerce(&mut value, schema);
        match value.as_u64() {
            Some(number) if number >= least => Some(number),
            Some(_) => {
                problems.add(self.at(key), format!("is less than {least}"));
                None
            }
            None => {
                problems.add(self.at(key), format!("is not {what}"));
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let mut value = self.value(key)?.clone();
        coerce(&mut value, &json!({"type": "boolean"}));
        if !value.is_boolean() {
            problems.add(self.at(key), "is neither true nor false");
        }
        value.as_bool()
    }

    /// Reads one of a few words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let text = self.text(key, problems)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{text}` is not one of `{}`", known.join("`, `"));
            problems.add(self.at(key), message);
        }
        found
    }

    /// Reads an object within this one.
    pub(super) fn section(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Section<'a>> {
        let value = self.value(key)?;
        Section::new(value, &self.at(key), problems)
    }

    /// Judges every key that was not read.
    pub(super) fn finish(self, problems: &mut Problems, warnings: &mut Vec<Problem>) {
        for (key, value) in self.map {
            let at = self.at(key);
            let key = key.as_str();
            if self.read.contains(key) || keys::SILENT.contains(&key) {
                continue;
            }
            if let Some((_, reason)) = keys::NOT_BUILT.iter().find(|(name, _)| *name == key) {
                if !is_empty(value) {
                    problems.add(at, *reason);
                }
            } else if keys::INERT.contains(&key) {
                if !is_empty(value) {
                    let message = format!("`{key}` is kept and has no effect");
                    warnings.push(Problem {
                        pointer: at,
                        message,
                    });
                }
            } else {
                let known: Vec<&str> = self.read.iter().copied().collect();
                let message = format!("unknown key `{key}`; known are `{}`", known.join("`, `"));
                problems.add(at, message);
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
