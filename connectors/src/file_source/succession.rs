//! Which file comes next, and under which name a file is by now.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use hermod_sdk::{ConnectorError, ErrorKind};

use super::{
    FileSourceConfig,
    identity::{FIRST_LINE_BYTES, Identity, bytes_at, holds},
    position::FilePosition,
    record::line_end,
};
use crate::disk;

/// Where the files are.
pub(super) struct Place {
    directory: PathBuf,
    names: Names,
}

enum Names {
    One(String),
    Pattern(String),
}

/// A file in the directory.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
}

/// The file to go on with.
pub(super) struct Next {
    /// Name that the file is known by.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Place {
    pub(super) fn new(config: &FileSourceConfig) -> Self {
        let path = Path::new(&config.local_path);
        if let Some(pattern) = &config.pattern {
            return Self {
                directory: path.to_path_buf(),
                names: Names::Pattern(pattern.clone()),
            };
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Self {
            directory: disk::parent(path).to_path_buf(),
            names: Names::One(name.to_string_lossy().into_owned()),
        }
    }

    /// Checks that there is something to read.
    pub(super) fn probe(&self) -> Result<(), ConnectorError> {
        let path = match &self.names {
            Names::One(name) => self.path(name),
            Names::Pattern(_) => {
                return fs::read_dir(&self.directory)
                    .map(drop)
                    .map_err(|source| disk::error("list", &self.directory, source));
            }
        };
        let file = File::open(&path).map_err(|source| disk::error("read", &path, source))?;
        let metadata = file
            .metadata()
            .map_err(|source| disk::error("read", &path, source))?;
        if metadata.is_file() {
            return Ok(());
        }
        let message = format!("`{}` is not a regular file", path.display());
        Err(ConnectorError::new(ErrorKind::Unavailable, message))
    }

    /// Returns the path of a name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Returns what is read, for people.
    pub(super) fn shown(&self) -> String {
        match &self.names {
            Names::One(name) | Names::Pattern(name) => self.path(name).display().to_string(),
        }
    }

    /// Returns whether several files are read one after another.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.names, Names::Pattern(_))
    }

    /// Returns the first file, or the first one named after `name`.
    pub(super) fn first_after(&self, name: Option<&str>) -> Result<Option<Next>, ConnectorError> {
        let found = match &self.names {
            Names::One(one) => name.is_none().then(|| one.clone()),
            Names::Pattern(_) => self.first_name_after(name)?,
        };
        let Some(name) = found else {
            return Ok(None);
        };
        let path = self.path(&name);
        let there = Identity::at(&path).map_err(|source| disk::error("read", &path, source))?;
        Ok(there.map(|_| Next { name, path }))
    }

    fn first_name_after(&self, name: Option<&str>) -> Result<Option<String>, ConnectorError> {
        let later = |other: &String| name.is_none_or(|name| &**other > name);
        let names = self.entries(|other| self.fits(other))?;
        let names = names.into_iter().filter(|path| path.is_file());
        Ok(names.filter_map(|path| name_of(&path)).filter(later).min())
    }

    /// Returns the file of a position, if it is still there with all that was read of it.
    pub(super) fn find(&self, position: &FilePosition) -> Result<Option<PathBuf>, ConnectorError> {
        let usual = self.path(&position.file);
        let others = self.entries(|other| self.is_relative(&position.file, other))?;
        for path in std::iter::once(usual).chain(others) {
            let Some(candidate) = Candidate::at(path)? else {
                continue;
            };
            if candidate.identity.is_of(position) && candidate.holds(position)? {
                return Ok(Some(candidate.path));
            }
        }
        Ok(None)
    }

    /// Returns a copy of what a position's file held before it was emptied.
    pub(super) fn copy_of(
        &self,
        position: &FilePosition,
    ) -> Result<Option<PathBuf>, ConnectorError> {
        if position.offset == 0 {
            return Ok(None);
        }
        let mut copies = self.relatives(&position.file)?;
        copies.sort_by_key(|candidate| candidate.identity.age());
        for candidate in copies {
            if !candidate.identity.is_of(position)
                && !position.past.contains(&candidate.series()?)
                && candidate.holds(position)?
            {
                return Ok(Some(candidate.path));
            }
        }
        Ok(None)
    }

    /// Returns the oldest file that was rotated away from `name` after the file `before` was made.
    pub(super) fn rotated_after(
        &self,
        name: &str,
        before: &Identity,
        past: &[u64],
    ) -> Result<Option<PathBuf>, ConnectorError> {
        let mut later = self.relatives(name)?;
        later.retain(|candidate| {
            let (found, before) = (candidate.identity, *before);
            // The clock of births is coarse: two files may have the same.
            let not_older = if found.born_ns == 0 || before.born_ns == 0 {
                found.changed_ns >= before.changed_ns
            } else {
                found.born_ns >= before.born_ns
            };
            not_older && !found.is(&before)
        });
        later.sort_by_key(|candidate| candidate.identity.age());
        for candidate in later {
            if !past.contains(&candidate.series()?) {
                return Ok(Some(candidate.path));
            }
        }
        Ok(None)
    }

    /// Returns the files that were rotated away from `name`.
    fn relatives(&self, name: &str) -> Result<Vec<Candidate>, ConnectorError> {
        let mut relatives = Vec::new();
        for path in self.entries(|other| is_rotated(name, other))? {
            relatives.extend(Candidate::at(path)?);
        }
        Ok(relatives)
    }

    fn is_relative(&self, name: &str, other: &str) -> bool {
        is_rotated(name, other) || self.fits(other)
    }

    fn fits(&self, name: &str) -> bool {
        match &self.names {
            Names::One(_) => false,
            Names::Pattern(pattern) => fits(pattern.as_bytes(), name.as_bytes()),
        }
    }

    fn entries(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, ConnectorError> {
        let failed = |source| disk::error("list", &self.directory, source);
        let mut paths = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(paths),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_some_and(&wanted) {
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }
}

impl Candidate {
    fn at(path: PathBuf) -> Result<Option<Self>, ConnectorError> {
        let identity = Identity::at(&path).map_err(|source| disk::error("read", &path, source))?;
        Ok(identity.map(|identity| Self { path, identity }))
    }

    fn holds(&self, position: &FilePosition) -> Result<bool, ConnectorError> {
        self.look(false, |file| holds(file, position))
    }

    fn series(&self) -> Result<u64, ConnectorError> {
        self.look(0, |file| plain_series(file, &self.identity))
    }

    /// Opens the file for a look; `gone` if it is not there any more.
    fn look<T>(
        &self,
        gone: T,
        look: impl FnOnce(&File) -> io::Result<T>,
    ) -> Result<T, ConnectorError> {
        match File::open(&self.path).and_then(|file| look(&file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(gone),
            answer => answer.map_err(|source| disk::error("read", &self.path, source)),
        }
    }
}

/// Returns the series of a file that nothing was read of before.
pub(super) fn plain_series(file: &File, identity: &Identity) -> io::Result<u64> {
    let first = bytes_at(file, 0, FIRST_LINE_BYTES as u64)?;
    let length = line_end(&first).unwrap_or(first.len());
    Ok(identity.series(&first[..length]))
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// Returns whether `other` is a name that rotation gives to a file `name`: with a number or a time after the
/// name (`app.log.1`, `app.log-20260102`) or before its extension (`app-2026-01-02.log`).
fn is_rotated(name: &str, other: &str) -> bool {
    let is_mark = |mark: &str| {
        let fits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | ':' | 'T' | 'Z');
        mark.starts_with(['.', '-', '_'])
            && mark.contains(|c: char| c.is_ascii_digit())
            && mark.chars().all(fits)
    };
    if let Some(mark) = other.strip_prefix(name) {
        return is_mark(mark);
    }
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    other
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.'))
        .is_some_and(is_mark)
}

/// Returns whether a name fits a pattern of letters, `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else {
                    return false;
                };
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", ".log", true),
            ("*.log", "a.log.1", false),
            ("a?c*e", "abcde", true),
            ("a?c*e", "acde", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("", "", true),
        ] {
            let found = fits(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_rotation_gives_are_known() {
        for other in [
            "app.log.1",
            "app.log-20260102",
            "app.log.20260102T030405.678Z",
            "app-2026-01-02.log",
            "app.1.log",
        ] {
            assert!(is_rotated("app.log", other), "{other}");
        }
        for other in [
            "app.log",
            "app.log.gz",
            "app.log.1.gz",
            "app.log.bak",
            "app.log.torn-20260102T030405.678Z",
            "app.log1",
            "app-new.log",
            "apple.log",
        ] {
            assert!(!is_rotated("app.log", other), "{other}");
        }
    }
}
