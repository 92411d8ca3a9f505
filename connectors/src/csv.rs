//! Records of comma-separated text, read and written (RFC 4180, with any one-byte delimiter).
//!
//! A quote opens a quoted field only at the field's beginning; elsewhere it is a letter like any other. A
//! quoted field ends at its closing quote; what stands between that and the delimiter belongs to the field.

use std::borrow::Cow;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// The text without its quotes.
    pub(crate) text: Cow<'a, [u8]>,
    /// Whether it stood in quotes, which tells an empty text from nothing.
    pub(crate) quoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    // A quote within a quoted field: the first half of an escaped one, or the end of the quoting.
    Closing,
}

/// Finds the ends of records in bytes that come piece by piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner {
    delimiter: u8,
    state: State,
}

impl Scanner {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: State::Start,
        }
    }

    /// Goes on over `bytes` up to the next record's end, and returns how many bytes that took, line break
    /// included. Without an end all bytes are taken.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.step(byte) {
                return Some(at + 1);
            }
        }
        None
    }

    /// Returns whether `byte` ends a record.
    fn step(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::Closing,
            (State::Quoted, _) | (State::Start | State::Closing, b'"') => State::Quoted,
            (_, b'\n') => {
                self.state = State::Start;
                return true;
            }
            (_, byte) if byte == self.delimiter => State::Start,
            _ => State::Plain,
        };
        false
    }
}

/// Splits one record, line break included or not, into its fields.
pub(crate) fn fields(record: &[u8], delimiter: u8) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut rest = without_line_break(record);
    loop {
        let (field, used) = field(rest, delimiter);
        fields.push(field);
        match rest.get(used) {
            Some(_) => rest = &rest[used + 1..],
            None => return fields,
        }
    }
}

/// Returns whether two records hold the same texts, whatever their quoting, line break and byte order mark.
pub(crate) fn same_texts(one: &[u8], other: &[u8], delimiter: u8) -> bool {
    let texts = |record| {
        fields(without_mark(record), delimiter)
            .into_iter()
            .map(|field| field.text)
    };
    texts(one).eq(texts(other))
}

/// Returns the text without UTF-8's byte order mark.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Returns the record without the LF or CRLF at its end.
pub(crate) fn without_line_break(record: &[u8]) -> &[u8] {
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn field(bytes: &[u8], delimiter: u8) -> (Field<'_>, usize) {
    let until = |bytes: &[u8]| {
        bytes
            .iter()
            .position(|&b| b == delimiter)
            .unwrap_or(bytes.len())
    };
    let Some(inner) = bytes.strip_prefix(b"\"") else {
        let end = until(bytes);
        let field = Field {
            text: Cow::Borrowed(&bytes[..end]),
            quoted: false,
        };
        return (field, end);
    };
    let mut text = Cow::Borrowed(&inner[..0]);
    let mut at = 0;
    loop {
        let piece = inner[at..].iter().position(|&b| b == b'"');
        let end = piece.map_or(inner.len(), |length| at + length);
        append(&mut text, &inner[at..end]);
        if inner.get(end + 1) == Some(&b'"') {
            append(&mut text, b"\"");
            at = end + 2;
            continue;
        }
        // After the closing quote: usually the delimiter at once.
        let after = inner.get(end + 1..).unwrap_or_default();
        let tail = until(after);
        append(&mut text, &after[..tail]);
        let used = (end + 2).min(bytes.len()) + tail;
        return (Field { text, quoted: true }, used);
    }
}

fn append<'a>(text: &mut Cow<'a, [u8]>, piece: &'a [u8]) {
    if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else if !piece.is_empty() {
        text.to_mut().extend_from_slice(piece);
    }
}

/// Appends a field's text, quoted where it must be: an empty text is quoted, so that it differs from nothing.
pub(crate) fn push_text(record: &mut Vec<u8>, text: &[u8], delimiter: u8) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || *byte == delimiter;
    if !text.is_empty() && !text.iter().any(special) {
        record.extend_from_slice(text);
        return;
    }
    record.push(b'"');
    for &byte in text {
        if byte == b'"' {
            record.push(b'"');
        }
        record.push(byte);
    }
    record.push(b'"');
}

#[cfg(test)]
mod tests;
