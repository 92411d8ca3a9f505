//! What a condition looks at.

use hermod_sdk::{Message, TransformError, get_path};
use serde_json::Value;

use super::comparison::Subject;

/// The fields of a message that are not in its payload, for people.
pub(super) const KNOWN: &str =
    "`@id`, `@operation`, `@database`, `@schema`, `@table`, `@key`, `@metadata.NAME`";

/// A field of a message: a path into its payload, or with `@` in front something beside it.
pub(super) enum Field {
    Payload(Path),
    Id,
    Operation,
    Database,
    Schema,
    Table,
    Key,
    Metadata(String),
}

impl Field {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let Some(own) = name.strip_prefix('@') else {
            return Some(Self::Payload(Path::new(name)));
        };
        Some(match own {
            "id" => Self::Id,
            "operation" => Self::Operation,
            "database" => Self::Database,
            "schema" => Self::Schema,
            "table" => Self::Table,
            "key" => Self::Key,
            _ => Self::Metadata(
                own.strip_prefix("metadata.")
                    .filter(|n| !n.is_empty())?
                    .to_owned(),
            ),
        })
    }

    pub(super) fn reads_payload(&self) -> bool {
        matches!(self, Self::Payload(_))
    }

    /// Returns what the field holds; an empty text beside the payload counts as missing. `before` stands in
    /// for the payload where there is none.
    pub(super) fn find<'a>(
        &self,
        message: &'a mut Message,
        before: Option<&'a Value>,
    ) -> Result<Option<Subject<'a>>, TransformError> {
        let text = match self {
            Self::Payload(path) => {
                let root = match before {
                    Some(before) => before,
                    None => message.payload.value().map_err(|error| not_json(&error))?,
                };
                return Ok(path.find(root).map(Subject::from));
            }
            Self::Id => &message.id,
            Self::Operation => message.operation.name(),
            Self::Database => &message.database,
            Self::Schema => &message.schema,
            Self::Table => &message.table,
            // A key that is not text equals no text.
            Self::Key => message
                .key
                .as_deref()
                .map_or("", |key| std::str::from_utf8(key).unwrap_or_default()),
            Self::Metadata(name) => message.metadata.get(name).map_or("", |value| value),
        };
        Ok((!text.is_empty()).then_some(Subject::Text(text)))
    }
}

fn not_json(error: &hermod_sdk::NotJson) -> TransformError {
    TransformError::new(error.to_string())
}

/// A dotted path into a payload. What the original writes in front of it is tolerated.
pub(in crate::graph) struct Path {
    whole: String,
    // Length of the prefix with its dot, and without it.
    prefix: Option<usize>,
}

impl Path {
    pub(in crate::graph) fn new(path: &str) -> Self {
        let prefixes = ["payload.", "after.", "source."];
        let found = prefixes.iter().find(|prefix| path.starts_with(**prefix));
        Self {
            whole: path.to_owned(),
            prefix: found.map(|prefix| prefix.len()),
        }
    }

    /// Returns what stands at the path. The prefix is left out unless the payload has a field of that name:
    /// then it is meant.
    pub(in crate::graph) fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        match self.prefix {
            Some(length) if root.get(&self.whole[..length - 1]).is_none() => {
                get_path(root, &self.whole).or_else(|| get_path(root, &self.whole[length..]))
            }
            _ => get_path(root, &self.whole),
        }
    }
}
