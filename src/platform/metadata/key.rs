//! The key that seals the secrets of a store (I10): made once, known to the store by its fingerprint, kept by each node.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_api::Code;
use hermod_sdk::Secret;
use hermod_storage::{
    Expect, Key, Kind, Object, Read, StoreKey, Transaction,
    channel::{Call, Handler, Topic},
    registry::{self, Entity},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Metadata;
use crate::{config::Config, failure::Failure};

/// Name of the key's file.
const FILE: &str = "store.key";

/// The setting that holds the fingerprint.
const SETTING: &str = ".store-key";

/// Between two looks for a store or a member that answers.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a member may take to give the key.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Finds the key: given, kept, fetched from another member, or made where the store has none yet.
pub(super) async fn obtain(
    metadata: &Metadata,
    config: &Config,
    directory: &Path,
    stop: &CancellationToken,
) -> Result<StoreKey, Failure> {
    let path = directory.join(FILE);
    let given = match &config.store_key {
        Some(text) => Some(given_key(text)?),
        None => StoreKey::load(&path).map_err(super::unusable)?,
    };
    loop {
        match attempt(metadata, given.clone(), &path).await {
            Ok(Some(key)) => {
                serve(metadata, &key);
                return Ok(key);
            }
            Ok(None) => {}
            Err(Attempt::Failed(failure)) => return Err(failure),
            Err(Attempt::Away(reason)) => {
                tracing::debug!(reason, "the store's key cannot be had yet");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => {
                return Err(Failure::new(Code::Store, "stopped before the store's key was there"));
            }
        }
    }
}

/// Reads the key that the configuration gives, or refers to.
fn given_key(text: &Secret) -> Result<StoreKey, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Configuration, format!("`store_key`: {error}"))
    };
    let text = text.resolve().map_err(|error| wrong(&error))?;
    StoreKey::from_text(&text).map_err(|error| wrong(&error))
}

enum Attempt {
    /// Worth another try.
    Away(String),
    Failed(Failure),
}

impl From<registry::Error> for Attempt {
    fn from(error: registry::Error) -> Self {
        match error {
            registry::Error::Damaged { .. } => {
                Self::Failed(Failure::new(Code::Store, error.to_string()))
            }
            error => Self::Away(error.to_string()),
        }
    }
}

async fn attempt(
    metadata: &Metadata,
    given: Option<StoreKey>,
    path: &Path,
) -> Result<Option<StoreKey>, Attempt> {
    let setting = Key::new(Kind::Setting, SETTING);
    let object = metadata.store.get(&setting, Read::Latest).await;
    let object = object.map_err(|error| Attempt::Away(error.to_string()))?;
    let known = object.as_ref().map(fingerprint).transpose()?;
    match (known, given) {
        (Some(known), Some(key)) if known == key.fingerprint() => Ok(Some(key)),
        (Some(known), Some(key)) => {
            let message = format!(
                "this node's key has the fingerprint {}, the store's secrets are sealed with {known}",
                key.fingerprint()
            );
            Err(Attempt::Failed(Failure::new(Code::StoreMismatch, message)))
        }
        (Some(known), None) => {
            let key = fetch(metadata, &known).await?;
            key.save(path)
                .map_err(|error| Attempt::Failed(super::unusable(error)))?;
            Ok(Some(key))
        }
        (None, given) => {
            // On disk before the store knows of it: nothing is ever sealed with a key that could be lost.
            let is_given = given.is_some();
            let key = match given {
                Some(key) => key,
                None => StoreKey::load_or_create(path)
                    .map_err(|error| Attempt::Failed(super::unusable(error)))?,
            };
            let document = json!({"fingerprint": key.fingerprint()}).to_string();
            let transaction = Transaction::new().put(setting, Expect::Absent, document);
            match metadata.registry.commit(transaction).await {
                Ok(_) => Ok(Some(key)),
                // Another member was faster. A key that was given or kept from before is compared with that one.
                Err(registry::Error::Conflict { .. }) if is_given => Ok(None),
                Err(registry::Error::Conflict { .. }) => {
                    // Nothing was sealed with the one that was made here just now.
                    std::fs::remove_file(path).map_err(|error| {
                        let message = format!("`{}`: {error}", path.display());
                        Attempt::Failed(Failure::new(Code::Store, message))
                    })?;
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// Reads which key the store's secrets are sealed with.
fn fingerprint(object: &Object) -> Result<String, Attempt> {
    let setting = Entity::read(object)?;
    let text = setting.text("fingerprint").map(str::to_owned);
    text.ok_or_else(|| {
        let message = "the store does not say which key its secrets are sealed with: its setting `.store-key` is damaged";
        Attempt::Failed(Failure::new(Code::Store, message))
    })
}

/// Asks the other members.
async fn fetch(metadata: &Metadata, known: &str) -> Result<StoreKey, Attempt> {
    let Some(raft) = &metadata.raft else {
        let message = "the store's secrets are sealed with a key that this node does not have; copy `store.key` from another node or set `store_key`";
        return Err(Attempt::Failed(Failure::new(Code::StoreMismatch, message)));
    };
    let status = raft.status();
    for member in status
        .members
        .iter()
        .filter(|member| member.id != status.id)
    {
        let call = Call {
            cluster: status.cluster,
            from: status.id,
            to: member.id,
            topic: Topic::StoreKey,
            body: Bytes::new(),
        };
        let answer = metadata
            .channel
            .call(&member.address, call, ASK_TIMEOUT)
            .await;
        let key = answer
            .ok()
            .and_then(|body| StoreKey::from_bytes(&body).ok());
        if let Some(key) = key.filter(|key| key.fingerprint() == known) {
            return Ok(key);
        }
    }
    Err(Attempt::Away("no member has given the key".to_owned()))
}

/// Gives the key to members that have none.
struct Giver(StoreKey);

#[async_trait]
impl Handler for Giver {
    async fn handle(&self, _: Call, _: Duration) -> Result<Bytes, String> {
        Ok(Bytes::copy_from_slice(self.0.expose()))
    }
}

fn serve(metadata: &Metadata, key: &StoreKey) {
    // With a shared database every node is given the key by a person.
    if let (Some(router), Some(_)) = (&metadata.router, &metadata.raft) {
        router.route(&[Topic::StoreKey], Arc::new(Giver(key.clone())));
    }
}
