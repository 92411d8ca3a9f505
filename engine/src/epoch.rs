//! Epochs of ownership, without a store: a register of the data log.

use hermod_wal::Log;

use crate::{clock, keys};

/// Returns the latest epoch of a workflow, 0 if it never ran.
pub(crate) fn latest(log: &Log, workflow: &str) -> u64 {
    let value = log.register(&keys::epoch(workflow));
    value
        .and_then(|bytes| bytes.first_chunk::<8>().copied())
        .map_or(0, u64::from_le_bytes)
}

/// Returns the epoch for a new tenure: higher than the last one, and not below the clock, so that it
/// stays higher than epochs of a data directory that was lost.
pub(crate) fn next(latest: u64) -> u64 {
    // I5: epochs only grow.
    (latest + 1).max(clock::now_ms().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_an_epoch_is_higher_than_the_last_even_if_the_clock_went_back() {
        assert_eq!(next(u64::MAX - 1), u64::MAX);
        assert!(next(0) > 1_700_000_000_000);
    }
}
