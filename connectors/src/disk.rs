//! What the file connectors share: errors that name a path, and syncing of directories.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use hermod_sdk::{ConnectorError, ErrorKind};

/// Makes an error out of what the system says about a path.
pub(crate) fn error(action: &str, path: &Path, source: io::Error) -> ConnectorError {
    let kind = match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Auth,
        _ => ErrorKind::Unavailable,
    };
    ConnectorError::new(kind, format!("cannot {action} `{}`", path.display())).with_source(source)
}

/// Returns the directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), ConnectorError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| error("sync the directory", path, source))
}

/// Makes a directory and those above it, each of them durably.
pub(crate) fn create_directories(path: &Path) -> Result<(), ConnectorError> {
    let missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .map(Path::to_path_buf)
        .collect();
    for path in missing.iter().rev() {
        match fs::create_dir(path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error("make the directory", path, source));
            }
            _ => sync_directory(parent(path))?,
        }
    }
    Ok(())
}

/// Returns `path` with `suffix` appended to its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
