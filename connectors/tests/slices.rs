//! Walks the two slices: what every connector must have, whoever adds it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use hermod_connectors::{SINKS, SOURCES};
use hermod_sdk::{Problems, Spec};
use serde_json::{Map, Value, json};

type Configure = dyn Fn(&Value) -> Result<(), Problems>;

/// One registered connector, source or sink.
struct Entry {
    name: String,
    spec: Spec,
    schema: Value,
    example: Value,
    configure: Box<Configure>,
}

fn entries() -> Vec<Entry> {
    let sources = SOURCES.iter().map(|entry| Entry {
        name: format!("source-{}", entry.spec.kind),
        spec: entry.spec,
        schema: entry.schema(),
        example: entry.example(),
        configure: Box::new(|config| entry.configure(config).map(drop)),
    });
    let sinks = SINKS.iter().map(|entry| Entry {
        name: format!("sink-{}", entry.spec.kind),
        spec: entry.spec,
        schema: entry.schema(),
        example: entry.example(),
        configure: Box::new(|config| entry.configure(config).map(drop)),
    });
    sources.chain(sinks).collect()
}

/// Every field of a schema with its pointer, those of nested objects and lists included.
fn fields(schema: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, field) in properties {
            let pointer = format!("{at}/{name}");
            found.push((pointer.clone(), field.clone()));
            fields(field, &pointer, found);
        }
    }
    for list in ["oneOf", "anyOf"] {
        let variants = schema.get(list).and_then(Value::as_array);
        for variant in variants.into_iter().flatten() {
            fields(variant, at, found);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            fields(inner, at, found);
        }
    }
}

fn all_fields(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    fields(schema, "", &mut found);
    found
}

#[test]
fn kinds_are_unique_ordered_and_fit_for_documents() {
    let lists: [Vec<&str>; 2] = [
        SOURCES.iter().map(|entry| entry.spec.kind).collect(),
        SINKS.iter().map(|entry| entry.spec.kind).collect(),
    ];
    for kinds in lists {
        assert!(kinds.is_sorted_by(|one, next| one < next), "{kinds:?}");
        for kind in kinds {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!kind.is_empty() && kind.chars().all(fits), "{kind}");
        }
    }
}

#[test]
fn every_connector_describes_itself() {
    for Entry { name, spec, .. } in entries() {
        assert!(!spec.title.is_empty(), "{name}");
        assert!(spec.summary.ends_with('.'), "{name}: {}", spec.summary);
        assert!(spec.summary.len() <= 120, "{name}: {}", spec.summary);
    }
}

#[test]
fn every_schema_compiles_is_closed_and_describes_every_field() {
    const HINTS: [&str; 6] = [
        "x-secret",
        "x-advanced",
        "x-group",
        "x-unit",
        "x-multiline",
        "x-options",
    ];
    for Entry { name, schema, .. } in entries() {
        let compiled = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema);
        assert!(compiled.is_ok(), "{name}: {compiled:?}");
        assert_eq!(
            schema["additionalProperties"], false,
            "{name} takes unknown keys"
        );
        for (pointer, field) in all_fields(&schema) {
            let described = field["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10);
            assert!(described, "{name}{pointer} has no description");
            for hint in field
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| key.starts_with("x-"))
            {
                assert!(
                    HINTS.contains(&&**hint),
                    "{name}{pointer} has the unknown hint {hint}"
                );
            }
        }
    }
}

#[test]
fn defaults_and_examples_pass_their_own_validation() {
    for entry in entries() {
        let name = &entry.name;
        if let Err(problems) = (entry.configure)(&entry.example) {
            panic!("{name}: the example is refused: {problems}");
        }
        // The least: required fields as the example has them, and every default spelled out.
        let required = entry.schema["required"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let properties = entry.schema["properties"].as_object().unwrap();
        let mut least = Map::new();
        for field in &required {
            let field = field.as_str().unwrap();
            assert!(
                entry.example.get(field).is_some(),
                "{name}: example without {field}"
            );
            least.insert(field.to_owned(), entry.example[field].clone());
        }
        if let Err(problems) = (entry.configure)(&Value::Object(least.clone())) {
            panic!("{name}: the required fields alone are refused: {problems}");
        }
        for (field, schema) in properties {
            match schema.get("default") {
                Some(default) if !default.is_null() => {
                    least.insert(field.clone(), default.clone());
                }
                _ => {}
            }
        }
        if let Err(problems) = (entry.configure)(&Value::Object(least)) {
            panic!("{name}: defaults are refused: {problems}");
        }
    }
}

#[test]
fn unknown_keys_are_refused_by_name() {
    for entry in entries() {
        let mut config = entry.example.clone();
        config["surely_unknown"] = json!(1);
        let problems = (entry.configure)(&config).unwrap_err();
        let pointers: Vec<_> = problems.iter().map(|problem| &*problem.pointer).collect();
        assert_eq!(pointers, ["/surely_unknown"], "{}", entry.name);
    }
}

#[test]
fn i10_a_sentinel_in_a_secret_shows_in_no_problem() {
    const SENTINEL: &str = "sentinel-5f3a";
    let mut secrets = 0;
    for entry in entries() {
        for (pointer, field) in all_fields(&entry.schema) {
            if field.get("x-secret").is_none() {
                continue;
            }
            secrets += 1;
            assert_eq!(field["writeOnly"], true, "{}{pointer}", entry.name);
            assert_eq!(field["format"], "password", "{}{pointer}", entry.name);
            // As a literal beside another mistake, and as a value of the wrong type.
            for value in [json!(SENTINEL), json!([SENTINEL]), json!({ SENTINEL: 1 })] {
                let mut config = entry.example.clone();
                config["surely_unknown"] = json!(true);
                let Some(place) = place(&mut config, &pointer) else {
                    continue;
                };
                *place = value;
                let problems = (entry.configure)(&config).unwrap_err();
                let shown = format!("{problems} {problems:?}");
                assert!(!shown.contains(SENTINEL), "{}: {shown}", entry.name);
            }
        }
    }
    assert!(secrets > 0, "no connector has a secret");
}

fn place<'a>(config: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    let mut current = config;
    for name in pointer.split('/').skip(1) {
        current = current.as_object_mut()?.entry(name).or_insert(Value::Null);
    }
    Some(current)
}

/// A field that is gone, or newly required, breaks documents that exist. Run with `UPDATE_SCHEMAS=1` to take
/// the present schemas as the committed ones.
#[test]
fn schemas_are_those_that_are_committed() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut names = BTreeSet::new();
    for entry in entries() {
        let path = directory.join(format!("{}.json", entry.name));
        names.insert(path.clone());
        let now = serde_json::to_string_pretty(&entry.schema).unwrap() + "\n";
        if update {
            fs::write(&path, &now).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let committed: Value = serde_json::from_str(&text).unwrap_or_default();
        let broken = breaks(&committed, &entry.schema);
        assert!(
            broken.is_empty(),
            "{}: {broken:?} break documents that exist",
            entry.name
        );
        assert_eq!(
            text,
            now,
            "{} differs; look, then UPDATE_SCHEMAS=1",
            path.display()
        );
    }
    let committed: BTreeSet<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let gone: Vec<_> = committed.difference(&names).collect();
    assert!(gone.is_empty(), "connectors are gone: {gone:?}");
}

fn breaks(before: &Value, now: &Value) -> Vec<String> {
    let names = |schema| -> BTreeSet<String> {
        all_fields(schema)
            .into_iter()
            .map(|(pointer, _)| pointer)
            .collect()
    };
    let required = |schema: &Value| -> BTreeSet<String> {
        let list = schema["required"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let removed = names(before)
        .difference(&names(now))
        .cloned()
        .collect::<Vec<_>>();
    if before.is_null() {
        return removed;
    }
    removed
        .into_iter()
        .chain(required(now).difference(&required(before)).cloned())
        .collect()
}

#[test]
fn a_removed_field_and_a_newly_required_one_are_found() {
    let schema = |names: &[&str], required: &[&str]| {
        let properties: Map<_, _> = names
            .iter()
            .map(|&name| (name.to_owned(), json!({})))
            .collect();
        json!({"properties": properties, "required": required})
    };
    let before = schema(&["a", "b"], &["a"]);
    assert_eq!(breaks(&before, &schema(&["a"], &["a"])), ["/b"]);
    assert_eq!(breaks(&before, &schema(&["a", "b"], &["a", "b"])), ["b"]);
    assert!(breaks(&before, &schema(&["a", "b", "c"], &["a"])).is_empty());
}
