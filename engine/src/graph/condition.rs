//! Conditions on messages, and the nodes `condition` and `filter` made of them.
//!
//! `field` is a dotted path into the payload; `payload.`, `after.` and `source.` in front are tolerated. A
//! name that begins with `@` is a field of the message: `@id`, `@operation`, `@database`, `@schema`,
//! `@table`, `@key`, `@metadata.NAME`.
//!
//! A field that is missing satisfies `!=`, `not_contains`, `not_regex` and `not_exists`, and nothing else.

use std::cmp::Ordering;

use hermod_sdk::{Message, Outputs, Problems, Transform, TransformError, get_path};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::decimal::Decimal;
use crate::document::NodeDocument;

/// Largest compiled regular expression, in bytes (I9).
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Conditions that all must hold.
struct Conditions(Vec<Condition>);

struct Condition {
    field: Field,
    test: Test,
}

enum Field {
    Payload(String),
    Id,
    Operation,
    Database,
    Schema,
    Table,
    Key,
    Metadata(String),
}

enum Test {
    Equal(Value),
    NotEqual(Value),
    Order(fn(Ordering) -> bool, Value),
    Contains(Value),
    NotContains(Value),
    Matches(Regex),
    NotMatches(Regex),
    Exists,
    NotExists,
}

const OPERATORS: &str =
    "=, !=, >, >=, <, <=, contains, not_contains, regex, not_regex, exists, not_exists";

/// Takes the branch `true` or `false`.
struct Branch(Conditions);

/// Lets through what matches.
struct Filter(Conditions);

pub(super) fn compile(
    node: &NodeDocument,
    pointer: &str,
    problems: &mut Problems,
) -> Option<Box<dyn Transform>> {
    Some(Box::new(Branch(read(node, pointer, problems)?)))
}

pub(super) fn compile_filter(
    node: &NodeDocument,
    pointer: &str,
    problems: &mut Problems,
) -> Option<Box<dyn Transform>> {
    for key in ["asField", "targetField"] {
        if node.config.contains_key(key) {
            let message = "marking instead of dropping is not built yet";
            problems.add(format!("{pointer}/config/{key}"), message);
        }
    }
    Some(Box::new(Filter(read(node, pointer, problems)?)))
}

impl Transform for Branch {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        let branch = if self.0.hold(&mut message)? {
            "true"
        } else {
            "false"
        };
        outputs.push_to(branch, message);
        Ok(())
    }
}

impl Transform for Filter {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        if self.0.hold(&mut message)? {
            outputs.push(message);
        }
        Ok(())
    }
}

/// Reads `conditions: [{field, operator, value}]`, or one condition without the list.
fn read(node: &NodeDocument, pointer: &str, problems: &mut Problems) -> Option<Conditions> {
    let config = &node.config;
    let known = [
        "conditions",
        "field",
        "operator",
        "value",
        "label",
        "transType",
        "asField",
        "targetField",
    ];
    for key in config.keys().filter(|key| !known.contains(&key.as_str())) {
        let message =
            format!("unknown key `{key}`; known are `conditions`, or `field`, `operator`, `value`");
        problems.add(format!("{pointer}/config/{key}"), message);
    }
    let pointer = format!("{pointer}/config");
    let listed = match config.get("conditions") {
        // The original writes the list as text.
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(Value::Array(list)) => Some(list.clone()),
        Some(_) => None,
        None => Some(vec![Value::Object(config.clone())]),
    };
    let Some(listed) = listed else {
        problems.add(
            format!("{pointer}/conditions"),
            "is not a list of conditions",
        );
        return None;
    };
    let single = !config.contains_key("conditions");
    if listed.is_empty() {
        problems.add(
            format!("{pointer}/conditions"),
            "at least one condition is needed",
        );
        return None;
    }
    let mut conditions = Vec::new();
    for (at, item) in listed.iter().enumerate() {
        let pointer = if single {
            pointer.clone()
        } else {
            format!("{pointer}/conditions/{at}")
        };
        conditions.push(condition(item, &pointer, problems)?);
    }
    Some(Conditions(conditions))
}

fn condition(item: &Value, pointer: &str, problems: &mut Problems) -> Option<Condition> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let Some(name) = text("field").filter(|name| !name.is_empty()) else {
        problems.add(
            format!("{pointer}/field"),
            "a condition needs the `field` that it looks at",
        );
        return None;
    };
    let Some(field) = Field::parse(name) else {
        let message = format!(
            "`{name}` is no field of a message; there are `@id`, `@operation`, `@database`, `@schema`, `@table`, `@key`, `@metadata.NAME`"
        );
        problems.add(format!("{pointer}/field"), message);
        return None;
    };
    let operator = text("operator").unwrap_or_default();
    let value = item.get("value").cloned();
    let needs_value = !matches!(operator, "exists" | "not_exists");
    let value = match value {
        Some(value) => value,
        None if needs_value && !operator.is_empty() => {
            problems.add(
                format!("{pointer}/value"),
                format!("operator `{operator}` needs a `value`"),
            );
            return None;
        }
        None => Value::Null,
    };
    Some(Condition {
        field,
        test: test(operator, value, pointer, problems)?,
    })
}

fn test(operator: &str, value: Value, pointer: &str, problems: &mut Problems) -> Option<Test> {
    Some(match operator {
        "=" | "==" => Test::Equal(value),
        "!=" => Test::NotEqual(value),
        ">" => Test::Order(Ordering::is_gt, value),
        ">=" => Test::Order(Ordering::is_ge, value),
        "<" => Test::Order(Ordering::is_lt, value),
        "<=" => Test::Order(Ordering::is_le, value),
        "contains" => Test::Contains(value),
        "not_contains" => Test::NotContains(value),
        "regex" => Test::Matches(regex(&value, pointer, problems)?),
        "not_regex" => Test::NotMatches(regex(&value, pointer, problems)?),
        "exists" => Test::Exists,
        "not_exists" => Test::NotExists,
        other => {
            let message = format!("operator `{other}` is unknown; there are {OPERATORS}");
            problems.add(format!("{pointer}/operator"), message);
            return None;
        }
    })
}

fn regex(value: &Value, pointer: &str, problems: &mut Problems) -> Option<Regex> {
    let pattern = scalar_text(value);
    match RegexBuilder::new(&pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
    {
        Ok(regex) => Some(regex),
        Err(error) => {
            problems.add(
                format!("{pointer}/value"),
                format!("is no regular expression: {error}"),
            );
            None
        }
    }
}

impl Conditions {
    fn hold(&self, message: &mut Message) -> Result<bool, TransformError> {
        for condition in &self.0 {
            if !condition.holds(message)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Condition {
    fn holds(&self, message: &mut Message) -> Result<bool, TransformError> {
        let text = |text: &str| Some(Value::String(text.to_owned()));
        let found = match &self.field {
            Field::Payload(path) => {
                let value = message.payload.value();
                let value = value.map_err(|error| TransformError::new(error.to_string()))?;
                return Ok(self.test.holds(lookup(value, path)));
            }
            Field::Id => text(&message.id),
            Field::Operation => text(message.operation.name()),
            Field::Database => text(&message.database),
            Field::Schema => text(&message.schema),
            Field::Table => text(&message.table),
            Field::Key => message
                .key
                .as_ref()
                .and_then(|key| text(&String::from_utf8_lossy(key))),
            Field::Metadata(name) => message.metadata.get(name).and_then(|value| text(value)),
        };
        Ok(self.test.holds(found.as_ref()))
    }
}

impl Field {
    fn parse(name: &str) -> Option<Self> {
        let Some(own) = name.strip_prefix('@') else {
            return Some(Self::Payload(name.to_owned()));
        };
        Some(match own {
            "id" => Self::Id,
            "operation" => Self::Operation,
            "database" => Self::Database,
            "schema" => Self::Schema,
            "table" => Self::Table,
            "key" => Self::Key,
            _ => Self::Metadata(own.strip_prefix("metadata.")?.to_owned()),
        })
    }
}

/// Finds a path in the payload; what the original writes in front is tolerated.
pub(super) fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    get_path(value, path).or_else(|| {
        let prefixes = ["payload.", "after.", "source."];
        let stripped = prefixes
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix))?;
        get_path(value, stripped)
    })
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        let some = |test: &dyn Fn(&Value) -> bool| found.is_some_and(test);
        match self {
            Self::Equal(wanted) => some(&|value| equal(value, wanted)),
            Self::NotEqual(wanted) => !some(&|value| equal(value, wanted)),
            Self::Order(accepts, wanted) => {
                some(&|value| order(value, wanted).is_some_and(accepts))
            }
            Self::Contains(wanted) => some(&|value| contains(value, wanted)),
            Self::NotContains(wanted) => !some(&|value| contains(value, wanted)),
            Self::Matches(regex) => some(&|value| regex.is_match(&scalar_text(value))),
            Self::NotMatches(regex) => !some(&|value| regex.is_match(&scalar_text(value))),
            Self::Exists => found.is_some(),
            Self::NotExists => found.is_none(),
        }
    }
}

/// Numbers are equal by value, exactly; everything else by its text.
fn equal(value: &Value, wanted: &Value) -> bool {
    if value == wanted {
        return true;
    }
    let (value_text, wanted_text) = (scalar_text(value), scalar_text(wanted));
    if value.is_number() || wanted.is_number() {
        return match (Decimal::parse(&value_text), Decimal::parse(&wanted_text)) {
            (Some(value), Some(wanted)) => value.compare(&wanted).is_eq(),
            _ => false,
        };
    }
    value_text == wanted_text
}

/// Numbers by value, exactly; text by its characters.
fn order(value: &Value, wanted: &Value) -> Option<Ordering> {
    let (value_text, wanted_text) = (scalar_text(value), scalar_text(wanted));
    match (Decimal::parse(&value_text), Decimal::parse(&wanted_text)) {
        (Some(value), Some(wanted)) => Some(value.compare(&wanted)),
        _ if value.is_string() && wanted.is_string() => Some(value_text.cmp(&wanted_text)),
        _ => None,
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| equal(item, wanted)),
        Value::Object(fields) => wanted
            .as_str()
            .is_some_and(|name| fields.contains_key(name)),
        _ => scalar_text(value).contains(&*scalar_text(wanted)),
    }
}

fn scalar_text(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.as_str().into(),
        other => other.to_string().into(),
    }
}
