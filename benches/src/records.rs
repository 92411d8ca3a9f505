//! Records of 1 KiB that no file system or device can compress.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// Bytes of a record.
pub(crate) const RECORD_BYTES: usize = 1024;

/// How many different records there are: 256 KiB, within a core's second-level cache.
const COUNT: usize = 256;

/// Makes the records, the same in each run.
pub(crate) fn records() -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(1);
    let record = |_| {
        let mut bytes = vec![0; RECORD_BYTES];
        random.fill_bytes(&mut bytes);
        bytes
    };
    (0..COUNT).map(record).collect()
}
