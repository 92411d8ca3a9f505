//! JSON as it was written, where `serde_json` would say the same in other words.
//!
//! `serde_json` keeps a number's text but spells its exponent anew (`1E400` becomes `1e+400`), and of two equal
//! keys it keeps the second. Here numbers get their own text back, and a key that stands twice is found. Both
//! read the text once more, only where there is something to do.

use std::collections::HashSet;

use serde_json::{Number, Value};

/// Longest pointer that is told, in characters: keys are as long as who sends them likes (I9).
const POINTER_CHARS_MAX: usize = 256;

/// Names that `serde_json` uses for itself; an object with one of them is not read as what it is.
const RESERVED: &str = "$serde_json::private::";

/// Reads JSON; numbers have the text that they were written with.
///
/// # Errors
/// What `serde_json` says of text that is not one JSON document.
pub fn parse_json(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::from_slice(text)?;
    restore_numbers(text, &mut value);
    Ok(value)
}

/// Reads one number and keeps its text.
pub fn parse_number(text: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(text).ok()?;
    Some(as_written(text.trim(), number))
}

/// Gives the numbers of a value that was read from this text their own spelling.
///
/// Where a key stands twice nothing is changed: it cannot be said which number is whose.
pub(crate) fn restore_numbers(text: &[u8], value: &mut Value) {
    let exponent = |pair: &[u8]| pair[0].is_ascii_digit() && matches!(pair[1], b'e' | b'E');
    if !text.windows(2).any(exponent) {
        return;
    }
    let scan = Scan::of(text);
    if scan.exponents.is_empty() || key_twice_in(&scan, text, value).is_some() {
        return;
    }
    respell(value, &mut scan.exponents.into_iter());
}

/// Returns the pointer to the first key that stands twice in its object, or that cannot be kept for its name.
pub(crate) fn key_twice(text: &[u8], value: &Value) -> Option<String> {
    key_twice_in(&Scan::of(text), text, value)
}

fn key_twice_in(scan: &Scan<'_>, text: &[u8], value: &Value) -> Option<String> {
    // As many members as were written: each of them is there.
    if !scan.odd && scan.members == members(value) {
        return None;
    }
    search(text)
}

fn as_written(text: &str, number: Number) -> Number {
    if number.as_str() == text {
        number
    } else {
        // Valid as a number, and not public in any other way: every parser of `serde_json` spells exponents anew.
        Number::from_string_unchecked(text.to_owned())
    }
}

/// Hands out the texts of numbers with an exponent, in the order in which they were written.
fn respell<'a>(value: &mut Value, texts: &mut impl Iterator<Item = &'a str>) {
    match value {
        Value::Number(number) if number.as_str().contains('e') => {
            if let Some(text) = texts.next() {
                *number = as_written(text, number.clone());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| respell(item, texts)),
        Value::Object(fields) => fields.values_mut().for_each(|item| respell(item, texts)),
        _ => {}
    }
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(fields) => fields.len() + fields.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// What one pass over valid JSON text finds.
#[derive(Default)]
struct Scan<'a> {
    /// Members of all objects.
    members: usize,
    /// Texts of numbers with an exponent.
    exponents: Vec<&'a str>,
    /// Whether a key is spelled so that counting does not do.
    odd: bool,
}

impl<'a> Scan<'a> {
    fn of(text: &'a [u8]) -> Self {
        let mut scan = Self::default();
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                b'"' => {
                    let end = string_end(text, at);
                    if is_key(text, end) {
                        let name = &text[at + 1..end];
                        scan.members += 1;
                        scan.odd |= name.first() == Some(&b'$') || name.contains(&b'\\');
                    }
                    at = end;
                }
                b'-' | b'0'..=b'9' => {
                    let part =
                        |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    let length = text[at..].iter().take_while(|byte| part(byte)).count();
                    let number = &text[at..at + length];
                    if number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
                        scan.exponents.extend(std::str::from_utf8(number).ok());
                    }
                    at += length;
                }
                _ => at += 1,
            }
        }
        scan
    }
}

/// Returns the place behind the string that begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns whether the string that ends at `end` is the key of a member.
fn is_key(text: &[u8], end: usize) -> bool {
    let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    text[end..].iter().find(|byte| !space(byte)) == Some(&b':')
}

/// An object or list that has begun.
enum Open {
    Object { seen: HashSet<String>, key: String },
    List { index: usize },
}

/// Looks for a key that stands twice, by its meaning and not its spelling.
fn search(text: &[u8]) -> Option<String> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' => open.push(Open::Object {
                seen: HashSet::new(),
                key: String::new(),
            }),
            b'[' => open.push(Open::List { index: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => {
                if let Some(Open::List { index }) = open.last_mut() {
                    *index += 1;
                }
            }
            b'"' => {
                let end = string_end(text, at);
                if is_key(text, end)
                    && let Some(Open::Object { seen, key }) = open.last_mut()
                    && let Ok(name) = serde_json::from_slice::<String>(&text[at..end])
                {
                    let bad = name.starts_with(RESERVED) || !seen.insert(name.clone());
                    *key = name;
                    if bad {
                        return Some(pointer(&open));
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn pointer(open: &[Open]) -> String {
    let steps = open.iter().map(|one| match one {
        Open::Object { key, .. } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Open::List { index } => format!("/{index}"),
    });
    let whole: String = steps.collect();
    if whole.chars().count() <= POINTER_CHARS_MAX {
        return whole;
    }
    let mut cut: String = whole.chars().take(POINTER_CHARS_MAX).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_text_that_they_were_written_with() {
        let text = r#"{"a":1e400,"b":[1E5,-0.10e-07,2e+3,-0,"9e9"],"9e1":{"c":1.0E+0},"d":7}"#;
        assert_eq!(parse_json(text.as_bytes()).unwrap().to_string(), text);
        assert_eq!(parse_number("1E400").unwrap().as_str(), "1E400");
        assert!(parse_number("1e").is_none() && parse_json(b"[1e]").is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_found_by_its_meaning() {
        let found = |text: &str| key_twice(text.as_bytes(), &serde_json::from_str(text).unwrap());
        for (text, pointer) in [
            (r#"{"a":1,"a":2}"#, "/a"),
            (r#"{"x":[{},{"a/b":{"k":1,"k" : 2}}]}"#, "/x/1/a~1b/k"),
            (r#"{"a":1,"\u0061":2}"#, "/a"),
            (r#"{"a":{"x":1},"a":{"x":1,"y":2}}"#, "/a"),
            (
                r#"{"n":{"$serde_json::private::Number":"5"}}"#,
                "/n/$serde_json::private::Number",
            ),
        ] {
            assert_eq!(found(text).as_deref(), Some(pointer), "{text}");
        }
        for text in [
            r#"{"a":{"a":"a"},"b":[{"a":1},{"a":"\":"}],"$c":1,"\"":2,"\\":3}"#,
            r#"["a","a"]"#,
            "5",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        let long = format!(r#"{{"{0}":1,"{0}":2}}"#, "k".repeat(1000));
        assert_eq!(found(&long).unwrap().chars().count(), 257);
    }

    #[test]
    fn numbers_beside_a_key_that_stands_twice_are_left_alone() {
        let value = parse_json(br#"{"a":1e1,"a":2,"b":3e3}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"a":2,"b":3e+3}"#);
    }
}
