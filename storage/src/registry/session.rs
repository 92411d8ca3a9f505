//! What people and programs show to be let in. Only hashes of it are kept.

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::{AccessRole, Audit, Error, Registry, SESSIONS_MAX, TOKENS_MAX, decode, encode};
use crate::{Expect, Key, Kind, Object, Read, Revision, Transaction};

/// A session of a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Since when, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was last used, to within some minutes, in milliseconds since 1970.
    pub seen_ms: u64,
    /// From where it was opened.
    pub address: String,
}

/// A token of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// For people.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// The most that it lets do; never more than its person may.
    pub role: AccessRole,
    /// SHA-256 of it, in hexadecimal digits.
    pub hash: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// The one token with which the first administrator is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupToken {
    /// SHA-256 of it, in hexadecimal digits.
    pub hash: String,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// The object that holds the setup token.
pub(super) fn setup() -> Key {
    Key::new(Kind::Setting, ".setup")
}

fn session(user: &str, hash: &str) -> Key {
    Key::new(Kind::Session, format!("{user}/{hash}"))
}

impl Registry {
    /// Returns the setup token.
    pub async fn setup_token(&self) -> Result<Option<SetupToken>, Error> {
        let object = self.store.get(&setup(), Read::Latest).await?;
        object.as_ref().map(decode).transpose()
    }

    /// Keeps a new setup token in place of one that has ended, or of any with `replace`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is one that has not ended; [`Error::SetUp`] if none is needed.
    pub async fn offer_setup(&self, token: &SetupToken, replace: bool) -> Result<Revision, Error> {
        if self.is_set_up().await? {
            return Err(Error::SetUp);
        }
        let present = self.store.get(&setup(), Read::Latest).await?;
        let expect = match &present {
            None => Expect::Absent,
            Some(object) => {
                let old: SetupToken = decode(object)?;
                if !replace && self.store.now_ms() < old.expires_ms {
                    return Err(Error::Conflict {
                        key: setup(),
                        found: Some(object.version),
                    });
                }
                Expect::Version(object.version)
            }
        };
        self.commit(Transaction::new().put(setup(), expect, encode(token)))
            .await
    }

    /// Opens a session, and ends those of the same person that are the oldest of too many.
    ///
    /// A journal that is full keeps nobody out: it is emptied by people who have to come in for that.
    pub async fn open_session(
        &self,
        user: &str,
        hash: &str,
        opened: &Session,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let mut sessions: Vec<(Object, Session)> = Vec::new();
        for object in self.sessions_of(user).await? {
            let read = decode(&object)?;
            sessions.push((object, read));
        }
        sessions.sort_by_key(|(_, session)| std::cmp::Reverse(session.seen_ms));
        let mut transaction =
            Transaction::new().put(session(user, hash), Expect::Absent, encode(opened));
        // I9: sessions of a person are bounded.
        for (object, _) in sessions.into_iter().skip(SESSIONS_MAX - 1) {
            transaction = transaction.delete(object.key, Expect::Any);
        }
        let entry = audit.draft(&Key::new(Kind::User, user));
        match self.commit(transaction.clone().record(entry)).await {
            Err(Error::Full { what }) => {
                tracing::error!(%what, user, "a login is not in the journal, which takes no more");
                self.commit(transaction).await
            }
            done => done,
        }
    }

    /// Returns a session, and the version of its object.
    pub async fn session(
        &self,
        user: &str,
        hash: &str,
    ) -> Result<Option<(Revision, Session)>, Error> {
        let object = self.object(&session(user, hash)).await?;
        let read = |object: Object| Ok((object.version, decode(&object)?));
        object.map(read).transpose()
    }

    /// Says when a session was last used. A session that was ended meanwhile stays ended.
    pub async fn touch_session(
        &self,
        user: &str,
        hash: &str,
        expect: Revision,
        touched: &Session,
    ) -> Result<Revision, Error> {
        let transaction = Transaction::new().put(
            session(user, hash),
            Expect::Version(expect),
            encode(touched),
        );
        self.commit(transaction).await
    }

    /// Ends one session.
    pub async fn close_session(
        &self,
        user: &str,
        hash: &str,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let transaction = Transaction::new()
            .delete(session(user, hash), Expect::Any)
            .record(audit.draft(&Key::new(Kind::User, user)));
        self.commit(transaction).await
    }

    /// Ends all sessions of a person.
    pub async fn close_sessions(&self, user: &str, audit: &Audit) -> Result<Revision, Error> {
        let entry = audit.draft(&Key::new(Kind::User, user));
        let transaction = Transaction::new().record(entry);
        let transaction = self.without_sessions(transaction, user, "").await?;
        self.commit(transaction).await
    }

    /// Adds the end of a person's sessions, but for the one with the hash `keep`.
    pub(super) async fn without_sessions(
        &self,
        mut transaction: Transaction,
        user: &str,
        keep: &str,
    ) -> Result<Transaction, Error> {
        let kept = session(user, keep);
        for object in self.sessions_of(user).await? {
            if object.key != kept {
                transaction = transaction.delete(object.key, Expect::Any);
            }
        }
        Ok(transaction)
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<Object>, Error> {
        self.below(Kind::Session, &format!("{user}/"), Read::Latest)
            .await
    }

    /// Keeps a token under an id.
    pub async fn add_token(
        &self,
        id: &str,
        token: &Token,
        audit: &Audit,
    ) -> Result<Revision, Error> {
        let tokens = self.tokens().await?;
        let own = tokens.iter().filter(|(_, other)| other.user == token.user);
        // I9: tokens of a person are bounded.
        if own.count() >= TOKENS_MAX {
            return Err(Error::Limit {
                what: "tokens of one person",
                limit: TOKENS_MAX,
            });
        }
        let key = Key::new(Kind::Token, id);
        let transaction = Transaction::new()
            .put(key.clone(), Expect::Absent, encode(token))
            .record(audit.draft(&key));
        self.commit(transaction).await
    }

    /// Returns a token, and the version of its object.
    pub async fn token(&self, id: &str) -> Result<Option<(Revision, Token)>, Error> {
        let object = self.object(&Key::new(Kind::Token, id)).await?;
        let read = |object: Object| Ok((object.version, decode(&object)?));
        object.map(read).transpose()
    }

    /// Returns all tokens with their ids.
    pub async fn tokens(&self) -> Result<Vec<(ByteString, Token)>, Error> {
        let objects = self.all(Kind::Token).await?;
        let read = |object: &Object| Ok((object.key.id.clone(), decode(object)?));
        objects.iter().map(read).collect()
    }

    /// Revokes a token.
    pub async fn delete_token(&self, id: &str, audit: &Audit) -> Result<Revision, Error> {
        let key = Key::new(Kind::Token, id);
        let transaction = Transaction::new()
            .delete(key.clone(), Expect::Present)
            .record(audit.draft(&key));
        match self.commit(transaction).await {
            Err(Error::Conflict { key, found: None }) => Err(Error::Missing(key)),
            done => done,
        }
    }
}
