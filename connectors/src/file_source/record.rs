//! Records: where they end, and how they become payloads.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{FileSourceConfig, RecordFormat};
use crate::csv::{self, Field, Scanner};

/// UTF-8's byte order mark.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Finds the ends of records, remembering how far it has looked.
pub(super) struct Splitter {
    csv: Option<u8>,
    scanner: Scanner,
    scanned: usize,
}

impl Splitter {
    pub(super) fn new(config: &FileSourceConfig) -> Self {
        let delimiter = config.delimiter_byte();
        Self {
            csv: (config.format == RecordFormat::Csv).then_some(delimiter),
            scanner: Scanner::new(delimiter),
            scanned: 0,
        }
    }

    /// Returns the length of the first record in `unread`, line break included, if its end is there.
    /// `unread` begins at the same place until [`Splitter::reset`].
    pub(super) fn end(&mut self, unread: &[u8]) -> Option<usize> {
        let fresh = unread.get(self.scanned..).unwrap_or_default();
        let end = match self.csv {
            Some(_) => self.scanner.end(fresh),
            None => line_end(fresh),
        };
        if let Some(length) = end {
            return Some(self.scanned + length);
        }
        self.scanned = unread.len();
        None
    }

    /// Begins a new record.
    pub(super) fn reset(&mut self) {
        if let Some(delimiter) = self.csv {
            self.scanner = Scanner::new(delimiter);
        }
        self.scanned = 0;
    }
}

/// Returns the length of the first line, line break included.
pub(super) fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

/// The names of a CSV file's columns, as JSON strings.
pub(super) struct Columns {
    names: Vec<String>,
    // No name is missing where the operator named none: columns are numbered then.
    numbered: bool,
}

/// A row whose count of fields is not that of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) expected: usize,
    pub(super) found: usize,
}

impl Columns {
    /// Takes the names from a header record.
    pub(super) fn of_header(record: &[u8], delimiter: u8) -> Self {
        let fields = csv::fields(csv::without_mark(record), delimiter);
        let names = fields
            .iter()
            .map(|field| String::from_utf8_lossy(&field.text).into_owned());
        Self::named(names)
    }

    /// Takes the names from the configuration.
    pub(super) fn of_config(config: &FileSourceConfig) -> Self {
        Self {
            numbered: config.columns.is_empty(),
            ..Self::named(config.columns.iter().cloned())
        }
    }

    /// An empty name becomes `column_N`, a repeated one gets a number, so that no value hides another.
    fn named(texts: impl Iterator<Item = String>) -> Self {
        let mut names: Vec<String> = Vec::new();
        for (index, text) in texts.enumerate() {
            let wanted = if text.is_empty() {
                numbered(index)
            } else {
                text
            };
            let mut name = wanted.clone();
            let mut count = 2;
            while names.contains(&name) {
                name = format!("{wanted}_{count}");
                count += 1;
            }
            names.push(name);
        }
        Self {
            names,
            numbered: false,
        }
    }

    /// Turns a record into a JSON object; nothing if the record is blank.
    pub(super) fn object(
        &self,
        record: &[u8],
        delimiter: u8,
        null_if_empty: bool,
    ) -> Option<(Vec<u8>, Option<Mismatch>)> {
        let fields = csv::fields(record, delimiter);
        if let [only] = &fields[..]
            && only.text.is_empty()
            && !only.quoted
        {
            return None;
        }
        let mut object = Vec::with_capacity(record.len() * 2);
        for (index, field) in fields.iter().enumerate() {
            object.push(if index == 0 { b'{' } else { b',' });
            match self.names.get(index) {
                Some(name) => push_member(&mut object, name, field, null_if_empty),
                None => push_member(&mut object, &numbered(index), field, null_if_empty),
            }
        }
        object.push(b'}');
        let mismatch = Mismatch {
            expected: self.names.len(),
            found: fields.len(),
        };
        let differs = !self.numbered && mismatch.expected != mismatch.found;
        Some((object, differs.then_some(mismatch)))
    }
}

fn numbered(index: usize) -> String {
    format!("column_{}", index + 1)
}

fn push_member(object: &mut Vec<u8>, name: &str, field: &Field<'_>, null_if_empty: bool) {
    match std::str::from_utf8(&field.text) {
        Ok("") if null_if_empty && !field.quoted => {
            push_string(object, name);
            object.extend_from_slice(b":null");
        }
        Ok(text) => {
            push_string(object, name);
            object.push(b':');
            push_string(object, text);
        }
        // Bytes of another encoding stay what they are.
        Err(_) => {
            push_string(object, &format!("{name}_base64"));
            object.push(b':');
            push_string(object, &STANDARD.encode(&field.text));
        }
    }
}

fn push_string(object: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        object.push(b'"');
        object.extend_from_slice(text.as_bytes());
        object.push(b'"');
    } else {
        object.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(header: &str, record: &[u8]) -> (String, Option<Mismatch>) {
        let columns = Columns::of_header(header.as_bytes(), b',');
        let (object, mismatch) = columns.object(record, b',', true).unwrap();
        (String::from_utf8(object).unwrap(), mismatch)
    }

    #[test]
    fn names_that_are_empty_or_repeated_are_told_apart() {
        let (object, mismatch) = row("a,,a,column_2\n", b"1,2,3,4\n");
        assert_eq!(
            object,
            r#"{"a":"1","column_2":"2","a_2":"3","column_2_2":"4"}"#
        );
        assert_eq!(mismatch, None);
    }

    #[test]
    fn rows_with_other_counts_keep_every_field_and_say_so() {
        let mismatch = |expected, found| Some(Mismatch { expected, found });
        assert_eq!(
            row("a,b", b"1"),
            (r#"{"a":"1"}"#.to_owned(), mismatch(2, 1))
        );
        let (object, found) = row("a,b", b"1,2,3");
        assert_eq!(object, r#"{"a":"1","b":"2","column_3":"3"}"#);
        assert_eq!(found, mismatch(2, 3));
    }

    #[test]
    fn values_are_text_null_or_base64() {
        let (object, _) = row("a,b,c,d", b",\"\",\"x\"\"\n\\\",\xff\n");
        assert_eq!(
            object,
            r#"{"a":null,"b":"","c":"x\"\n\\","d_base64":"/w=="}"#
        );
    }

    #[test]
    fn a_record_is_found_once_its_end_is_there() {
        let config = FileSourceConfig {
            format: RecordFormat::Csv,
            ..FileSourceConfig::new("x")
        };
        let mut splitter = Splitter::new(&config);
        assert_eq!(splitter.end(b"1,\"a\n"), None);
        assert_eq!(splitter.end(b"1,\"a\nb\""), None);
        assert_eq!(splitter.end(b"1,\"a\nb\"\n2"), Some(8));
    }
}
