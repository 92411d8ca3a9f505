//! One object on its way to the server.

use std::fmt;

use hermod_api::Code;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Arguments;
use crate::{
    bundle::Document,
    client::{self, Answer, Change, Client, Places},
    failure::Failure,
    output::short,
};

/// Members that the API adds, and that say nothing about what is to be.
const ADDED: [&str; 10] = [
    "etag",
    "created_at",
    "changed_at",
    "owner_id",
    "owner",
    "lease_until",
    "epoch",
    "status",
    "version",
    "active",
];

/// Longest value of a difference that is shown.
const SHOWN_CHARS: usize = 60;

/// What an object is, in the order in which objects are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Source,
    Sink,
    Workflow,
}

impl Kind {
    /// Returns the name of the API's list of them.
    pub(super) fn list(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Sink => "sinks",
            Self::Workflow => "workflows",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list().trim_end_matches('s'))
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    Updated,
    Unchanged,
}

impl Fate {
    pub(super) const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Unchanged];

    /// Returns it in a word.
    pub(super) fn word(self, dry_run: bool) -> &'static str {
        match (self, dry_run) {
            (Self::Created, false) => "created",
            (Self::Updated, false) => "updated",
            (Self::Created, true) => "would be created",
            (Self::Updated, true) => "would be updated",
            (Self::Unchanged, _) => "unchanged",
        }
    }
}

/// An object as a file has it.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) kind: Kind,
    pub(super) id: &'a str,
    pub(super) members: &'a Map<String, Value>,
    pub(super) document: &'a Document,
    /// Where in the file.
    pub(super) pointer: String,
}

/// What came of one object.
pub(super) struct Outcome {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) fate: Fate,
    pub(super) started: bool,
    pub(super) changes: Vec<Shown>,
    file: String,
}

impl Outcome {
    pub(super) fn to_json(&self) -> Value {
        let changes: Vec<_> = self.changes.iter().map(Shown::to_json).collect();
        json!({
            "file": self.file, "kind": self.kind.to_string(), "id": self.id,
            "result": self.fate.word(false), "started": self.started, "changes": changes,
        })
    }
}

/// Returns a document without what the API adds.
pub(super) fn plain(document: &Value) -> Map<String, Value> {
    let mut members = document.as_object().cloned().unwrap_or_default();
    for name in ADDED {
        members.remove(name);
    }
    members
}

impl Object<'_> {
    fn path(&self) -> [&str; 2] {
        [self.kind.list(), self.id]
    }

    /// Makes the server have it.
    pub(super) fn apply(&self, client: &Client, how: &Arguments) -> Result<Outcome, Failure> {
        let there = client.find(&self.path())?;
        let wanted = self.wanted(there.as_ref(), how.keep_secrets);
        let (fate, changes) = match &there {
            None => (Fate::Created, Vec::new()),
            Some(there) => {
                let changes = client::changes(&plain(&there.body), &wanted);
                if changes.is_empty() {
                    (Fate::Unchanged, changes)
                } else {
                    (Fate::Updated, changes)
                }
            }
        };
        let changes = Shown::all(self, client, &wanted, changes)?;
        let active = there
            .as_ref()
            .is_some_and(|there| there.body["active"] == true);
        let etag = there.and_then(|there| there.etag);
        let started = how.start && self.kind == Kind::Workflow && !active;
        if !how.dry_run {
            self.save(client, how, fate, etag, wanted)?;
            if started {
                client.post(&["workflows", self.id, "start"])?;
            }
        }
        Ok(Outcome {
            kind: self.kind,
            id: self.id.to_owned(),
            fate,
            started,
            changes,
            file: self.document.file.display().to_string(),
        })
    }

    fn save(
        &self,
        client: &Client,
        how: &Arguments,
        fate: Fate,
        etag: Option<String>,
        wanted: Map<String, Value>,
    ) -> Result<(), Failure> {
        let ask = match fate {
            Fate::Unchanged => return Ok(()),
            Fate::Created => client.ask(Method::POST, &[self.kind.list()]),
            // What somebody has saved since it was compared is not overwritten.
            Fate::Updated => client.ask(Method::PUT, &self.path()).if_match(etag),
        };
        let message = how
            .message
            .as_deref()
            .filter(|_| self.kind == Kind::Workflow);
        let sent = ask
            .query_if("message", message)
            .body(&Value::Object(wanted))
            .from(Places::at(self.document, self.pointer.clone()))
            .send();
        sent.map(drop).map_err(|failure| match failure.code {
            Code::Stale | Code::Conflict => failure
                .with_hint("somebody has changed it meanwhile; look at the difference with `--dry-run`, and apply again"),
            _ => failure,
        })
    }

    /// Returns the document to be sent.
    fn wanted(&self, there: Option<&Answer>, keep_secrets: bool) -> Map<String, Value> {
        let mut wanted = plain(&Value::Object(self.members.clone()));
        if self.kind == Kind::Workflow {
            return wanted;
        }
        wanted.entry("config").or_insert_with(|| json!({}));
        let old = there.map_or(&Value::Null, |there| &there.body["config"]);
        if let Some(Value::Object(config)) = wanted.get_mut("config") {
            // `null` removes what is there; where nothing is, it says nothing.
            config.retain(|name, value| !value.is_null() || old.get(name).is_some());
        }
        if keep_secrets && let Some(config) = wanted.get_mut("config") {
            keep_set(old, config);
        }
        wanted
    }
}

/// Puts what the API shows of a secret in place of whatever a file says.
fn keep_set(old: &Value, new: &mut Value) {
    match (old, new) {
        (old, new) if *old == json!({"$secret": "set"}) => *new = old.clone(),
        (Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                if let Some(old) = old.get(name) {
                    keep_set(old, new);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            old.iter()
                .zip(new)
                .for_each(|(old, new)| keep_set(old, new));
        }
        _ => {}
    }
}

/// A change as it may be shown.
pub(super) struct Shown {
    change: Change,
    /// Whether the new value is hidden.
    secret: bool,
}

impl Shown {
    /// Finds out which values are secrets, as the server's own connectors say (I10).
    fn all(
        object: &Object<'_>,
        client: &Client,
        wanted: &Map<String, Value>,
        changes: Vec<Change>,
    ) -> Result<Vec<Self>, Failure> {
        if object.kind == Kind::Workflow || changes.is_empty() {
            let open = |change| Self {
                change,
                secret: false,
            };
            return Ok(changes.into_iter().map(open).collect());
        }
        let kind = wanted
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let direction = object.kind.to_string();
        let connector = client.find(&["connectors", &direction, kind])?;
        let secrets = connector.map(|connector| {
            let config = wanted.get("config").unwrap_or(&Value::Null);
            hermod_api::secret_pointers(&connector.body["schema"], config)
        });
        let is_secret = |change: &Change| match (change.pointer.strip_prefix("/config"), &secrets) {
            (None, _) => false,
            // Of a connector that nobody knows, everything may be a secret.
            (Some(_), None) => true,
            (Some(at), Some(secrets)) => {
                let around = |outer: &str, inner: &str| {
                    let below = inner.strip_prefix(outer);
                    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
                };
                change.unknown
                    || secrets
                        .iter()
                        .any(|secret| around(secret, at) || around(at, secret))
            }
        };
        let shown = |change: Change| Self {
            secret: is_secret(&change),
            change,
        };
        Ok(changes.into_iter().map(shown).collect())
    }

    fn after(&self) -> Option<Value> {
        let after = self.change.after.as_ref()?;
        Some(if self.secret {
            "[secret]".into()
        } else {
            after.clone()
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "pointer": self.change.pointer, "before": self.change.before, "after": self.after(),
            "cannot_be_compared": self.change.unknown,
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = &self.change.pointer;
        let text = |value: &Value| short(&value.to_string(), SHOWN_CHARS);
        match (&self.change.before, self.after()) {
            _ if self.change.unknown => {
                write!(f, "~ {pointer}: a secret, which cannot be compared")
            }
            (Some(before), Some(after)) => {
                write!(f, "~ {pointer}: {} -> {}", text(before), text(&after))
            }
            (Some(before), None) => write!(f, "- {pointer}: {}", text(before)),
            (None, Some(after)) => write!(f, "+ {pointer}: {}", text(&after)),
            (None, None) => write!(f, "~ {pointer}"),
        }
    }
}
