//! Settings of a log.

use std::path::PathBuf;
use std::time::Duration;

use crate::disk::Disk;
use crate::format;

const MIB: u32 = 1 << 20;

/// When a batch counts as durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SyncPolicy {
    /// After the fdatasync of its group. The only policy that survives a power loss.
    #[default]
    Always,
    /// After its write; the file is synced at this interval. A power loss takes what was acknowledged
    /// since the last sync; the death of the process takes nothing.
    Interval(Duration),
    /// After its write; the operating system syncs when it likes, and segments are synced when full.
    Os,
}

/// Settings of a log; [`Options::new`] gives the defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Directory of the log. It is made if it is missing, and belongs to one open log at a time.
    pub dir: PathBuf,
    /// Size of a segment, 64 MiB. Lowered to 1/32 of the file system where that is less (but not below
    /// 1 MiB) and to 1/8 of the quota, rounded down to 4 KiB, and never below 64 KiB.
    pub segment_bytes: u32,
    /// Bytes that one write and sync cover at most, 1 MiB, unless one batch alone is larger.
    pub group_bytes_max: usize,
    /// Bytes appended but not yet durable, 16 MiB. Beyond it, appends answer `Busy`.
    pub pending_bytes_max: usize,
    /// Bytes of durable records kept in memory for readers right behind the writer, 16 MiB.
    pub tail_bytes_max: usize,
    /// Bytes that the log's files may take together; beyond it the log is full. `None`: the disk.
    pub quota_bytes: Option<u64>,
    /// Room that only [`reserved`](crate::Batch::reserved) batches may use, 16 MiB, kept as allocated files;
    /// rounded up to whole segments, but at most 1/16 of the file system and of the quota.
    pub reserve_bytes: u64,
    /// When a batch counts as durable.
    pub sync: SyncPolicy,
    /// Recycled files kept ready at most, 4; those beyond are deleted.
    pub spare_segments: usize,
}

impl Options {
    /// The defaults for a log in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 * MIB,
            group_bytes_max: MIB as usize,
            pending_bytes_max: 16 * MIB as usize,
            tail_bytes_max: 16 * MIB as usize,
            quota_bytes: None,
            reserve_bytes: 16 * u64::from(MIB),
            sync: SyncPolicy::Always,
            spare_segments: 4,
        }
    }

    /// Size of a segment on this disk.
    pub(crate) fn effective_segment_bytes(&self, disk: &dyn Disk) -> u32 {
        let by_space = match disk.space(&self.dir) {
            Ok(space) => u32::try_from(space.total_bytes / 32)
                .unwrap_or(u32::MAX)
                .max(MIB),
            Err(_) => u32::MAX,
        };
        // A quota has to hold several: one to write on, one that waits to be reclaimed, and the reserve.
        let by_quota = self.quota_bytes.map_or(u32::MAX, |quota| {
            u32::try_from(quota / 8).unwrap_or(u32::MAX)
        });
        let bytes = self.segment_bytes.min(by_space).min(by_quota);
        let bytes = bytes.clamp(64 << 10, 1 << 31);
        bytes - bytes % format::PAGE
    }

    /// Size and number of the files that hold the reserve. They are segments, but not larger than needed; at most 1/16 of
    /// the file system, and of the quota, together, unless a segment is larger.
    pub(crate) fn reserve_files(&self, disk: &dyn Disk, segment_bytes: u32) -> (u32, usize) {
        let cap = disk
            .space(&self.dir)
            .map_or(u64::MAX, |space| space.total_bytes / 16)
            .min(self.quota_bytes.map_or(u64::MAX, |quota| quota / 16));
        let bytes = self.reserve_bytes.min(cap.max(u64::from(segment_bytes)));
        // The table must fit with room to spare: it takes at most 1/8 of a segment.
        let least = u64::from(segment_bytes / 4);
        let file = bytes.clamp(least, u64::from(segment_bytes)) as u32;
        let file = file.next_multiple_of(format::PAGE).min(segment_bytes);
        (file, bytes.div_ceil(u64::from(file)) as usize)
    }
}
