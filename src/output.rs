//! What commands print on standard output.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// Form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// Prints a line. A reader that has gone away ends the output, not the command.
pub(crate) fn line(text: impl AsRef<str>) {
    // What goes on for ever asks for it.
    let _: bool = is_read(text);
}

/// Prints a line, and returns whether somebody still reads.
pub(crate) fn is_read(text: impl AsRef<str>) -> bool {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_ref().as_bytes())
        .and_then(|()| out.write_all(b"\n"));
    match written.and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                tracing::error!(%error, "standard output cannot be written");
            }
            false
        }
    }
}

/// Prints a line on standard error.
pub(crate) fn error_line(text: impl AsRef<str>) {
    let mut out = io::stderr().lock();
    // There is nobody left to tell when standard error is gone.
    drop(
        out.write_all(text.as_ref().as_bytes())
            .and_then(|()| out.write_all(b"\n")),
    );
}

/// Prints a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(text),
        Err(error) => tracing::error!(%error, "a value cannot be written as JSON"),
    }
}

/// Prints rows under their heads, columns aligned.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(aligned(&heads.map(str::to_owned), &widths));
    for row in rows {
        line(aligned(row, &widths));
    }
}

fn aligned<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let mut text = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if index > 0 {
            text.push_str("  ");
        }
        text.push_str(cell);
        if index + 1 < N {
            let fill = width.saturating_sub(cell.chars().count());
            text.extend(std::iter::repeat_n(' ', fill));
        }
    }
    text
}

/// Returns a member of an answer as a table's cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => short(text, 80),
        other => short(&other.to_string(), 80),
    }
}

/// Shortens text for a table's cell and takes its line breaks out.
pub(crate) fn short(text: &str, length: usize) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if flat.chars().count() <= length {
        return flat;
    }
    let cut: String = flat.chars().take(length.saturating_sub(1)).collect();
    format!("{cut}…")
}
