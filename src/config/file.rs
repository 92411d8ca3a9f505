//! `hermod.toml`.

use std::{collections::BTreeMap, fs, io, path::Path};

use toml::de::{DeTable, DeValue};

use super::{DEFAULT_FILE, Faults, key::KEYS};

/// Values by key, each with the place where it stands.
type Values = BTreeMap<&'static str, (String, String)>;

/// Reads the file that was named, or the default one if it exists.
pub(super) fn read(named: Option<&Path>, faults: &mut Faults) -> Values {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match fs::read_to_string(path) {
        Ok(text) => parse(&path.display().to_string(), &text, faults),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Values::new(),
        Err(error) => {
            faults.push(format!("{}: cannot be read: {error}", path.display()));
            Values::new()
        }
    }
}

/// Parses the text of a file; unknown keys are faults.
pub(super) fn parse(file: &str, text: &str, faults: &mut Faults) -> Values {
    let mut values = Values::new();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        faults.push(format!("{file}:{line}: is not TOML: {}", error.message()));
    }
    if !faults.found.is_empty() {
        return values;
    }
    for (name, value) in table.get_ref() {
        let place = format!("{file}:{}", line_at(text, name.span().start));
        let name = name.get_ref();
        let Some(key) = KEYS.iter().find(|key| key.name == name.as_ref()) else {
            let known: Vec<_> = KEYS.iter().map(|key| key.name).collect();
            let known = known.join("`, `");
            let fault = format!("{place}: unknown key `{name}`; known are `{known}`");
            faults.push_at(name, fault);
            continue;
        };
        if let Some(text) = plain(value.get_ref()) {
            values.insert(key.name, (text, place));
        } else {
            let fault = "must be text, a number, a boolean or a list of text";
            faults.push_at(name, format!("{place}: `{name}` {fault}"));
        }
    }
    values
}

/// Returns a value as a flag would spell it.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect();
            Some(items?.join(","))
        }
        DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}
