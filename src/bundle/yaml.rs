//! YAML 1.2 (core schema) as JSON values, with the line of every value.
//!
//! Numbers that are also JSON numbers keep their text. Everything else that is plain and neither null nor
//! a boolean is text, so that `05` and `0x1f` stay what was written.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};

use super::{Lines, Malformed, step};

/// Most values of a document, those that aliases repeat included: a few lines of YAML can ask for billions.
const VALUES_MAX: usize = 200_000;

/// Parses YAML text that holds one document.
pub(super) fn parse(text: &str) -> Result<(Value, Lines), Malformed> {
    let mut build = Build {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        lines: Lines::new(),
        values: 0,
    };
    loop {
        match build.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::StreamEnd, _) => return Err(Malformed::at(1, "holds no document")),
            first => {
                let value = build.value(first, "")?;
                build.end()?;
                return Ok((value, build.lines));
            }
        }
    }
}

struct Build<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Value, usize)>,
    lines: Lines,
    values: usize,
}

impl<'a> Build<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Err(Malformed {
                line: None,
                pointer: String::new(),
                message: "ends early".into(),
            }),
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => {
                    return Err(Malformed::at(
                        span.start.line(),
                        "holds more than one document",
                    ));
                }
            }
        }
    }

    fn value(&mut self, next: (Event<'a>, Span), pointer: &str) -> Result<Value, Malformed> {
        let (event, span) = next;
        let line = span.start.line();
        self.lines.entry(pointer.to_owned()).or_insert(line);
        self.count(1, line)?;
        let before = self.values;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), line)?, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence(pointer)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping(pointer)?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, line),
            _ => return Err(Malformed::at(line, "is not what can stand here")),
        };
        if anchor > 0 {
            self.anchors
                .insert(anchor, (value.clone(), self.values - before + 1));
        }
        Ok(value)
    }

    fn sequence(&mut self, pointer: &str) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                next => {
                    let below = format!("{pointer}/{}", items.len());
                    items.push(self.value(next, &below)?);
                }
            }
        }
    }

    fn mapping(&mut self, pointer: &str) -> Result<Value, Malformed> {
        let mut fields = Map::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let name = match event {
                Event::MappingEnd => return Ok(Value::Object(fields)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Malformed::at(line, "a name must be text")),
            };
            let below = step(pointer, &name);
            if name == "<<" {
                let message =
                    "merge keys (`<<`) are not supported; write the values out".to_owned();
                return Err(Malformed {
                    line: Some(line),
                    pointer: below,
                    message,
                });
            }
            if fields.contains_key(&name) {
                let message = format!("`{name}` stands twice");
                return Err(Malformed {
                    line: Some(line),
                    pointer: below,
                    message,
                });
            }
            // The name says best where a member is.
            self.lines.insert(below.clone(), line);
            let next = self.next()?;
            let value = self.value(next, &below)?;
            fields.insert(name, value);
        }
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<Value, Malformed> {
        let Some((value, size)) = self.anchors.get(&anchor) else {
            return Err(Malformed::at(
                line,
                "an alias cannot stand within its own anchor",
            ));
        };
        let (value, size) = (value.clone(), *size);
        self.count(size, line)?;
        Ok(value)
    }

    fn count(&mut self, values: usize, line: usize) -> Result<(), Malformed> {
        self.values += values;
        if self.values > VALUES_MAX {
            return Err(Malformed::at(
                line,
                format!("holds more than {VALUES_MAX} values"),
            ));
        }
        Ok(())
    }
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    line: usize,
) -> Result<Value, Malformed> {
    let plain = match tag.and_then(core_tag) {
        None if tag.is_some() => {
            return Err(Malformed::at(
                line,
                "tags other than those of YAML itself are not supported",
            ));
        }
        Some("str") => false,
        Some(_) => true,
        None => style == ScalarStyle::Plain,
    };
    if !plain {
        return Ok(Value::from(text));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match hermod_sdk::parse_number(text) {
            Some(number) => Value::Number(number),
            None => Value::from(text),
        },
    })
}

/// Returns the name of a tag of YAML's core schema, such as `str`.
fn core_tag(tag: &Tag) -> Option<&str> {
    (tag.handle() == "tag:yaml.org,2002:").then(|| tag.suffix())
}

fn not_yaml(error: &ScanError) -> Malformed {
    Malformed::at(
        error.marker().line(),
        format!("is not YAML: {}", error.info()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_numbers_and_lines_come_out_as_written() {
        let text = "# head\na: 1\nb:\n  - 0.10\n  - {c/d: x, e: ~}\nf: 05\ng: 12345678901234567890123\nh: \"5\"\ni: yes\nj: 1E400\n";
        let (value, lines) = parse(text).unwrap();
        assert_eq!(
            value.to_string(),
            r#"{"a":1,"b":[0.10,{"c/d":"x","e":null}],"f":"05","g":12345678901234567890123,"h":"5","i":"yes","j":1E400}"#
        );
        for (pointer, line) in [
            ("/a", 2),
            ("/b", 3),
            ("/b/0", 4),
            ("/b/1/c~1d", 5),
            ("/i", 9),
        ] {
            assert_eq!(lines.get(pointer), Some(&line), "{pointer}");
        }
    }

    #[test]
    fn anchors_are_repeated_and_bounded() {
        let (value, _) = parse("a: &x {k: [1, 2]}\nb: *x\n").unwrap();
        assert_eq!(value["b"], json!({"k": [1, 2]}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb += &format!("a{n}: &a{n} [{aliases}]\n");
        }
        assert!(parse(&bomb).unwrap_err().message.contains("more than"));
    }

    #[test]
    fn what_is_refused_names_its_line() {
        for (text, line) in [
            ("a: 1\na: 2\n", Some(2)),
            ("a: [1\nb: 2\n", Some(2)),
            ("a: 1\n---\nb: 2\n", Some(2)),
            ("a: !mine 1\n", Some(1)),
            ("x: &x {y: 1}\nz:\n  <<: *x\n", Some(3)),
            ("", Some(1)),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error:?}");
        }
    }

    #[test]
    fn json_is_yaml() {
        let (value, _) = parse("{\"a\": [1, true, null, \"x\"]}").unwrap();
        assert_eq!(value, json!({"a": [1, true, null, "x"]}));
    }
}
