//! The checker: what a sink's file holds against what was acknowledged.

use serde::Serialize;

use super::message::{Messages, Name};

/// How many ids of each kind of fault a verdict lists.
const LISTED: usize = 20;

/// What the sender knows of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Messages 1 to this were sent, once or more often.
    pub(super) sent: u64,
    /// Messages 1 to this were acknowledged: a key's next one is sent only after the last was.
    pub(super) acknowledged: u64,
}

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Messages that are there, repeats not counted.
    pub delivered: u64,
    /// Acknowledged messages that are not there.
    pub lost: u64,
    /// The first of them.
    pub lost_ids: Vec<String>,
    /// Lines that repeat a message which is there already; allowed by at-least-once delivery.
    pub duplicated: u64,
    /// Messages whose first occurrence stands behind that of a later message of the same key.
    pub order_inversions: u64,
    /// The first of them.
    pub inverted_ids: Vec<String>,
    /// Lines that are no message that was sent, byte for byte.
    pub altered: u64,
}

/// Reads a sink's lines in order.
pub(super) struct Checker {
    messages: Messages,
    keys: Vec<Key>,
    missing: u64,
    so_far: Verdict,
}

struct Key {
    sent: Sent,
    seen: Vec<u64>,
    largest: u64,
}

impl Key {
    /// Marks a number as seen; returns whether it is new.
    fn see(&mut self, n: u64) -> bool {
        let (word, bit) = ((n / 64) as usize, 1 << (n % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    fn has(&self, n: u64) -> bool {
        self.seen
            .get((n / 64) as usize)
            .is_some_and(|word| word & (1 << (n % 64)) != 0)
    }
}

impl Checker {
    pub(super) fn new(messages: Messages, keys: &[Sent]) -> Self {
        let missing = keys.iter().map(|key| key.acknowledged).sum();
        let key = |sent: &Sent| Key {
            sent: *sent,
            seen: Vec::new(),
            largest: 0,
        };
        let keys = keys.iter().map(key).collect();
        Self {
            messages,
            keys,
            missing,
            so_far: Verdict::default(),
        }
    }

    /// Takes the next line, without its line break.
    pub(super) fn line(&mut self, line: &[u8]) {
        let known = self.messages.name(line).and_then(|name| {
            let key = self.keys.get_mut(name.key)?;
            (1..=key.sent.sent).contains(&name.n).then_some((name, key))
        });
        let Some((name, key)) = known else {
            self.so_far.altered += 1;
            return;
        };
        if !key.see(name.n) {
            self.so_far.duplicated += 1;
            return;
        }
        self.so_far.delivered += 1;
        self.missing -= u64::from(name.n <= key.sent.acknowledged);
        if name.n < key.largest {
            self.so_far.order_inversions += 1;
            if self.so_far.inverted_ids.len() < LISTED {
                self.so_far.inverted_ids.push(self.messages.id(name));
            }
        }
        key.largest = key.largest.max(name.n);
    }

    /// Returns how many acknowledged messages have not come yet.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Judges what has come.
    pub(super) fn verdict(mut self) -> Verdict {
        for (index, key) in self.keys.iter().enumerate() {
            for n in (1..=key.sent.acknowledged).filter(|n| !key.has(*n)) {
                self.so_far.lost += 1;
                if self.so_far.lost_ids.len() < LISTED {
                    self.so_far
                        .lost_ids
                        .push(self.messages.id(Name { key: index, n }));
                }
            }
        }
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Messages = Messages { run: 9 };

    fn judge(keys: &[Sent], lines: &[(usize, u64)]) -> Verdict {
        let mut checker = Checker::new(RUN, keys);
        for (key, n) in lines {
            checker.line(RUN.text(Name { key: *key, n: *n }).as_bytes());
        }
        let missing = checker.missing();
        let verdict = checker.verdict();
        assert_eq!(missing, verdict.lost);
        verdict
    }

    const TWO_KEYS: [Sent; 2] = [
        Sent {
            sent: 3,
            acknowledged: 3,
        },
        Sent {
            sent: 2,
            acknowledged: 1,
        },
    ];

    #[test]
    fn all_in_order_is_a_clean_verdict() {
        let verdict = judge(&TWO_KEYS, &[(0, 1), (1, 1), (0, 2), (0, 3)]);
        assert_eq!(
            verdict,
            Verdict {
                delivered: 4,
                ..Verdict::default()
            }
        );
    }

    #[test]
    fn a_planted_loss_is_found_and_named() {
        let verdict = judge(&TWO_KEYS, &[(0, 1), (0, 3), (1, 1)]);
        assert_eq!((verdict.lost, verdict.delivered), (1, 3));
        assert_eq!(verdict.lost_ids, [RUN.id(Name { key: 0, n: 2 })]);
    }

    #[test]
    fn a_message_that_was_sent_but_not_acknowledged_may_be_there_or_not() {
        assert_eq!(
            judge(&TWO_KEYS, &[(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]).lost,
            0
        );
        assert_eq!(judge(&TWO_KEYS, &[(0, 1), (0, 2), (0, 3), (1, 1)]).lost, 0);
    }

    #[test]
    fn a_planted_duplicate_is_counted_and_is_no_inversion() {
        let verdict = judge(&TWO_KEYS, &[(0, 1), (0, 2), (0, 3), (0, 2), (0, 3), (1, 1)]);
        assert_eq!((verdict.duplicated, verdict.delivered), (2, 4));
        assert_eq!((verdict.lost, verdict.order_inversions), (0, 0));
    }

    #[test]
    fn a_planted_inversion_is_found_and_keys_do_not_mix() {
        let verdict = judge(&TWO_KEYS, &[(0, 1), (0, 3), (1, 1), (0, 2)]);
        assert_eq!((verdict.order_inversions, verdict.lost), (1, 0));
        assert_eq!(verdict.inverted_ids, [RUN.id(Name { key: 0, n: 2 })]);
        assert_eq!(
            judge(&TWO_KEYS, &[(0, 1), (0, 2), (1, 1), (0, 3)]).order_inversions,
            0
        );
    }

    #[test]
    fn what_was_never_sent_or_is_changed_is_altered() {
        let mut checker = Checker::new(RUN, &TWO_KEYS);
        checker.line(RUN.text(Name { key: 1, n: 3 }).as_bytes());
        checker.line(RUN.text(Name { key: 2, n: 1 }).as_bytes());
        checker.line(RUN.text(Name { key: 0, n: 0 }).as_bytes());
        checker.line(b"{\"key\":0,\"n\":1}");
        checker.line(b"");
        let verdict = checker.verdict();
        assert_eq!(
            (verdict.altered, verdict.delivered, verdict.lost),
            (5, 0, 4)
        );
    }

    #[test]
    fn ids_are_listed_up_to_a_limit_and_all_are_counted() {
        let verdict = judge(
            &[Sent {
                sent: 100,
                acknowledged: 100,
            }],
            &[(0, 50)],
        );
        assert_eq!((verdict.lost, verdict.lost_ids.len()), (99, LISTED));
    }
}
