//! Conditions on a message that all must hold; the nodes `condition` and `filter` are made of them.

mod comparison;
mod field;

use std::borrow::Cow;

use hermod_sdk::{Message, TransformError};
use serde_json::{Map, Value, json};

use crate::document::{Keys, Report, Section};
use comparison::Comparison;
use field::Field;
pub(super) use field::Path;

/// Conditions that all must hold.
pub(super) struct Predicate {
    conditions: Vec<Condition>,
    reads_payload: bool,
}

struct Condition {
    field: Field,
    comparison: Comparison,
}

impl Predicate {
    /// Reads `conditions: [{field, operator, value}]`, or one condition without the list, and returns it
    /// with its normal form.
    pub(super) fn read(
        section: &mut Section<'_>,
        report: &mut Report,
    ) -> Option<(Self, Map<String, Value>)> {
        let listed = list(section, report)?;
        let read: Vec<_> = match &listed {
            None => vec![Condition::read(section, report)],
            Some(items) => {
                let at = section.at("conditions");
                let each = items.iter().enumerate();
                each.map(|(index, item)| {
                    let mut section = Section::new(item, &format!("{at}/{index}"), report)?;
                    let condition = Condition::read(&mut section, report);
                    section.judge(&Keys::NONE, report);
                    condition
                })
                .collect()
            }
        };
        let read: Option<Vec<_>> = read.into_iter().collect();
        let (conditions, normal): (Vec<Condition>, Vec<Value>) = read?.into_iter().unzip();
        let reads_payload = conditions.iter().any(|one| one.field.reads_payload());
        let predicate = Self {
            conditions,
            reads_payload,
        };
        let mut config = Map::new();
        config.insert("conditions".to_owned(), Value::Array(normal));
        Some((predicate, config))
    }

    /// Returns whether the payload must be parsed for it.
    pub(super) fn reads_payload(&self) -> bool {
        self.reads_payload
    }

    /// Returns whether all conditions hold.
    pub(super) fn holds(&self, message: &mut Message) -> Result<bool, TransformError> {
        let before = self.image_before(message)?;
        for Condition { field, comparison } in &self.conditions {
            if !comparison.holds(field.find(message, before.as_ref())?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the image before the change where there is none after it: a row that is deleted is judged by
    /// what it was, or its deletion would pass another branch than the row did.
    fn image_before(&self, message: &Message) -> Result<Option<Value>, TransformError> {
        if !self.reads_payload || message.payload.size() > 0 {
            return Ok(None);
        }
        let Some(before) = &message.before else {
            return Ok(Some(Value::Null));
        };
        serde_json::from_slice(before).map(Some).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            TransformError::new(format!(
                "image before the change is not JSON (line {line}, column {column})"
            ))
        })
    }
}

/// Returns the list of conditions; the inner `None` means that one stands without a list.
#[expect(
    clippy::option_option,
    reason = "the outer one is the usual sign of a problem"
)]
fn list<'a>(section: &mut Section<'a>, report: &mut Report) -> Option<Option<Cow<'a, [Value]>>> {
    let at = section.at("conditions");
    let items: Option<Cow<'a, [Value]>> = match section.value("conditions") {
        None => return Some(None),
        Some(Value::Array(items)) => Some(Cow::Borrowed(items)),
        // The original writes the list as text.
        Some(Value::String(text)) => serde_json::from_str(text).ok().map(Cow::Owned),
        Some(_) => None,
    };
    let Some(items) = items else {
        report.refuse(at, "is not a list of conditions");
        return None;
    };
    if items.is_empty() {
        report.refuse(at, "at least one condition is needed");
        return None;
    }
    for key in ["field", "operator", "value"] {
        if section.value(key).is_some() {
            let message = "stands beside `conditions`; write it as one of the list";
            report.refuse(section.at(key), message);
            return None;
        }
    }
    Some(Some(items))
}

impl Condition {
    fn read(section: &mut Section<'_>, report: &mut Report) -> Option<(Self, Value)> {
        let name = section.required("field", report);
        let field = name.and_then(|name| {
            let field = Field::parse(name);
            if field.is_none() {
                let known = field::KNOWN;
                let message = format!("there is no field `{name}` of a message; there are {known}");
                report.refuse(section.at("field"), message);
            }
            field
        });
        let comparison = Comparison::read(section, field.as_ref(), report);
        let (field, (comparison, operator, value)) = (field?, comparison?);
        let mut normal = json!({"field": name, "operator": operator});
        if let Some(value) = value {
            normal["value"] = value;
        }
        Some((Self { field, comparison }, normal))
    }
}

#[cfg(test)]
mod tests;
