//! Configuration documents: coercion, validation with every error at once, JSON pointers.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use crate::parse_duration;

/// A connector's configuration struct.
pub trait ConnectorConfig:
    Clone + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// Checks rules across fields. It is pure: no I/O, no resolving of secrets.
    fn check(&self, _problems: &mut Problems) {}

    /// Returns an example that passes its own validation, for the reference and the form.
    fn example() -> Value;
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON pointer to the value, empty for the whole document.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{pointer}: {}", self.message)
    }
}

/// All that is wrong with a document, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem at a pointer.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        let problem = Problem {
            pointer: pointer.into(),
            message: message.into(),
        };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds all problems of a part of the document that stands at `prefix`.
    pub fn add_below(&mut self, prefix: &str, part: Problems) {
        for problem in part.0 {
            self.add(format!("{prefix}{}", problem.pointer), problem.message);
        }
    }

    /// Returns whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Walks the problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Returns how many problems there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Returns the JSON Schema of a configuration struct, with every sub-schema inlined.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<T>();
    Value::from(schema)
}

/// Turns text into numbers, booleans and durations where the schema asks for them.
///
/// `"5"` becomes 5 where an integer is asked for; `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"` become
/// milliseconds where the schema says `x-unit: ms`, and seconds where it says `x-unit: s`. Text that does
/// not fit is left as it is, for validation to name it. Durations may be compound: `1h30m`.
/// `"K:V,K2:V2"` becomes an object where the schema asks for one of any names with text.
pub fn coerce(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let sub = schema
                    .pointer("/properties")
                    .and_then(|all| all.get(name.as_str()));
                if let Some(sub) = sub.or_else(|| schema.get("additionalProperties")) {
                    coerce(field, sub);
                }
            }
        }
        Value::Array(items) => {
            if let Some(sub) = schema.get("items") {
                for item in items {
                    coerce(item, sub);
                }
            }
        }
        Value::String(text) => {
            if let Some(better) = coerce_text(text.trim(), schema) {
                *value = better;
            }
        }
        _ => {}
    }
}

fn coerce_text(text: &str, schema: &Value) -> Option<Value> {
    if schema_allows(schema, "string") {
        return None;
    }
    if takes_pairs(schema) {
        return pairs(text).ok().map(Value::Object);
    }
    if schema_allows(schema, "boolean") {
        match text {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            _ => {}
        }
    }
    if schema_allows(schema, "integer") {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::from(number));
        }
        let unit_ms = match schema.get("x-unit").and_then(Value::as_str) {
            Some("ms") => 1,
            Some("s") => 1000,
            _ => return None,
        };
        let ms = u64::try_from(parse_duration(text)?.as_millis()).ok()?;
        // Half a second is no number of seconds; nothing is cut off.
        return (ms % unit_ms == 0).then(|| Value::from(ms / unit_ms));
    }
    if schema_allows(schema, "number") {
        return serde_json::from_str::<Number>(text).ok().map(Value::Number);
    }
    None
}

fn schema_allows(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

/// Whether the schema asks for an object of any names whose values are text.
fn takes_pairs(schema: &Value) -> bool {
    let values = schema.get("additionalProperties");
    schema.get("properties").is_none()
        && schema_allows(schema, "object")
        && values.is_some_and(|values| schema_allows(values, "string"))
}

/// Reads `K:V,K2:V2`. A message names no value: it may be a credential (I10).
fn pairs(text: &str) -> Result<Map<String, Value>, String> {
    let mut found = Map::new();
    let parts = text.split(',').map(str::trim).enumerate();
    for (at, part) in parts.filter(|(_, part)| !part.is_empty()) {
        let number = at + 1;
        let Some((name, value)) = part.split_once(':') else {
            return Err(format!(
                "part {number} of the text has no colon; write `NAME:VALUE,NAME:VALUE`, or an object where a value has a comma"
            ));
        };
        let name = name.trim();
        if found.insert(name.to_owned(), value.trim().into()).is_some() {
            return Err(format!("`{name}` stands twice in the text"));
        }
    }
    Ok(found)
}

/// Validates a configuration: schema first, then the struct, then its own `check`.
///
/// # Errors
/// Every problem at once, each with a JSON pointer relative to `value`.
pub fn validate<T: ConnectorConfig>(schema: &Value, value: &Value) -> Result<T, Problems> {
    let mut value = value.clone();
    coerce(&mut value, schema);
    let mut problems = Problems::default();
    check_schema(schema, &value, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    match T::deserialize(value) {
        Ok(config) => {
            config.check(&mut problems);
            if problems.is_empty() {
                Ok(config)
            } else {
                Err(problems)
            }
        }
        Err(error) => {
            problems.add("", error.to_string());
            Err(problems)
        }
    }
}

fn check_schema(schema: &Value, value: &Value, problems: &mut Problems) {
    let validator = match jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
    {
        Ok(validator) => validator,
        Err(error) => {
            problems.add(
                "",
                format!("the connector's own schema does not compile: {error}"),
            );
            return;
        }
    };
    for error in validator.iter_errors(value) {
        let pointer = error.instance_path().as_str().to_owned();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    let known = known_names(schema, &pointer);
                    problems.add(
                        format!("{pointer}/{}", escape(name)),
                        format!("unknown key `{name}`{known}"),
                    );
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                problems.add(pointer, format!("`{name}` is missing"));
            }
            _ if let Some(fault) = pairs_fault(schema, value, &pointer) => {
                problems.add(pointer, fault);
            }
            // I10: the value of a secret must not stand in the message.
            _ if is_secret(schema, &pointer) => problems.add(pointer, error.masked().to_string()),
            _ => problems.add(pointer, error.to_string()),
        }
    }
}

/// Says what is wrong with text that stands for an object of names and values.
fn pairs_fault(schema: &Value, value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str()?;
    takes_pairs(subschema(schema, pointer)?).then(|| pairs(text).err())?
}

fn known_names(schema: &Value, pointer: &str) -> String {
    let names = subschema(schema, pointer)
        .and_then(|sub| sub.get("properties"))
        .and_then(Value::as_object)
        .map(|fields: &Map<String, Value>| fields.keys().cloned().collect::<Vec<_>>().join("`, `"));
    names.map_or_else(String::new, |names| format!("; known are `{names}`"))
}

fn is_secret(schema: &Value, pointer: &str) -> bool {
    subschema(schema, pointer).is_some_and(|sub| {
        sub.get("x-secret")
            .is_some_and(|flag| flag == &Value::Bool(true))
    })
}

fn subschema<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(schema, |schema, step| {
        schema
            .get("properties")
            .and_then(|fields| fields.get(step))
            .or_else(|| schema.get("items"))
            .or_else(|| schema.get("additionalProperties"))
    })
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::Secret;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        /// Address.
        url: String,
        /// Wait.
        #[serde(default)]
        #[schemars(range(min = 1), extend("x-unit" = "ms"))]
        timeout_ms: u64,
        /// Flag.
        #[serde(default)]
        on: bool,
        /// Password.
        #[serde(default)]
        password: Option<Secret>,
        /// Names and values.
        #[serde(default)]
        headers: BTreeMap<String, Secret>,
    }

    impl ConnectorConfig for Sample {
        fn check(&self, problems: &mut Problems) {
            if self.url == "bad" {
                problems.add("/url", "must not be `bad`");
            }
        }
        fn example() -> Value {
            json!({"url": "x"})
        }
    }

    fn run(value: &Value) -> Result<Sample, Problems> {
        validate(&schema_of::<Sample>(), value)
    }

    #[test]
    fn text_is_taken_for_numbers_booleans_and_durations() {
        let config = run(&json!({"url": "x", "timeout_ms": "2s", "on": "true"})).unwrap();
        assert_eq!((config.timeout_ms, config.on), (2000, true));
        let compound = run(&json!({"url": "x", "timeout_ms": "1m30s"})).unwrap();
        assert_eq!(compound.timeout_ms, 90_000);
        let mut seconds = [json!("2m1s"), json!("2s500ms")];
        let schema = json!({"type": "integer", "x-unit": "s"});
        for value in &mut seconds {
            coerce(value, &schema);
        }
        assert_eq!(seconds, [json!(121), json!("2s500ms")]);
        assert_eq!(
            run(&json!({"url": "x", "timeout_ms": "250"}))
                .unwrap()
                .timeout_ms,
            250
        );
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_pointer() {
        let problems = run(&json!({"timeout_ms": 0, "colour": 1, "on": "maybe"})).unwrap_err();
        let pointers: Vec<_> = problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        for expected in ["", "/timeout_ms", "/colour", "/on"] {
            assert!(pointers.contains(&expected), "{expected} in {problems}");
        }
        assert_eq!(
            run(&json!({"url": "bad"}))
                .unwrap_err()
                .iter()
                .next()
                .unwrap()
                .pointer,
            "/url"
        );
    }

    #[test]
    fn i10_a_secret_of_the_wrong_type_is_not_repeated_in_the_problem() {
        let problems = run(&json!({"url": "x", "password": 123_456_789})).unwrap_err();
        assert!(!problems.to_string().contains("123456789"), "{problems}");
    }

    #[test]
    fn i10_pairs_are_taken_from_text_and_a_fault_in_it_shows_no_value() {
        let config = run(&json!({"url": "x", "headers": "A: b:c , D:e,"})).unwrap();
        let names: Vec<_> = config.headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["A", "D"]);
        assert_eq!(config.headers["A"].resolve().unwrap(), "b:c");
        let empty = run(&json!({"url": "x", "headers": ""})).unwrap();
        assert!(empty.headers.is_empty());
        for (text, part) in [
            ("A:swordfish, swordfish2", "part 2 "),
            ("A:swordfish,A:b", "`A` stands twice"),
        ] {
            let problems = run(&json!({"url": "x", "headers": text})).unwrap_err();
            let problem = problems.iter().next().unwrap();
            assert_eq!((problem.pointer.as_str(), problems.len()), ("/headers", 1));
            assert!(problem.message.contains(part), "{problem}");
            assert!(!problem.message.contains("swordfish"), "{problem}");
        }
        let problems = run(&json!({"url": "x", "headers": 5})).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().pointer, "/headers");
    }
}
