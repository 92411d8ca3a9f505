//! Durations as people write them.

use std::time::Duration;

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration: numbers with their units, the larger unit first and none twice, such as `250ms`, `90s`,
/// `1m30s` or `1h 30m`.
///
/// Returns `None` for anything else, a number without a unit included.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut whole: Option<u64> = None;
    while !rest.is_empty() {
        let (digits, behind) = split(rest, |byte| byte.is_ascii_digit());
        let number: u64 = digits.parse().ok()?;
        let (unit, behind) = split(behind.trim_start(), |byte| byte.is_ascii_alphabetic());
        // Each unit is looked for behind the one before it.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        let part = number.checked_mul(*factor)?;
        whole = Some(whole.unwrap_or(0).checked_add(part)?);
        rest = behind.trim_start();
    }
    whole.map(Duration::from_millis)
}

fn split(text: &str, of: impl Fn(u8) -> bool) -> (&str, &str) {
    let length = text.bytes().take_while(|byte| of(*byte)).count();
    text.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_or_refused() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("2 m", 120_000),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1h30m", 5_400_000),
            ("2s500ms", 2_500),
            (" 1d 2h 3m 4s 5ms ", 93_784_005),
            ("1m0s", 60_000),
        ] {
            let found = parse_duration(text);
            assert_eq!(found, Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            " ",
            "5",
            "s",
            "1m30",
            "30s1m",
            "1m1m",
            "1s2ms3ms",
            "1.5s",
            "-1s",
            "1M",
            "1mx",
            "1µs",
            "1m,30s",
            "99999999999999999h",
            "213503982334d24h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
