//! Where the source stands in a sequence of files.

use std::sync::Arc;

use hermod_sdk::{Text, TypedPosition};
use serde::{Deserialize, Serialize};

/// How many files that were read before are remembered.
pub(super) const PAST_MAX: usize = 8;

/// A place between two records of a file, with what makes that file recognisable.
///
/// A name says little (rotation gives it to another file), an inode number says little (it is given again
/// once its file is gone), so that the file's birth and parts of its content are kept as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePosition {
    /// Name that the file is known by: the configured one, or one that fits the pattern. The file itself
    /// may have another name by now.
    pub file: Text,
    /// Device that the file is on; it tells files apart only where a file system knows no birth times.
    pub device: u64,
    /// Inode number of the file.
    pub inode: u64,
    /// When the file was made, in nanoseconds since 1970; 0 where the file system does not know.
    pub born_ns: u64,
    /// First part of the ids of the file's messages. A file that is emptied and written anew gets another
    /// one, a copy of it keeps it.
    pub series: u64,
    /// How many bytes of the file lie behind.
    pub offset: u64,
    /// CRC-32 of the first bytes that lie behind, at most 256.
    pub head: u32,
    /// CRC-32 of the last bytes that lie behind, at most 64.
    pub tail: u32,
    /// The series that were read to their end before, oldest first.
    #[serde(default)]
    pub past: Arc<[u64]>,
}

impl TypedPosition for FilePosition {
    const VERSION: u16 = 1;

    /// Offsets are compared within one series; a series that was read to its end before lies behind. All
    /// else is not covered: to read it again is safe.
    fn covers(&self, other: &Self) -> bool {
        if self.series == other.series {
            self.offset >= other.offset
        } else {
            self.past.contains(&other.series)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(series: u64, offset: u64, past: &[u64]) -> FilePosition {
        FilePosition {
            file: "f".into(),
            device: 1,
            inode: 2,
            born_ns: 3,
            series,
            offset,
            head: 0,
            tail: 0,
            past: past.into(),
        }
    }

    #[test]
    fn a_position_covers_what_lies_behind_and_nothing_it_does_not_know() {
        let here = at(3, 100, &[1, 2]);
        assert!(here.covers(&at(3, 100, &[])));
        assert!(here.covers(&at(2, 9999, &[1])));
        assert!(!here.covers(&at(3, 101, &[])));
        assert!(!here.covers(&at(4, 0, &[3])));
        assert!(!at(4, 50, &[]).covers(&at(3, 1, &[])));
    }
}
