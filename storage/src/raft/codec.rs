//! How entries, snapshots and calls stand as bytes: a format number, then postcard.

use serde::{Serialize, de::DeserializeOwned};

/// The format that is written, and the newest that is read.
const FORMAT: u8 = 1;

/// Why bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("format {found} is newer than {FORMAT}: use a newer program")]
    Newer { found: u8 },
    #[error("there are no bytes")]
    Empty,
    #[error("{bytes} bytes too many")]
    Trailing { bytes: usize },
    #[error("malformed")]
    Malformed(#[from] postcard::Error),
}

/// Returns a value as bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_extend(value, vec![FORMAT])?)
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (&format, body) = bytes.split_first().ok_or(CodecError::Empty)?;
    if format != FORMAT {
        return Err(CodecError::Newer { found: format });
    }
    let (value, rest) = postcard::take_from_bytes(body)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(CodecError::Trailing { bytes: rest.len() })
    }
}
