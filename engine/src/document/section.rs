//! Reads the fields of one object of a document, and knows which were read.

use std::{collections::BTreeSet, ops::RangeInclusive};

use hermod_sdk::coerce;
use serde_json::{Map, Value, json};

use super::{keys::Keys, report::Report, spelling::nearest};

/// Longest id of a node or an edge, in bytes: it stands in metrics and dead letters.
const LABEL_BYTES_MAX: usize = 256;

/// Most entries of a list (I9): beyond the limits of everything that is listed, and few enough to say of each
/// what is wrong with it.
const LIST_MAX: usize = 10_000;

/// One object of a document.
pub(crate) struct Section<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
    read: BTreeSet<&'a str>,
}

impl<'a> Section<'a> {
    /// Begins to read the object at `pointer`, or says that it is none.
    pub(crate) fn new(value: &'a Value, pointer: &str, report: &mut Report) -> Option<Self> {
        let map = value.as_object();
        if map.is_none() {
            report.refuse(pointer, "is not an object");
        }
        Some(Self::of(map?, pointer))
    }

    /// Begins to read an object that stands at `pointer`.
    pub(crate) fn of(map: &'a Map<String, Value>, pointer: &str) -> Self {
        Self {
            map,
            pointer: pointer.to_owned(),
            read: BTreeSet::new(),
        }
    }

    /// Returns the pointer to the object itself.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Returns the pointer to a key.
    pub(crate) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, escape(key))
    }

    /// Returns what stands under a key, `null` included.
    pub(crate) fn present(&mut self, key: &'static str) -> Option<&'a Value> {
        self.read.insert(key);
        self.map.get(key)
    }

    /// Returns what stands under a key; `null` counts as nothing.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.present(key).filter(|value| !value.is_null())
    }

    /// Returns every key with a prefix, in the document's order.
    pub(crate) fn starting_with(&mut self, prefix: &str) -> Vec<(&'a str, &'a Value)> {
        let pairs = self.map.iter().map(|(key, value)| (key.as_str(), value));
        let found: Vec<_> = pairs.filter(|(key, _)| key.starts_with(prefix)).collect();
        self.read.extend(found.iter().map(|(key, _)| *key));
        found
    }

    /// Reads text; empty text counts as nothing.
    pub(crate) fn text(&mut self, key: &'static str, report: &mut Report) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            report.refuse(self.at(key), "is not text");
        }
        text.filter(|text| !text.is_empty())
    }

    /// Reads text that must be there.
    pub(crate) fn required(&mut self, key: &'static str, report: &mut Report) -> Option<&'a str> {
        let before = report.problems.len();
        let text = self.text(key, report);
        if text.is_none() && report.problems.len() == before {
            report.refuse(self.pointer.clone(), format!("`{key}` is missing"));
        }
        text
    }

    /// Reads a whole number; text is taken too.
    pub(crate) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        report: &mut Report,
    ) -> Option<u64> {
        let schema = json!({"type": "integer"});
        self.coerced(key, &schema, range, "a whole number", "", report)
    }

    /// Reads a duration in milliseconds; text like `250ms` or `1m30s` is taken too.
    pub(crate) fn duration_ms(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        report: &mut Report,
    ) -> Option<u64> {
        let schema = json!({"type": "integer", "x-unit": "ms"});
        let what = "a duration like `250ms`, `10s` or `1m30s`, or a number of milliseconds";
        self.coerced(key, &schema, range, what, "ms", report)
    }

    fn coerced(
        &mut self,
        key: &'static str,
        schema: &Value,
        range: RangeInclusive<u64>,
        what: &str,
        unit: &str,
        report: &mut Report,
    ) -> Option<u64> {
        let mut value = self.value(key)?.clone();
        coerce(&mut value, schema);
        let number = value.as_u64();
        match number {
            None => report.refuse(self.at(key), format!("is not {what}")),
            Some(number) if !range.contains(&number) => {
                let (least, most) = range.clone().into_inner();
                let message = format!("is not between {least}{unit} and {most}{unit}");
                report.refuse(self.at(key), message);
            }
            Some(_) => {}
        }
        number.filter(|number| range.contains(number))
    }

    /// Reads true or false; text is taken too.
    pub(crate) fn flag(&mut self, key: &'static str, report: &mut Report) -> Option<bool> {
        let mut value = self.value(key)?.clone();
        coerce(&mut value, &json!({"type": "boolean"}));
        if !value.is_boolean() {
            report.refuse(self.at(key), "is neither true nor false");
        }
        value.as_bool()
    }

    /// Reads one of a few words.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        report: &mut Report,
    ) -> Option<T> {
        let text = self.text(key, report)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{text}` is not one of `{}`", known.join("`, `"));
            report.refuse(self.at(key), message);
        }
        found.map(|(_, value)| *value)
    }

    /// Reads an object within this one.
    pub(crate) fn section(
        &mut self,
        key: &'static str,
        report: &mut Report,
    ) -> Option<Section<'a>> {
        let value = self.value(key)?;
        Section::new(value, &self.at(key), report)
    }

    /// Takes an object within this one as it is; an empty one if there is none.
    pub(crate) fn map(
        &mut self,
        key: &'static str,
        report: &mut Report,
    ) -> Option<Map<String, Value>> {
        match self.value(key) {
            None => Some(Map::new()),
            Some(Value::Object(map)) => Some(map.clone()),
            Some(_) => {
                report.refuse(self.at(key), "is not an object");
                None
            }
        }
    }

    /// Reads a list of objects that must be there; `None` in it stands for one that cannot be read.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        read: fn(&mut Section<'_>, &mut Report) -> Option<T>,
        report: &mut Report,
    ) -> Option<Vec<Option<T>>> {
        let sections = self.sections(key, report)?.into_iter();
        let read = sections.map(|section| read(&mut section?, report));
        Some(read.collect())
    }

    /// Begins to read a list of objects that must be there; `None` stands for what is no object.
    pub(crate) fn sections(
        &mut self,
        key: &'static str,
        report: &mut Report,
    ) -> Option<Vec<Option<Section<'a>>>> {
        let at = self.at(key);
        match self.value(key) {
            Some(Value::Array(items)) if items.len() > LIST_MAX => {
                let message = format!("{} entries; at most {LIST_MAX} are read", items.len());
                report.refuse(at, message);
                None
            }
            Some(Value::Array(items)) => {
                let items = items.iter().enumerate();
                let sections =
                    items.map(|(index, item)| Section::new(item, &format!("{at}/{index}"), report));
                Some(sections.collect())
            }
            Some(_) => {
                report.refuse(at, "is not a list");
                None
            }
            None => {
                report.refuse(self.pointer.clone(), format!("`{key}` is missing"));
                None
            }
        }
    }

    /// Judges every key that was not read.
    pub(crate) fn judge(&self, keys: &Keys, report: &mut Report) {
        for (key, value) in self.map {
            let at = self.at(key);
            let key = key.as_str();
            if self.read.contains(key) || keys.silent.contains(&key) {
                continue;
            }
            if let Some((_, reason)) = keys.not_built.iter().find(|(name, _)| *name == key) {
                if !is_empty(value) {
                    report.refuse(at, *reason);
                }
            } else if keys.inert.contains(&key) {
                if !is_empty(value) {
                    report.warn(at, format!("`{key}` is kept and has no effect"));
                }
            } else {
                report.refuse(at, self.unknown(key));
            }
        }
    }

    fn unknown(&self, key: &str) -> String {
        let known: Vec<&str> = self.read.iter().copied().collect();
        match nearest(key, known.iter().copied()) {
            None if known.is_empty() => format!("unknown key `{key}`"),
            Some(meant) => format!("unknown key `{key}`; `{meant}` may be meant"),
            None => format!("unknown key `{key}`; known are `{}`", known.join("`, `")),
        }
    }
}

/// Returns a key as a JSON pointer spells it.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Checks the id of a node or an edge; it may hold what the original's editor makes up.
pub(super) fn check_label(id: &str, pointer: &str, report: &mut Report) {
    if id.len() > LABEL_BYTES_MAX || id.chars().any(char::is_control) {
        let message = format!("is not an id; use up to {LABEL_BYTES_MAX} bytes on one line");
        report.refuse(pointer, message);
    }
}

/// Returns whether a value asks for nothing, as the original exports what was never filled in.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.trim(), "" | "false" | "0"),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
