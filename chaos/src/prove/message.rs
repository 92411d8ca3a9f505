//! The messages of a proof: their text follows from key and number, so that any change of it is found.

use serde::Deserialize;

/// Bytes that a message's text is filled up to.
const BYTES: usize = 200;

/// Makes and recognises the messages of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    /// Tells this run's messages from those of any other.
    pub(super) run: u64,
}

/// Which message a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) key: usize,
    /// Number within the key; the first is 1.
    pub(super) n: u64,
}

#[derive(Deserialize)]
struct Head {
    key: usize,
    n: u64,
}

impl Messages {
    pub(super) fn new(run: u64) -> Self {
        Self { run }
    }

    /// Returns the message's id, unique over all runs.
    pub(super) fn id(self, Name { key, n }: Name) -> String {
        format!("{:016x}-{key}-{n}", self.run)
    }

    /// Returns the message's text: one line of JSON without the line break.
    pub(super) fn text(self, name: Name) -> String {
        let Name { key, n } = name;
        let mut text = format!(r#"{{"key":{key},"n":{n},"id":"{}","fill":""#, self.id(name));
        // Digits that differ from message to message: a mix-up of bytes cannot pass for the right text.
        let mut digit = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.run;
        while text.len() < BYTES - 2 {
            digit = digit.rotate_left(5).wrapping_add(n);
            text.push(char::from(b'a' + (digit % 26) as u8));
        }
        text.push_str("\"}");
        text
    }

    /// Returns which message a line is; `None` if it is none of this run's, or not exactly as it was sent.
    pub(super) fn name(self, line: &[u8]) -> Option<Name> {
        let Head { key, n } = serde_json::from_slice(line).ok()?;
        let name = Name { key, n };
        (self.text(name).as_bytes() == line).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_recognised_and_any_changed_byte_is_not() {
        let messages = Messages::new(42);
        let name = Name { key: 3, n: 17 };
        let text = messages.text(name).into_bytes();
        assert_eq!(text.len(), BYTES);
        assert_eq!(messages.name(&text), Some(name));
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert_eq!(messages.name(&changed), None, "byte {at}");
        }
        assert_eq!(messages.name(&text[..text.len() - 1]), None);
        assert_eq!(Messages::new(43).name(&text), None);
    }
}
