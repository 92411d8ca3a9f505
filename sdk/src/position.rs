//! Where a source stands, opaque to everybody but the source.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A source's own, typed position.
pub trait TypedPosition: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Version of the encoding; a stored position with a higher one is refused.
    const VERSION: u16;

    /// Returns whether everything up to `other` is at or before this position.
    fn covers(&self, other: &Self) -> bool;
}

/// An encoded position: a generation, and a versioned JSON document that only its source reads.
///
/// The generation changes when a position is reset or the source's identity changes; positions of
/// different generations are never compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    generation: u64,
    body: Bytes,
}

/// A stored position cannot be used. It is never treated as "no position".
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// The bytes are not a position of this source.
    #[error("stored position `{body}` cannot be read")]
    Unreadable {
        /// What is stored, shortened.
        body: String,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// The position was written by a newer version.
    #[error("stored position has version `{found}`, this version reads up to `{supported}`")]
    Newer {
        /// Version that is stored.
        found: u16,
        /// Highest version that can be read.
        supported: u16,
    },
    /// The stored bytes are too short to hold a position.
    #[error("stored position is cut off after {length} bytes")]
    Short {
        /// How many bytes are stored.
        length: usize,
    },
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u16,
    at: &'a T,
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u16,
}

#[derive(Deserialize)]
struct Body<T> {
    at: T,
}

impl Position {
    /// Encodes a typed position.
    pub fn encode<T: TypedPosition>(generation: u64, at: &T) -> Self {
        let body = serde_json::to_vec(&Versioned { v: T::VERSION, at }).unwrap_or_default();
        Self {
            generation,
            body: Bytes::from(body),
        }
    }

    /// Returns the generation; only positions of one generation are comparable.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Decodes the typed position.
    ///
    /// # Errors
    /// [`PositionError`] if it is damaged or newer than this code; never a default.
    pub fn decode<T: TypedPosition>(&self) -> Result<T, PositionError> {
        let unreadable = |source| PositionError::Unreadable {
            body: String::from_utf8_lossy(&self.body)
                .chars()
                .take(120)
                .collect(),
            source,
        };
        let version: VersionOnly = serde_json::from_slice(&self.body).map_err(unreadable)?;
        if version.v > T::VERSION {
            return Err(PositionError::Newer {
                found: version.v,
                supported: T::VERSION,
            });
        }
        let body: Body<T> = serde_json::from_slice(&self.body).map_err(unreadable)?;
        Ok(body.at)
    }

    /// Returns whether this position covers `other`; false across generations.
    ///
    /// # Errors
    /// [`PositionError`] if one of the two cannot be read.
    pub fn covers<T: TypedPosition>(&self, other: &Self) -> Result<bool, PositionError> {
        if self.generation != other.generation {
            return Ok(false);
        }
        Ok(self.decode::<T>()?.covers(&other.decode::<T>()?))
    }

    /// Returns the bytes to store: the generation (u64, little endian), then the JSON document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.body.len());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads what [`Position::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`PositionError::Short`] if the bytes cannot hold a position.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, PositionError> {
        let Some((head, _)) = bytes.split_first_chunk::<8>() else {
            return Err(PositionError::Short {
                length: bytes.len(),
            });
        };
        Ok(Self {
            generation: u64::from_le_bytes(*head),
            body: bytes.slice(8..),
        })
    }

    /// Returns the JSON document, for showing to people.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Index(u64);

    impl TypedPosition for Index {
        const VERSION: u16 = 1;
        fn covers(&self, other: &Self) -> bool {
            self.0 >= other.0
        }
    }

    #[test]
    fn round_trip_and_order_within_a_generation() {
        let (low, high) = (
            Position::encode(1, &Index(3)),
            Position::encode(1, &Index(9)),
        );
        let back = Position::from_bytes(&Bytes::from(high.to_bytes())).unwrap();
        assert_eq!(back, high);
        assert!(high.covers::<Index>(&low).unwrap());
        assert!(!low.covers::<Index>(&high).unwrap());
        assert!(
            !Position::encode(2, &Index(9))
                .covers::<Index>(&low)
                .unwrap()
        );
    }

    #[test]
    fn damaged_and_newer_positions_are_errors_and_never_none() {
        let newer = Position {
            generation: 1,
            body: Bytes::from_static(br#"{"v":2,"at":{"x":1}}"#),
        };
        assert!(matches!(
            newer.decode::<Index>(),
            Err(PositionError::Newer {
                found: 2,
                supported: 1
            })
        ));
        let damaged = Position {
            generation: 1,
            body: Bytes::from_static(b"{\"v\":1,"),
        };
        assert!(matches!(
            damaged.decode::<Index>(),
            Err(PositionError::Unreadable { .. })
        ));
        assert!(Position::from_bytes(&Bytes::from_static(b"short")).is_err());
    }
}
