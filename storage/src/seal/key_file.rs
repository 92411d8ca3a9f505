//! The file that keeps a store key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{MalformedKey, SealError, StoreKey, hex};

/// Bytes of a key file at most: a key, and the white space that an editor leaves.
const FILE_BYTES_MAX: u64 = 256;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("key file `{path}`: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("key file `{path}` is open to others (mode {mode:03o}); set it to 600")]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds no key.
    #[error("key file `{path}`: {source}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: MalformedKey,
    },
    /// It holds another key than the one to be kept.
    #[error("key file `{path}` holds the key `{found}`, not `{expected}`")]
    Other {
        /// Which file.
        path: PathBuf,
        /// The fingerprint of its key.
        found: String,
        /// The fingerprint of the key to be kept.
        expected: String,
    },
    /// No key can be made.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl StoreKey {
    /// Reads a key file; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, KeyFileError> {
        let failed = |source| KeyFileError::Io {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        // I10: a key that others could read is no secret, one that others could change is no key.
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(KeyFileError::OpenToOthers { path, mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let key = Self::from_text(&text).map_err(|source| KeyFileError::Malformed {
            path: path.to_owned(),
            source,
        })?;
        Ok(Some(key))
    }

    /// Reads a key file, and makes one with a random key where there is none.
    ///
    /// # Durability
    /// The file and its name are synced before it returns: nothing is sealed with a key that could be lost.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        let key = Self::generate()?;
        match key.write_new(path) {
            Ok(()) => Ok(key),
            // Another process was faster: its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or(KeyFileError::Io {
                    path: path.to_owned(),
                    source: error,
                })
            }
            Err(source) => Err(KeyFileError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Keeps this key in a file, durably, as [`load_or_create`](Self::load_or_create) does. A file with the same key is fine;
    /// one with another key is an error and stays.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        let source = match self.write_new(path) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if source.kind() == io::ErrorKind::AlreadyExists
            && let Some(found) = Self::load(path)?
        {
            if found == *self {
                return Ok(());
            }
            return Err(KeyFileError::Other {
                path: path.to_owned(),
                found: found.fingerprint(),
                expected: self.fingerprint(),
            });
        }
        let path = path.to_owned();
        Err(KeyFileError::Io { path, source })
    }

    /// Writes a file that appears as a whole or not at all, and never over another.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let written = self.write_part(&part).and_then(|()| {
            // A link is refused where the name is taken; a rename would replace it.
            fs::hard_link(&part, path)
        });
        let removed = fs::remove_file(&part);
        written.and(removed)?;
        File::open(directory)?.sync_all()
    }

    fn write_part(&self, part: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(part)?;
        let text = Zeroizing::new(hex(self.expose()) + "\n");
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}
