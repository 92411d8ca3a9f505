//! The login of this user on this machine: `$XDG_CONFIG_HOME/hermod/client.toml`, for its owner alone.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hermod_api::Code;
use serde::{Deserialize, Serialize};

use super::{Hidden, Server, variable};
use crate::failure::Failure;

/// Whom one is logged in to, and with what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    /// Address of the server.
    pub(crate) server: String,
    /// Name of the person.
    pub(crate) user: String,
    /// Id of the token, with which it is revoked.
    pub(crate) token_id: String,
    /// The token.
    pub(crate) token: Hidden,
}

/// The same as it is written.
#[derive(Serialize)]
struct Written<'a> {
    server: &'a str,
    user: &'a str,
    token_id: &'a str,
    token: &'a str,
}

impl Account {
    /// Returns the file.
    pub(crate) fn path() -> Result<PathBuf, Failure> {
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        let base = base.ok_or_else(|| {
            let message =
                "neither XDG_CONFIG_HOME nor HOME names a directory for `hermod/client.toml`";
            Failure::new(Code::Configuration, message)
                .with_hint("set one of them, or HERMOD_SERVER and HERMOD_TOKEN, which need no file")
        })?;
        Ok(base.join("hermod").join("client.toml"))
    }

    /// Reads it; `None` where nobody is logged in.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        match Self::path() {
            Ok(path) => Self::read_from(&path),
            // Where there can be no file, there is none.
            Err(_) => Ok(None),
        }
    }

    /// Reads it if it is of this server.
    pub(crate) fn of(server: &Server) -> Result<Option<Self>, Failure> {
        // I10: a token is shown to nobody but the server that made it.
        let same =
            |account: &Self| Server::parse(&account.server).is_ok_and(|ours| ours == *server);
        Ok(Self::read()?.filter(same))
    }

    fn read_from(path: &Path) -> Result<Option<Self>, Failure> {
        let unusable = |message: String| {
            let message = format!("`{}` {message}", path.display());
            Failure::new(Code::Configuration, message)
                .with_hint("remove the file and run `hermod login` again")
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
        };
        let mode = fs::metadata(path).map(|about| about.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            return Err(unusable("can be read by others".to_owned()).with_hint(
                "revoke its token with `hermod token revoke`, remove the file, and run `hermod login` again",
            ));
        }
        // The parser's message quotes the text, which holds the token (I10).
        toml::from_str(&text)
            .map(Some)
            .map_err(|_| unusable("is not what `hermod login` writes".to_owned()))
    }

    /// Writes it so that nobody else can read it at any moment.
    pub(crate) fn write(&self) -> Result<PathBuf, Failure> {
        let path = Self::path()?;
        self.write_to(&path).map_err(|error| {
            let message = format!("`{}` cannot be written: {error}", path.display());
            Failure::new(Code::Configuration, message)
                .with_hint("make the directory writable, or use HERMOD_SERVER and HERMOD_TOKEN")
        })?;
        Ok(path)
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let written = Written {
            server: &self.server,
            user: &self.user,
            token_id: &self.token_id,
            token: self.token.reveal(),
        };
        let text = toml::to_string(&written).map_err(io::Error::other)?;
        let directory = path.parent().unwrap_or(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let fresh = directory.join(format!("client.toml.{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }

    /// Forgets it.
    pub(crate) fn forget() -> Result<(), Failure> {
        let path = Self::path()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("`{}` cannot be removed: {error}", path.display());
                Err(Failure::new(Code::Configuration, message).with_hint("remove it"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            server: "http://h".to_owned(),
            user: "ann".to_owned(),
            token_id: "1".to_owned(),
            token: Hidden::new("hmd_hunter2"),
        }
    }

    #[test]
    fn i10_it_is_for_its_owner_alone_and_refused_when_it_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/hermod/client.toml");
        assert!(Account::read_from(&path).unwrap().is_none());
        account().write_to(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let read = Account::read_from(&path).unwrap().unwrap();
        assert_eq!(read.token.reveal(), "hmd_hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let failure = Account::read_from(&path).unwrap_err();
        assert!(failure.message.contains("by others"), "{failure}");
    }

    #[test]
    fn i10_a_file_that_cannot_be_read_is_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.toml");
        account().write_to(&path).unwrap();
        fs::write(&path, "token = hmd_hunter2\n").unwrap();
        let failure = Account::read_from(&path).unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
    }
}
