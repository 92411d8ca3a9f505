//! Random texts that are shown to be let in. Only their hashes are kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

/// What every API token begins with, so that scanners of code find one that got there.
pub(crate) const API_TOKEN_PREFIX: &str = "hmd_";

/// Random bytes of a token: 256 bit, nothing to be guessed.
const BYTES: usize = 32;

/// Characters of a token.
const LENGTH: usize = 43;

/// Makes a token. Fails where the system has no random numbers, and then nobody is let in.
pub(crate) fn random() -> Result<String, rand::rngs::SysError> {
    let mut bytes = [0; BYTES];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns whether a text can be a token at all; what cannot is not looked up.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns what is kept of a token. It has 256 bit of chance, so no salt and no slowness are needed.
pub(crate) fn hash_of(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

/// Returns what a browser has to send besides a session's cookie: bound to the session, and of no use to find it.
pub(crate) fn csrf_of(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"hermod csrf\0");
    hash.update(token.as_bytes());
    hexadecimal(&hash.finalize())
}

/// Compares two texts in a time that says nothing about where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    // Hashes of the same length are compared; that their first difference shows says nothing about the texts.
    let difference = Sha256::digest(one.as_bytes())
        .iter()
        .zip(Sha256::digest(other.as_bytes()).iter())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    difference == 0
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_recognized() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert!(is_token(&one) && is_token(&other));
        assert!(!is_token(&one[1..]) && !is_token(&"*".repeat(LENGTH)));
        assert!(same(&one, &one.clone()) && !same(&one, &other));
        assert_ne!(hash_of(&one), csrf_of(&one));
        assert_eq!(hash_of("").len(), 64);
    }
}
