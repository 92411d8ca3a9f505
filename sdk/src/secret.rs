//! Credentials that do not show.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// A credential: a literal, or a reference (`${env:NAME}`, `${file:PATH}`) that is resolved on open.
///
/// `Debug`, `Display` and `Serialize` print a redaction (I10). References are printed as they are, since
/// they are no secret.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

/// What is shown in place of a literal secret.
const REDACTION: &str = "[redacted]";

/// A secret's reference cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("secret refers to the environment variable `{name}`, which is not set")]
    MissingVariable {
        /// Name of the variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("secret refers to the file `{path}`, which cannot be read: {source}")]
    UnreadableFile {
        /// Path of the file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Secret {
    /// Makes a secret from a literal or a reference.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the credential itself. Call it in `open`, never in validation.
    ///
    /// # Errors
    /// [`SecretError`] if a reference cannot be resolved.
    pub fn resolve(&self) -> Result<String, SecretError> {
        if let Some(name) = reference(&self.0, "env") {
            return std::env::var(name).map_err(|_| SecretError::MissingVariable {
                name: name.to_owned(),
            });
        }
        if let Some(path) = reference(&self.0, "file") {
            return match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(source) => Err(SecretError::UnreadableFile {
                    path: path.to_owned(),
                    source,
                }),
            };
        }
        Ok(self.0.clone())
    }

    /// Returns whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> &str {
        let is_reference =
            reference(&self.0, "env").is_some() || reference(&self.0, "file").is_some();
        // I10: a literal never leaves through formatting or serialization.
        if is_reference || self.0.is_empty() {
            &self.0
        } else {
            REDACTION
        }
    }
}

fn reference<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    text.strip_prefix("${")?
        .strip_suffix('}')?
        .strip_prefix(scheme)?
        .strip_prefix(':')
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "writeOnly": true,
            "x-secret": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_a_literal_never_shows() {
        let secret = Secret::new("hunter2");
        let shown = format!(
            "{secret} {secret:?} {}",
            serde_json::to_string(&secret).unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.resolve().unwrap(), "hunter2");
    }

    #[test]
    fn references_are_resolved_and_shown() {
        let file = tempfile_with("from-file\n");
        let secret = Secret::new(format!("${{file:{file}}}"));
        assert_eq!(secret.resolve().unwrap(), "from-file");
        assert!(secret.to_string().contains(&file));
        let missing = Secret::new("${env:HERMOD_TEST_SURELY_UNSET}")
            .resolve()
            .unwrap_err();
        assert!(missing.to_string().contains("HERMOD_TEST_SURELY_UNSET"));
    }

    fn tempfile_with(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("hermod-secret-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
