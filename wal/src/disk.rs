//! The few things a log asks of a disk, behind one small trait, so that a simulated disk and other ways of doing input and
//! output fit in.

mod native;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use native::Native;

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading an existing file.
    Read,
    /// Reading and writing an existing file.
    Write,
    /// Filling a new file with zeros: writes are aligned to 4 KiB and may bypass the page cache.
    Fill,
}

/// An entry of a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Name within the directory.
    pub name: String,
    /// Size of the file.
    pub bytes: u64,
}

/// Room of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Size of the file system.
    pub total_bytes: u64,
    /// Room that is left for this process.
    pub available_bytes: u64,
}

/// A lock on a directory, held until dropped.
pub trait Held: Send + Sync + Debug {}

/// A file system.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Makes a directory and its parents, durably. An existing one is fine.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Lists the files of a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;
    /// Locks a file, making it if it is missing. `None`: another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>>;
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>>;
    /// Renames a file within its directory; durable after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name in its directory; durable after `sync_dir`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Deletes a file; durable after `sync_dir`.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and deletions in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Room of the file system that holds `dir`.
    fn space(&self, dir: &Path) -> io::Result<Space>;
    /// A number that has not been used before, for the salt of a segment.
    fn entropy(&self) -> u64;
}

/// An open file.
pub trait File: Send + Sync + Debug {
    /// Reads at an offset; fewer bytes than asked mean the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes written data durable, with the metadata needed to read it (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Size of the file.
    fn bytes(&self) -> io::Result<u64>;
}

/// Whether an error says that there is no room, which is a state and not a failure (I8).
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
