//! Writing and reading the fields of durable records: little-endian numbers, length-prefixed bytes.

use bytes::Bytes;
use hermod_sdk::Text;

/// A durable record cannot be read. The log's checksum had passed, so this is a defect or a newer format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The record ends before a field does.
    #[error("record ends at byte {at}, in the middle of a field")]
    Short {
        /// Where reading stopped.
        at: usize,
    },
    /// A text field is not UTF-8.
    #[error("text at byte {at} is not UTF-8")]
    NotText {
        /// Where the text begins.
        at: usize,
    },
    /// A number stands for nothing that is known.
    #[error("`{value}` at byte {at} is not a known {what}")]
    Unknown {
        /// What the number should name.
        what: &'static str,
        /// The number.
        value: u64,
        /// Where it stands.
        at: usize,
    },
    /// The record was written by a newer version.
    #[error("{what} has format {found}, this version reads up to {supported}")]
    Newer {
        /// What the record is.
        what: &'static str,
        /// Format that was found.
        found: u8,
        /// Highest format that can be read.
        supported: u8,
    },
    /// Bytes are left over behind the last field.
    #[error("{left} bytes are left over at byte {at}")]
    LeftOver {
        /// Where the record should end.
        at: usize,
        /// How many bytes are left.
        left: usize,
    },
}

/// Appends `bytes` with its length (u32) in front.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads fields off the front of shared bytes without copying.
pub(crate) struct Fields<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let slice = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>());
        let array = *slice.ok_or(WireError::Short { at: self.at })?;
        self.at += N;
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, WireError> {
        let start = self.at;
        let length = self.u32()? as usize;
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(WireError::Short { at: start })?;
        let field = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(field)
    }

    pub(crate) fn text(&mut self) -> Result<Text, WireError> {
        let at = self.at;
        Text::try_from(self.bytes()?).map_err(|_| WireError::NotText { at })
    }

    /// Returns everything that is left.
    pub(crate) fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// Makes sure that nothing is left.
    pub(crate) fn end(self) -> Result<(), WireError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(WireError::LeftOver { at: self.at, left }),
        }
    }
}
