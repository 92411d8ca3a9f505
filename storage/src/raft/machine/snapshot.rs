//! Snapshots on disk: a magic number, a checksum, and everything that is applied.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Held;
use crate::raft::{
    RaftError,
    codec::{self, CodecError},
    group::{SnapshotMeta, next_index},
};

const MAGIC: &[u8; 4] = b"HMSN";
const HEAD_BYTES: usize = 8;
const SUFFIX: &str = ".snapshot";
const UNFINISHED: &str = ".unfinished";
const DAMAGED: &str = ".damaged";
/// The newest, and one in case it turns out damaged while the log still reaches back to the other.
const KEPT: usize = 2;

/// Why a snapshot was not written or is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("it is cut short, or is no snapshot")]
    Header,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it does not say what it was announced as")]
    Other,
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl SnapshotError {
    /// Whether it goes away when there is room again.
    pub(crate) fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

/// The snapshots in a directory.
#[derive(Debug)]
pub(crate) struct Snapshots {
    dir: PathBuf,
    current: Mutex<Option<Current>>,
}

#[derive(Clone, Debug)]
struct Current {
    meta: SnapshotMeta,
    path: PathBuf,
}

impl Snapshots {
    /// Finds the newest snapshot that is sound, and sets damaged ones aside.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Option<Held>), RaftError> {
        let failed = |source| RaftError::Io {
            path: dir.into(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let mut paths = Vec::new();
        for file in fs::read_dir(dir).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            let name = path.to_string_lossy();
            if name.ends_with(UNFINISHED) {
                fs::remove_file(&path).map_err(failed)?;
            } else if name.ends_with(SUFFIX) {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        let mut found = None;
        for path in paths.into_iter().rev() {
            match read(&path).and_then(|bytes| parse(&bytes)) {
                Ok((meta, held)) => {
                    found = Some((Current { meta, path }, held));
                    break;
                }
                Err(SnapshotError::Io { path, source }) => {
                    return Err(RaftError::Io { path, source });
                }
                Err(SnapshotError::Codec(error @ CodecError::Newer { .. })) => {
                    return Err(RaftError::Malformed {
                        what: path.display().to_string(),
                        reason: error.to_string(),
                    });
                }
                // I6: named, kept for a look, never served.
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "a snapshot is damaged");
                    let mut aside = path.clone().into_os_string();
                    aside.push(DAMAGED);
                    fs::rename(&path, aside).map_err(failed)?;
                }
            }
        }
        let (current, held) = found.unzip();
        let snapshots = Self {
            dir: dir.into(),
            current: Mutex::new(current),
        };
        Ok((snapshots, held))
    }

    /// Writes a snapshot. When it returns, it is durable.
    pub(crate) fn build(&self, held: &Held) -> Result<(SnapshotMeta, Vec<u8>), SnapshotError> {
        let next = next_index(held.applied.as_ref());
        let meta = SnapshotMeta {
            last_log_id: held.applied,
            last_membership: held.membership.clone(),
            snapshot_id: format!("{next}-{:016x}", rand::random::<u64>()),
        };
        let bytes = compose(&meta, held)?;
        self.write(meta.clone(), &bytes)?;
        Ok((meta, bytes))
    }

    /// Checks and writes a snapshot that came from another node. When it returns, it is durable.
    pub(crate) fn install(&self, meta: &SnapshotMeta, bytes: &[u8]) -> Result<Held, SnapshotError> {
        let (found, held) = parse(bytes)?;
        let says = held.applied == meta.last_log_id && held.membership == meta.last_membership;
        if found != *meta || !says {
            return Err(SnapshotError::Other);
        }
        self.write(found, bytes)?;
        Ok(held)
    }

    /// Reads the newest.
    pub(crate) fn current(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, SnapshotError> {
        let Some(Current { meta, path }) = self.lock().clone() else {
            return Ok(None);
        };
        let bytes = read(&path)?;
        // I6: another node must never be given what is damaged here.
        checked(&bytes)?;
        Ok(Some((meta, bytes)))
    }

    fn write(&self, meta: SnapshotMeta, bytes: &[u8]) -> Result<(), SnapshotError> {
        // One at a time: a build may still be under way when another node's arrives.
        let mut current = self.lock();
        let next = next_index(meta.last_log_id.as_ref());
        let name = format!("{next:020}-{:016x}{SUFFIX}", rand::random::<u64>());
        let path = self.dir.join(&name);
        let unfinished = self.dir.join(format!("{name}{UNFINISHED}"));
        let io = |source| SnapshotError::Io {
            path: path.clone(),
            source,
        };
        let filled = File::create(&unfinished).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        if let Err(source) = filled {
            // I7: that file is never synced again. What it took of a full disk is given back.
            if let Err(error) = fs::remove_file(&unfinished) {
                tracing::warn!(path = %unfinished.display(), %error, "it was not removed");
            }
            return Err(io(source));
        }
        fs::rename(&unfinished, &path).map_err(io)?;
        sync_dir(&self.dir).map_err(io)?;
        if current
            .as_ref()
            .is_none_or(|current| current.meta.last_log_id <= meta.last_log_id)
        {
            *current = Some(Current { meta, path });
        }
        self.tidy();
        Ok(())
    }

    /// Removes all but the newest.
    fn tidy(&self) {
        let Ok(files) = fs::read_dir(&self.dir) else {
            return;
        };
        let mut paths: Vec<PathBuf> = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(SUFFIX))
            .collect();
        paths.sort_unstable();
        paths.truncate(paths.len().saturating_sub(KEPT));
        for path in paths {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old snapshot was not removed");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a renamed file's name durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    fs::read(path).map_err(|source| SnapshotError::Io {
        path: path.into(),
        source,
    })
}

fn compose(meta: &SnapshotMeta, held: &Held) -> Result<Vec<u8>, SnapshotError> {
    let body = codec::encode(&(meta, held))?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Returns the body of a file whose checksum is right.
fn checked(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    let (head, body) = bytes
        .split_at_checked(HEAD_BYTES)
        .ok_or(SnapshotError::Header)?;
    let (magic, sum) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(SnapshotError::Header);
    }
    if sum != crc32fast::hash(body).to_le_bytes() {
        return Err(SnapshotError::Checksum);
    }
    Ok(body)
}

fn parse(bytes: &[u8]) -> Result<(SnapshotMeta, Held), SnapshotError> {
    Ok(codec::decode(checked(bytes)?)?)
}
