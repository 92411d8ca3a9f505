//! Exact comparison of decimal numbers by their text, whatever their size.

use std::cmp::Ordering;

/// A decimal number: `0.DIGITS × 10^point`, digits without zeros at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    // Where the decimal point stands before the first digit that is not zero; saturates.
    point: i128,
}

impl<'a> Decimal<'a> {
    /// Reads a number as JSON spells it, a leading plus sign and a bare point allowed.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0').as_bytes();
        let fraction = fraction.trim_end_matches('0').as_bytes();
        let leading = if whole.is_empty() {
            -(fraction.iter().take_while(|digit| **digit == b'0').count() as i128)
        } else {
            whole.len() as i128
        };
        Some(Self {
            negative,
            whole,
            fraction,
            point: leading.saturating_add(exponent),
        })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        let all = self.whole.iter().chain(self.fraction).copied();
        all.skip_while(|digit| *digit == b'0')
    }

    fn is_zero(&self) -> bool {
        self.digits().next().is_none()
    }

    /// Compares by value.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let (own, others) = (sign(self), sign(other));
        if own != others || own == 0 {
            return own.cmp(&others);
        }
        let size = self
            .point
            .cmp(&other.point)
            .then_with(|| digits_compare(self, other));
        if self.negative { size.reverse() } else { size }
    }
}

fn digits_compare(a: &Decimal<'_>, b: &Decimal<'_>) -> Ordering {
    let (mut a, mut b) = (a.digits(), b.digits());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            // Digits that are missing are zeros.
            (a, b) => match a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0')) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

fn exponent(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') {
        -i128::from(size)
    } else {
        i128::from(size)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(a: &str, b: &str) -> Ordering {
        Decimal::parse(a)
            .unwrap()
            .compare(&Decimal::parse(b).unwrap())
    }

    #[test]
    fn values_and_not_spellings_are_compared() {
        for (a, b) in [
            ("1", "1.0"),
            ("-0", "0"),
            ("0e5", "0.000"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("+7", "7"),
            ("9007199254740993", "9007199254740993.000"),
            (".5", "0.5"),
            ("10", "1e1"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} = {b}");
        }
        for (a, b) in [
            ("9007199254740992", "9007199254740993"),
            ("-2", "-1"),
            ("-1", "0"),
            ("0.09", "0.1"),
            ("9", "10"),
            ("1e999999999", "1e9999999999"),
            ("0.1", "0.10000000000000000000001"),
            ("1e-9999999999", "1e-999999999"),
            ("-5", "3"),
        ] {
            assert_eq!(compare(a, b), Ordering::Less, "{a} < {b}");
            assert_eq!(compare(b, a), Ordering::Greater, "{b} > {a}");
        }
        for text in ["", "-", ".", "1e", "1x", "0x10", "1.2.3", "NaN", "e5"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
        }

        #[test]
        fn moving_the_point_changes_nothing(a in any::<i32>(), shift in 0u32..6) {
            let shifted = format!("{a}{}e-{shift}", "0".repeat(shift as usize));
            prop_assert_eq!(compare(&shifted, &a.to_string()), Ordering::Equal);
        }
    }
}
