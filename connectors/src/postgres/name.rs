//! Names of tables and columns, as SQL spells them.

use std::{fmt, str::FromStr};

/// A table's name as it stands in a configuration: perhaps with a schema, case kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) table: String,
}

/// Text is not a table's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a table's name; write `table`, `schema.table`, or parts with dots in double quotes"
)]
pub(super) struct NotATableName {
    text: String,
}

impl FromStr for TableName {
    type Err = NotATableName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotATableName {
            text: text.to_owned(),
        };
        let (first, rest) = part(text).ok_or_else(wrong)?;
        if rest.is_empty() {
            return Ok(Self {
                schema: None,
                table: first,
            });
        }
        let (second, rest) = rest.strip_prefix('.').and_then(part).ok_or_else(wrong)?;
        if !rest.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            schema: Some(first),
            table: second,
        })
    }
}

/// Takes one part from the front of a dotted name.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let name = &text[..end];
        let is_plain = !name.is_empty() && !name.contains(['"', '\0']) && name.trim() == name;
        return is_plain.then(|| (name.to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (!name.is_empty() && !name.contains('\0')).then_some((name, rest)),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.table))
    }
}

/// Returns a name as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_they_are() {
        let cases = [
            ("orders", "\"orders\""),
            ("Shop.Orders", "\"Shop\".\"Orders\""),
            ("\"a.b\".\"c\"\"d\"", "\"a.b\".\"c\"\"d\""),
            ("x; DROP TABLE y", "\"x; DROP TABLE y\""),
        ];
        for (text, sql) in cases {
            assert_eq!(text.parse::<TableName>().unwrap().to_string(), sql);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a.b.c", "\"a", "a\"b", "\"\"", " a", "a\0",
        ] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
    }
}
