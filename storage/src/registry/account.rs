//! People.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Audit, Error, Registry, decode, encode, session};
use crate::{Expect, Key, Kind, Object, Read, Revision, Transaction};

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AccessRole {
    /// Looks.
    Viewer,
    /// Changes workflows, sources and sinks.
    Editor,
    /// Does everything.
    Administrator,
}

impl AccessRole {
    /// Every role, ordered by what it may do.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Administrator];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::Editor => "Editor",
            Self::Administrator => "Administrator",
        }
    }
}

impl fmt::Display for AccessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash of a password, as a PHC string. It does not show (I10).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a PHC string.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// Returns the PHC string, for the comparison with a password.
    pub fn phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A person. The id is the name with which they log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// With which they log in; lower case.
    pub username: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub full_name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// What they may do.
    pub role: AccessRole,
    /// Whether they may log in.
    #[serde(default)]
    pub disabled: bool,
    /// The hash of their password.
    pub password: PasswordHash,
    /// When they last changed it, in milliseconds since 1970.
    #[serde(default)]
    pub password_changed_ms: u64,
}

impl User {
    /// Returns whether they administer the platform.
    pub fn administers(&self) -> bool {
        self.role == AccessRole::Administrator && !self.disabled
    }
}

/// The object that is written whenever there is one administrator less, and with the first one.
pub(super) fn administrators() -> Key {
    Key::new(Kind::Setting, ".administrators")
}

impl Registry {
    /// Returns a person, and the version of their object.
    pub async fn user(&self, username: &str) -> Result<Option<(Revision, User)>, Error> {
        let object = self.object(&Key::new(Kind::User, username)).await?;
        object.as_ref().map(read).transpose()
    }

    /// Returns everybody, ordered by name.
    pub async fn users(&self) -> Result<Vec<(Object, User)>, Error> {
        let objects = self.all(Kind::User).await?;
        let read = |object: Object| {
            let user = decode(&object)?;
            Ok((object, user))
        };
        objects.into_iter().map(read).collect()
    }

    /// Returns whether there is a first administrator.
    pub async fn is_set_up(&self) -> Result<bool, Error> {
        Ok(self.object(&administrators()).await?.is_some())
    }

    /// Makes the first administrator. The setup token, if there is one, is used up.
    ///
    /// # Errors
    /// [`Error::SetUp`] if there was one before, however many try at once.
    pub async fn make_first_administrator(
        &self,
        user: &User,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::User, user.username.as_str());
        let transaction = Transaction::new()
            .put(administrators(), Expect::Absent, "{}")
            .put(key.clone(), Expect::Absent, encode(user))
            .delete(session::setup(), Expect::Any)
            .record(audit.draft(&key));
        match self.commit(transaction).await {
            Err(Error::Conflict { .. }) => Err(Error::SetUp),
            done => done,
        }
    }

    /// Adds a person.
    pub async fn add_user(&self, user: &User, audit: &Audit) -> Result<Revision, Error> {
        let key = Key::new(Kind::User, user.username.as_str());
        let transaction = Transaction::new()
            .put(key.clone(), Expect::Absent, encode(user))
            .record(audit.draft(&key));
        self.commit(transaction).await
    }

    /// Changes a person. The last administrator stays one.
    ///
    /// `keep` names the one session that stays; with `None` all stay, and with an empty text none.
    pub async fn save_user(
        &self,
        user: &User,
        expect: Revision,
        keep: Option<&str>,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::User, user.username.as_str());
        let mut transaction = Transaction::new()
            .put(key.clone(), Expect::Version(expect), encode(user))
            .record(audit.draft(&key));
        if !user.administers() {
            transaction = self.one_less(transaction, &user.username).await?;
        }
        if let Some(keep) = keep {
            transaction = self
                .without_sessions(transaction, &user.username, keep)
                .await?;
        }
        self.commit_user(&user.username, transaction).await
    }

    /// Removes a person with their sessions and tokens. The last administrator stays.
    pub async fn delete_user(
        &self,
        username: &str,
        expect: Revision,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let key = Key::new(Kind::User, username);
        let transaction = Transaction::new()
            .delete(key.clone(), Expect::Version(expect))
            .record(audit.draft(&key));
        let transaction = self.one_less(transaction, username).await?;
        let mut transaction = self.without_sessions(transaction, username, "").await?;
        for (id, token) in self.tokens().await? {
            if token.user == username {
                transaction = transaction.delete(Key::new(Kind::Token, id), Expect::Any);
            }
        }
        self.commit_user(username, transaction).await
    }

    /// Refuses that nobody administers the platform, also when two remove each other at once.
    async fn one_less(
        &self,
        transaction: Transaction,
        username: &str,
    ) -> Result<Transaction, Error> {
        let mark = self.store.get(&administrators(), Read::Latest).await?;
        let mut others = 0;
        let mut administers = false;
        for object in self.below(Kind::User, "", Read::Latest).await? {
            let user: User = decode(&object)?;
            if user.administers() {
                administers |= user.username == username;
                others += usize::from(user.username != username);
            }
        }
        if !administers {
            return Ok(transaction);
        }
        if others == 0 {
            let user = username.to_owned();
            return Err(Error::LastAdministrator { user });
        }
        let expect = mark.map_or(Expect::Absent, |object| Expect::Version(object.version));
        Ok(transaction.put(administrators(), expect, "{}"))
    }

    async fn commit_user(
        &self,
        username: &str,
        transaction: Transaction,
    ) -> Result<Revision, Error> {
        match self.commit(transaction).await {
            Err(Error::Conflict { key, .. }) if key.kind != Kind::User => {
                Err(Error::Contended(Key::new(Kind::User, username)))
            }
            done => done,
        }
    }
}

fn read(object: &Object) -> Result<(Revision, User), Error> {
    Ok((object.version, decode(object)?))
}
