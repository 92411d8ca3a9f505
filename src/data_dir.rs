//! The data directory: one process at a time, one format version.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hermod_api::Code;
use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

/// Version of the directory's layout that this code writes and reads.
const FORMAT: u32 = 1;

/// Name of the file that holds the lock and the holder's process id.
const LOCK: &str = "LOCK";

/// Name of the file that holds the layout's version.
const FORMAT_FILE: &str = "FORMAT";

/// A data directory that this process holds.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    // The lock ends with the file, however the process ends.
    _lock: File,
}

/// The data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// Another process holds it.
    #[error("data directory `{}` is in use by {holder}", .path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// Its layout is newer than this code.
    #[error("data directory `{}` has format {found}, this version reads up to {FORMAT}", .path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Version that was found.
        found: u32,
    },
    /// Something in it is not as it should be.
    #[error("data directory `{}` cannot be used: {action}: {source}", .path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What happened.
        source: io::Error,
    },
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        let code = match error {
            DataDirError::Locked { .. } => Code::DirectoryLocked,
            DataDirError::Newer { .. } => Code::DirectoryNewer,
            DataDirError::Unusable { .. } => Code::DirectoryUnusable,
        };
        Self::new(code, error)
    }
}

impl DataDir {
    /// Takes a directory for this process, and makes it if it does not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, DataDirError> {
        let at = |action| move |source| unusable(path, action, source);
        if !path.exists() {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(at("making it"))?;
        }
        Self::open(path)
    }

    /// Takes a directory that exists for this process.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let at = |action| move |source| unusable(path, action, source);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(at("opening LOCK"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder(&mut lock);
                return Err(DataDirError::Locked {
                    path: path.to_owned(),
                    holder,
                });
            }
            Err(errno) => return Err(at("locking LOCK")(errno.into())),
        }
        check_format(path)?;
        sign(&mut lock).map_err(at("writing LOCK"))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Returns the directory of the data log.
    pub(crate) fn log(&self) -> PathBuf {
        log_of(&self.path)
    }

    /// Returns the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns the directory of the data log within a data directory.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    path.join("log")
}

fn unusable(path: &Path, action: &'static str, source: io::Error) -> DataDirError {
    DataDirError::Unusable {
        path: path.to_owned(),
        action,
        source,
    }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// Checks the version of a directory that is only looked at; one without a version passes, a copy of a log for example.
pub(crate) fn check(path: &Path) -> Result<(), DataDirError> {
    read_format(path).map(drop)
}

/// Reads the version, or writes it where nothing is yet.
fn check_format(path: &Path) -> Result<(), DataDirError> {
    if read_format(path)? {
        return Ok(());
    }
    let at = |action| move |source| unusable(path, action, source);
    // The version is written before the log is made: a log without one was written by nobody knows what.
    if log_of(path).exists() {
        let source = io::Error::new(io::ErrorKind::NotFound, "it is missing beside a log");
        return Err(at("reading FORMAT")(source));
    }
    write_line(path, FORMAT_FILE, &FORMAT.to_string()).map_err(at("writing FORMAT"))
}

/// Reads the version, and returns whether there is one.
fn read_format(path: &Path) -> Result<bool, DataDirError> {
    let at = |action| move |source| unusable(path, action, source);
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found > FORMAT => Err(DataDirError::Newer {
                path: path.to_owned(),
                found,
            }),
            Ok(_) => Ok(true),
            Err(error) => {
                let source = io::Error::new(io::ErrorKind::InvalidData, error);
                Err(at("reading FORMAT")(source))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at("reading FORMAT")(error)),
    }
}

/// Writes a line into a file of the directory, so that a crash leaves either all of it or what was there before.
///
/// # Durability
/// The file and its name are synced when it returns.
pub(crate) fn write_line(directory: &Path, name: &str, line: &str) -> io::Result<()> {
    let fresh = directory.join(format!("{name}.new"));
    let mut out = File::create(&fresh)?;
    out.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(out, "{line}")?;
    out.sync_all()?;
    fs::rename(&fresh, directory.join(name))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_for_the_owner_alone_and_locked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/data");
        let held = DataDir::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let error = DataDir::open(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_newer_or_unreadable_format_is_refused_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(FORMAT_FILE);
        fs::write(&file, "2\n").unwrap();
        let error = DataDir::create(root.path()).unwrap_err();
        assert!(
            matches!(error, DataDirError::Newer { found: 2, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "2\n");
        fs::write(&file, "x").unwrap();
        let error = DataDir::create(root.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Unusable { .. }), "{error}");
    }

    #[test]
    fn a_log_without_a_format_is_refused_and_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        drop(DataDir::create(root.path()).unwrap());
        fs::create_dir(log_of(root.path())).unwrap();
        fs::remove_file(root.path().join(FORMAT_FILE)).unwrap();
        let error = DataDir::create(root.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Unusable { .. }), "{error}");
        assert!(!root.path().join(FORMAT_FILE).exists());
        check(root.path()).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_made_by_tools() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("missing");
        assert!(matches!(
            DataDir::open(&path),
            Err(DataDirError::Unusable { .. })
        ));
        assert!(!path.exists());
    }
}
