//! Secrets at rest (I10): sealed with one key per store, bound to the object that they belong to.
//!
//! A sealed secret is a text: `v1:` and, in base64, 8 bytes that name the key, 8 bytes that name the context, a random
//! nonce of 24 bytes, and what XChaCha20-Poly1305 made of the secret. The names come from SHA-256; they serve clear errors
//! and are authenticated together with the whole context. In a JSON document a sealed value is `{"$sealed": "v1:…"}`.
//!
//! Source: XChaCha20-Poly1305, <https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha>. With a random nonce of 192
//! bits no counter has to be kept, by several nodes at that.

mod key_file;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::{TryRng, rngs::SysRng};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

pub use self::key_file::KeyFileError;

/// Bytes of a store key.
const KEY_BYTES: usize = 32;
const NAME_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
/// Bytes before what is encrypted.
const HEAD_BYTES: usize = 2 * NAME_BYTES + NONCE_BYTES;

/// What every sealed text begins with.
const VERSION: &str = "v1:";

/// The one field of a sealed value in JSON.
const SEALED: &str = "$sealed";

/// JSON is not looked into deeper than this; what is parsed is never deeper.
const DEPTH_MAX: usize = 128;

/// The key of a store. It shows itself nowhere but where it is asked for by name.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; KEY_BYTES]>);

/// A text is no store key. It says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store key is 32 bytes, written as 64 hexadecimal digits or in base64")]
pub struct MalformedKey;

/// Why something was not sealed or opened. It says nothing of the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no sealed text, or a newer version has sealed it.
    #[error("is not a sealed text of version 1")]
    Malformed,
    /// Another key has sealed it.
    #[error("was sealed with the store key `{found}`, this store has `{expected}`")]
    OtherKey {
        /// The beginning of the other key's fingerprint.
        found: String,
        /// The beginning of this key's fingerprint.
        expected: String,
    },
    /// It belongs to another object.
    #[error("was sealed for another object than `{context}`")]
    OtherContext {
        /// What it was opened for.
        context: String,
    },
    /// It is not what was sealed.
    #[error("is damaged")]
    Damaged,
    /// The operating system gives no random numbers.
    #[error("no random numbers can be had")]
    NoRandomness,
    /// JSON is nested too deeply.
    #[error("is nested too deeply")]
    TooDeep,
    /// A value inside a document is one of the above.
    #[error("value at `{pointer}` {source}")]
    At {
        /// Where, as a JSON pointer.
        pointer: String,
        /// Why.
        source: Box<SealError>,
    },
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // I10: only what may stand in a log.
        f.debug_tuple("StoreKey")
            .field(&self.fingerprint())
            .finish()
    }
}

impl PartialEq for StoreKey {
    /// Compares fingerprints, so that the time that it takes says nothing of the keys.
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for StoreKey {}

impl StoreKey {
    /// Makes a random key.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Makes a key of its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedKey> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| MalformedKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// Reads a key from a text, as it stands in the environment or in a file: hexadecimal or base64.
    pub fn from_text(text: &str) -> Result<Self, MalformedKey> {
        let text = text.trim();
        let mut bytes = if text.len() == 2 * KEY_BYTES {
            from_hex(text).ok_or(MalformedKey)?
        } else {
            BASE64.decode(text).map_err(|_| MalformedKey)?
        };
        let key = Self::from_bytes(&bytes);
        bytes.zeroize();
        key
    }

    /// Returns the bytes, for a member of the cluster that has none.
    pub fn expose(&self) -> &[u8] {
        &*self.0
    }

    /// Returns what names the key and says nothing of it: 32 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(&digest("hermod store key", &*self.0)[..16])
    }

    /// Seals a secret for an object; `context` says which, and must be the same when it is opened.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<String, SealError> {
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plain.len() + 16);
        sealed.extend(self.name());
        sealed.extend(context_name(context));
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce)?;
        sealed.extend(nonce);
        let aad = additional(&sealed[..2 * NAME_BYTES], context);
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let encrypted = self.cipher().encrypt(&XNonce::from(nonce), payload);
        // The cipher takes up to 256 GiB, far more than a document.
        sealed.extend(encrypted.map_err(|_| SealError::Malformed)?);
        Ok(format!("{VERSION}{}", BASE64.encode(sealed)))
    }

    /// Opens what was sealed for the same object.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let text = sealed.strip_prefix(VERSION).ok_or(SealError::Malformed)?;
        let sealed = BASE64.decode(text).map_err(|_| SealError::Malformed)?;
        if sealed.len() < HEAD_BYTES {
            return Err(SealError::Malformed);
        }
        let (names, rest) = sealed.split_at(2 * NAME_BYTES);
        let (key, subject) = names.split_at(NAME_BYTES);
        if key != self.name() {
            return Err(SealError::OtherKey {
                found: hex(key),
                expected: hex(&self.name()),
            });
        }
        if subject != context_name(context) {
            let context = context.to_owned();
            return Err(SealError::OtherContext { context });
        }
        let (nonce, encrypted) = rest.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Malformed)?;
        let aad = additional(names, context);
        let payload = Payload {
            msg: encrypted,
            aad: &aad,
        };
        let plain = self.cipher().decrypt(&XNonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| SealError::Damaged)
    }

    /// Seals the values at these JSON pointers, and returns how many. A step `*` stands for every field or item.
    ///
    /// What is not there, `null` or sealed already stays as it is. Any value can be sealed, not only text. On an error the
    /// document is not to be kept: a part of it may not be sealed.
    pub fn seal_at<P: AsRef<str>>(
        &self,
        document: &mut Value,
        pointers: impl IntoIterator<Item = P>,
        context: &str,
    ) -> Result<usize, SealError> {
        let mut sealed = 0;
        for pointer in pointers {
            let pointer = pointer.as_ref();
            let steps: Vec<_> = pointer.split('/').skip(1).map(unescape).collect();
            sealed += self
                .seal_below(document, &steps, context)
                .map_err(|error| at(pointer.to_owned(), error))?;
        }
        Ok(sealed)
    }

    fn seal_below(
        &self,
        value: &mut Value,
        steps: &[String],
        context: &str,
    ) -> Result<usize, SealError> {
        let Some((step, rest)) = steps.split_first() else {
            if value.is_null() || sealed_text(value).is_some() {
                return Ok(0);
            }
            let plain = Zeroizing::new(value.to_string());
            let text = self.seal(context, plain.as_bytes())?;
            *value = Value::Object(Map::from_iter([(SEALED.to_owned(), text.into())]));
            return Ok(1);
        };
        let children: Vec<&mut Value> = match value {
            Value::Object(fields) if step == "*" => fields.values_mut().collect(),
            Value::Object(fields) => fields.get_mut(step).into_iter().collect(),
            Value::Array(items) if step == "*" => items.iter_mut().collect(),
            Value::Array(items) => {
                let index = step.parse().unwrap_or(usize::MAX);
                items.get_mut(index).into_iter().collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        let sealed = children
            .into_iter()
            .map(|child| self.seal_below(child, rest, context));
        sealed.sum()
    }

    /// Opens every sealed value in a document, and returns how many.
    ///
    /// On an error the document is not to be shown: a part of it is open.
    pub fn unseal_all(&self, document: &mut Value, context: &str) -> Result<usize, SealError> {
        self.unseal_below(document, context, &mut String::new(), 0)
    }

    fn unseal_below(
        &self,
        value: &mut Value,
        context: &str,
        pointer: &mut String,
        depth: usize,
    ) -> Result<usize, SealError> {
        if depth > DEPTH_MAX {
            return Err(at(pointer.clone(), SealError::TooDeep));
        }
        if let Some(text) = sealed_text(value) {
            let opened = self.open(context, text).and_then(|plain| {
                // What opens was JSON when it was sealed.
                serde_json::from_slice(&plain).map_err(|_| SealError::Damaged)
            });
            *value = opened.map_err(|error| at(pointer.clone(), error))?;
            return Ok(1);
        }
        let children: Vec<(String, &mut Value)> = match value {
            Value::Object(fields) => fields
                .iter_mut()
                .map(|(name, child)| (name.replace('~', "~0").replace('/', "~1"), child))
                .collect(),
            Value::Array(items) => items
                .iter_mut()
                .enumerate()
                .map(|(index, child)| (index.to_string(), child))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        let mut opened = 0;
        for (step, child) in children {
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&step);
            opened += self.unseal_below(child, context, pointer, depth + 1)?;
            pointer.truncate(length);
        }
        Ok(opened)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }

    /// Names the key inside a sealed text: the beginning of its fingerprint.
    fn name(&self) -> [u8; NAME_BYTES] {
        beginning(&digest("hermod store key", &*self.0))
    }
}

/// Returns the sealed text of a value that is one.
pub fn sealed_text(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(SEALED)?.as_str()
}

fn at(pointer: String, error: SealError) -> SealError {
    SealError::At {
        pointer,
        source: Box::new(error),
    }
}

/// Returns what is authenticated beside the secret.
fn additional(names: &[u8], context: &str) -> Vec<u8> {
    [VERSION.as_bytes(), names, context.as_bytes()].concat()
}

fn context_name(context: &str) -> [u8; NAME_BYTES] {
    beginning(&digest("hermod sealed for", context.as_bytes()))
}

/// Hashes for one purpose; the purposes are of different texts and none is the beginning of another.
fn digest(purpose: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update([0]);
    hash.update(bytes);
    hash.finalize().into()
}

fn beginning(digest: &[u8; 32]) -> [u8; NAME_BYTES] {
    std::array::from_fn(|at| digest[at])
}

fn fill(bytes: &mut [u8]) -> Result<(), SealError> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|_| SealError::NoRandomness)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let bytes = text.as_bytes().chunks(2).map(|pair| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
    });
    bytes.collect()
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests;
