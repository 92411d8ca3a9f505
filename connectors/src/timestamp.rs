//! Times in file names.

use std::time::{SystemTime, UNIX_EPOCH};

/// Length of [`utc_basic`]'s text.
pub(crate) const LENGTH: usize = "20260102T030405.678Z".len();

/// Returns a time as `20260102T030405.678Z`: UTC, in ISO 8601's basic form, which sorts by time.
pub(crate) fn utc_basic(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, milliseconds) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{milliseconds:03}Z")
}

/// Returns whether `text` has the form of [`utc_basic`].
pub(crate) fn is_utc_basic(text: &str) -> bool {
    text.len() == LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'.',
            19 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// Turns days since 1970-01-01 into year, month and day.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_times_are_spelled_right() {
        for (seconds, text) in [
            (0, "19700101T000000.000Z"),
            (951_782_400, "20000229T000000.000Z"),
            (1_767_323_045, "20260102T030405.000Z"),
            (4_107_542_399, "21000228T235959.000Z"),
            (4_107_542_400, "21000301T000000.000Z"),
        ] {
            let spelled = utc_basic(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(spelled, text);
            assert!(is_utc_basic(&spelled));
        }
        assert!(!is_utc_basic("20260102T030405.678"));
        assert!(!is_utc_basic("torn-20260102T03040Z"));
    }
}
