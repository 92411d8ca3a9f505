//! What sources that are pushed to have in common: paths, and the ids that senders give.

use hermod_sdk::{Problems, Refusal, RefusalKind, Text};
use http::{HeaderMap, HeaderName};

/// Longest id, in bytes; ids stand in logs, keys and columns.
pub(crate) const ID_BYTES_MAX: usize = 255;

/// Body limit where none is configured.
pub(crate) const fn default_body_bytes_max() -> usize {
    1 << 20
}

/// Name of the header that carries the id where none is configured.
pub(crate) fn default_id_header() -> String {
    "Idempotency-Key".to_owned()
}

/// Returns a path without the prefix and slashes that people paste along with it.
pub(crate) fn clean_path<'a>(path: &'a str, prefix: &str) -> &'a str {
    let path = path.trim_matches('/');
    path.strip_prefix(prefix).unwrap_or(path)
}

/// Adds what is wrong with a path.
pub(crate) fn check_path(path: &str, problems: &mut Problems) {
    let segment_fits = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
            })
    };
    if !path.split('/').all(segment_fits) {
        problems.add(
            "/path",
            "must be segments of letters, digits, `-`, `_`, `.` and `~`, separated by `/`",
        );
    }
}

/// Adds what is wrong with the name of a header.
pub(crate) fn check_header(pointer: &str, name: Option<&String>, problems: &mut Problems) {
    if name.is_some_and(|name| HeaderName::try_from(name).is_err()) {
        problems.add(pointer, "is not the name of a header");
    }
}

/// Reads the id from a header; none is empty: the engine gives a fresh one then, and counts that the sender gave none.
///
/// # Errors
/// A [`Refusal`] if the header cannot be an id.
pub(crate) fn id(headers: &HeaderMap, name: &str) -> Result<Text, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(Text::new());
    };
    let malformed = |what| Refusal::new(RefusalKind::Malformed, format!("`{name}` {what}"));
    let text = value
        .to_str()
        .map_err(|_| malformed("holds other bytes than visible ASCII"))?
        .trim();
    // The header field is defined as a quoted string; most senders leave the quotes out.
    let text = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    match text.len() {
        0 => Err(malformed("is empty")),
        1..=ID_BYTES_MAX => Ok(Text::from(text)),
        _ => Err(malformed("is longer than 255 bytes")),
    }
}
