//! What a condition asks of a field.
//!
//! | field holds | `=` | `>` and the like | `contains` | `regex` |
//! |---|---|---|---|---|
//! | a number | the same number, digit by digit | by value, digit by digit | text of the number | text of the number |
//! | text | the same text; of a value that is a number, the same number | by value where the condition's value is a number, else by characters | part of the text | the text |
//! | true, false, null | the same, or its name | never | never | its name, null never |
//! | a list | never | never | an element that is equal | never |
//! | an object | never | never | a key | never |
//!
//! A field that is missing satisfies `!=`, `not_contains`, `not_regex` and `not_exists`, and nothing else:
//! these four hold exactly when their opposites do not.

use std::cmp::Ordering;

use hermod_sdk::Operation;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::Field;
use crate::{
    document::{Report, Section, nearest},
    graph::decimal::Decimal,
};

/// Largest compiled regular expression and its lazily built automaton, in bytes (I9). Matching takes time in
/// proportion to the text, whatever the expression.
const REGEX_BYTES_MAX: usize = 1 << 20;

const OPERATORS: [&str; 12] = [
    "=",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
    "contains",
    "not_contains",
    "regex",
    "not_regex",
    "exists",
    "not_exists",
];

/// What is asked of a field.
pub(super) struct Comparison {
    test: Test,
    /// Whether it holds when the test does not.
    negated: bool,
}

enum Test {
    Equal(Operand),
    Order(fn(Ordering) -> bool, Operand),
    Contains(Operand),
    Matches(Regex),
    Exists,
}

/// The condition's value: text, a number, true, false or null.
struct Operand {
    text: String,
    /// Whether it was written as a number, without quotes.
    is_number: bool,
    /// Whether it can be read as a number.
    numeric: bool,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(&'a str),
    List(&'a [Value]),
    Object(&'a Map<String, Value>),
}

impl<'a> From<&'a Value> for Subject<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(number.as_str()),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items),
            Value::Object(fields) => Self::Object(fields),
        }
    }
}

impl Comparison {
    /// Reads `operator` and `value`, and returns them as well.
    pub(super) fn read(
        section: &mut Section<'_>,
        field: Option<&Field>,
        report: &mut Report,
    ) -> Option<(Self, &'static str, Option<Value>)> {
        let value = section.present("value");
        let given = section.required("operator", report)?;
        let Some(operator) = OPERATORS.iter().copied().find(|known| *known == given) else {
            let meant = nearest(given, OPERATORS)
                .map_or_else(String::new, |near| format!("; `{near}` may be meant"));
            let known = OPERATORS.join("`, `");
            let message = format!("there is no operator `{given}`{meant}; there are `{known}`");
            report.refuse(section.at("operator"), message);
            return None;
        };
        let (negated, test) = match operator {
            "exists" => (false, Test::Exists),
            "not_exists" => (true, Test::Exists),
            _ => {
                let Some(value) = value else {
                    let message = format!("`value` is missing; operator `{operator}` needs one");
                    report.refuse(section.at("value"), message);
                    return None;
                };
                let at = section.at("value");
                (
                    operator.starts_with(['!', 'n']),
                    compare(operator, value, field, &at, report)?,
                )
            }
        };
        let value = value.filter(|_| !matches!(test, Test::Exists));
        Some((Self { test, negated }, operator, value.cloned()))
    }

    /// Returns whether a field that holds `subject`, or is missing, satisfies it.
    pub(super) fn holds(&self, subject: Option<Subject<'_>>) -> bool {
        let satisfied = subject.is_some_and(|subject| match &self.test {
            Test::Equal(wanted) => equal(subject, wanted),
            Test::Order(accepts, wanted) => order(subject, wanted).is_some_and(accepts),
            Test::Contains(wanted) => contains(subject, wanted),
            Test::Matches(regex) => text(subject).is_some_and(|text| regex.is_match(text)),
            Test::Exists => true,
        });
        satisfied != self.negated
    }
}

fn compare(
    operator: &str,
    value: &Value,
    field: Option<&Field>,
    at: &str,
    report: &mut Report,
) -> Option<Test> {
    let Some(operand) = Operand::new(value) else {
        report.refuse(at, "must be text, a number, true, false or null");
        return None;
    };
    match operator {
        "=" | "!=" => {
            if matches!(field, Some(Field::Operation))
                && !Operation::ALL.iter().any(|one| one.name() == operand.text)
            {
                let known = Operation::ALL.map(Operation::name).join("`, `");
                let message = format!("no operation is `{}`; there are `{known}`", operand.text);
                report.refuse(at, message);
                return None;
            }
            Some(Test::Equal(operand))
        }
        "contains" | "not_contains" => Some(Test::Contains(operand)),
        "regex" | "not_regex" => regex(&operand.text, at, report).map(Test::Matches),
        _ if matches!(value, Value::Bool(_) | Value::Null) => {
            report.refuse(at, format!("`{operator}` compares numbers or text"));
            None
        }
        ">" => Some(Test::Order(Ordering::is_gt, operand)),
        ">=" => Some(Test::Order(Ordering::is_ge, operand)),
        "<" => Some(Test::Order(Ordering::is_lt, operand)),
        _ => Some(Test::Order(Ordering::is_le, operand)),
    }
}

fn regex(pattern: &str, at: &str, report: &mut Report) -> Option<Regex> {
    let mut builder = RegexBuilder::new(pattern);
    builder
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX);
    match builder.build() {
        Ok(regex) => Some(regex),
        Err(error) => {
            // The last line says what is wrong, those before it show the place.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.trim().trim_start_matches("error: ");
            report.refuse(at, format!("is not a regular expression: {reason}"));
            None
        }
    }
}

impl Operand {
    fn new(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_str().to_owned(),
            Value::Bool(_) | Value::Null => value.to_string(),
            Value::Array(_) | Value::Object(_) => return None,
        };
        Some(Self {
            is_number: value.is_number(),
            numeric: Decimal::parse(&text).is_some(),
            text,
        })
    }
}

fn equal(subject: Subject<'_>, wanted: &Operand) -> bool {
    match subject {
        Subject::Number(number) => by_value(number, wanted).is_some_and(Ordering::is_eq),
        Subject::Text(text) if wanted.is_number => {
            by_value(text, wanted).is_some_and(Ordering::is_eq)
        }
        Subject::Text(text) => text == wanted.text,
        Subject::Bool(true) => wanted.text == "true",
        Subject::Bool(false) => wanted.text == "false",
        Subject::Null => wanted.text == "null",
        Subject::List(_) | Subject::Object(_) => false,
    }
}

fn order(subject: Subject<'_>, wanted: &Operand) -> Option<Ordering> {
    match subject {
        Subject::Number(number) => by_value(number, wanted),
        Subject::Text(text) if wanted.numeric => by_value(text, wanted),
        Subject::Text(text) => Some(text.cmp(&wanted.text)),
        _ => None,
    }
}

fn contains(subject: Subject<'_>, wanted: &Operand) -> bool {
    match subject {
        Subject::Number(text) | Subject::Text(text) => text.contains(&wanted.text),
        Subject::List(items) => items.iter().any(|item| equal(Subject::from(item), wanted)),
        Subject::Object(fields) => fields.contains_key(&wanted.text),
        Subject::Bool(_) | Subject::Null => false,
    }
}

/// Compares as decimal numbers, if both are some.
fn by_value(number: &str, wanted: &Operand) -> Option<Ordering> {
    if !wanted.numeric {
        return None;
    }
    Some(Decimal::parse(number)?.compare(&Decimal::parse(&wanted.text)?))
}

fn text(subject: Subject<'_>) -> Option<&str> {
    match subject {
        Subject::Number(text) | Subject::Text(text) => Some(text),
        Subject::Bool(true) => Some("true"),
        Subject::Bool(false) => Some("false"),
        Subject::Null | Subject::List(_) | Subject::Object(_) => None,
    }
}
