//! JSON with the line of every value; a name that stands twice in an object is an error.

use serde_json::Value;

use super::{Lines, Malformed, step};

/// Parses JSON text.
pub(super) fn parse(text: &str) -> Result<(Value, Lines), Malformed> {
    let value = hermod_sdk::parse_json(text.as_bytes())
        .map_err(|error| Malformed::at(error.line(), format!("is not JSON: {error}")))?;
    let mut walk = Walk {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        lines: Lines::new(),
    };
    walk.value("")?;
    Ok((value, walk.lines))
}

/// A walk over text that is known to be valid JSON, whose nesting the parser has bounded.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    lines: Lines,
}

impl Walk<'_> {
    fn value(&mut self, pointer: &str) -> Result<(), Malformed> {
        self.space();
        self.lines.insert(pointer.to_owned(), self.line);
        match self.peek() {
            b'{' => self.object(pointer),
            b'[' => self.array(pointer),
            b'"' => {
                self.string();
                Ok(())
            }
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']' | b'\0') && !self.at_space() {
                    self.at += 1;
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, pointer: &str) -> Result<(), Malformed> {
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                b'"' => {
                    let line = self.line;
                    let name = self.string();
                    let below = step(pointer, &name);
                    if self.lines.contains_key(&below) {
                        let message = format!("`{name}` stands twice");
                        return Err(Malformed {
                            line: Some(line),
                            pointer: below,
                            message,
                        });
                    }
                    self.space();
                    self.at += 1; // the colon
                    self.value(&below)?;
                    // The name says best where a member is.
                    self.lines.insert(below, line);
                }
                b',' => self.at += 1,
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
    }

    fn array(&mut self, pointer: &str) -> Result<(), Malformed> {
        self.at += 1;
        let mut index = 0;
        loop {
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' | b'\0' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => {
                    self.value(&format!("{pointer}/{index}"))?;
                    index += 1;
                }
            }
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while !matches!(self.peek(), b'"' | b'\0') {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        let quoted = self.bytes.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(quoted).unwrap_or_default()
    }

    fn space(&mut self) {
        while self.at_space() {
            self.line += usize::from(self.peek() == b'\n');
            self.at += 1;
        }
    }

    fn at_space(&self) -> bool {
        matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r')
    }

    /// Returns the byte at the place, 0 behind the end: valid JSON has none outside of strings.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line() {
        let text = "{\n \"a\": [1,\n  {\"b/c\": \"x\\\"\\n\"}],\n \"d\": 1E400,\n\n \"e\":{}\n}";
        let (value, lines) = parse(text).unwrap();
        assert_eq!(value["d"].to_string(), "1E400");
        let expected = [
            ("", 1),
            ("/a", 2),
            ("/a/0", 2),
            ("/a/1", 3),
            ("/a/1/b~1c", 3),
            ("/d", 4),
            ("/e", 6),
        ];
        assert_eq!(
            lines,
            expected
                .map(|(pointer, line)| (pointer.to_owned(), line))
                .into()
        );
    }

    #[test]
    fn a_name_that_stands_twice_is_found() {
        let error = parse("{\"a\": {\"x\": 1,\n\"x\": 2}}").unwrap_err();
        assert_eq!((error.line, error.pointer.as_str()), (Some(2), "/a/x"));
    }

    #[test]
    fn malformed_text_names_its_line() {
        assert_eq!(parse("{\n\"a\" 1\n}").unwrap_err().line, Some(2));
        assert!(parse("").is_err());
    }
}
