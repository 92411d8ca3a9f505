//! What the control socket may ask of a node over a metadata store: who may open the data directory may ask.

use std::sync::Arc;

use hermod_api::{Code, SetupOffer};
use hermod_engine::Backlog;
use hermod_sdk::Secret;
use hermod_storage::{
    EntryDraft, Expect, Raft, Read, Transaction,
    registry::{self, Audit},
};
use serde_json::{Value, json};

use super::{
    core::{Core, hex},
    worker::barred_key,
};
use crate::failure::Failure;

/// What the control socket may ask beside dead letters.
pub(crate) struct Administration {
    core: Arc<Core>,
}

impl Administration {
    pub(super) fn of(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Makes the first administrator.
    pub(crate) async fn set_up(&self, user: &str, password: Secret) -> Result<Value, Failure> {
        let text = password
            .resolve()
            .map_err(|error| Failure::new(Code::Configuration, error))?;
        let made = hermod_api::make_first_administrator(self.core.registry(), user, &text).await;
        made.map_err(|error| Failure::new(Code::Configuration, error))?;
        Ok(json!({"user": user}))
    }

    /// Makes a new setup link.
    pub(crate) async fn renew_setup(&self) -> Result<Value, Failure> {
        let offer = hermod_api::offer_setup(self.core.registry(), true).await;
        match offer.map_err(|error| Failure::new(Code::Store, error))? {
            SetupOffer::Made { token } => Ok(json!({"token": token})),
            SetupOffer::Done => Err(Failure::new(
                Code::Configuration,
                "the platform has an administrator already",
            )),
            SetupOffer::Pending { until_ms } => Ok(json!({"until_ms": until_ms})),
        }
    }

    /// Describes the cluster.
    pub(crate) fn cluster(&self) -> Result<Value, Failure> {
        let raft = self.raft()?;
        let status = raft.status();
        let members: Vec<_> = status
            .members
            .iter()
            .map(|member| {
                json!({
                    "id": hex(member.id), "name": member.name, "address": member.address,
                    "voter": member.voter, "leader": member.leader,
                    "silent_ms": member.silent.map(|silent| silent.as_millis() as u64),
                    "matched": member.matched,
                })
            })
            .collect();
        Ok(json!({
            "cluster": hex(status.cluster), "node": self.core.name, "term": status.term,
            "applied": status.applied, "last_log": status.last_log, "snapshot": status.snapshot,
            "members": members,
        }))
    }

    /// Takes a member out.
    pub(crate) async fn remove(&self, name: &str) -> Result<Value, Failure> {
        let done = self.raft()?.remove(name).await;
        done.map_err(|error| Failure::new(Code::Store, error))?;
        self.cluster()
    }

    /// Hands leadership over.
    pub(crate) async fn transfer_leader(&self, to: Option<&str>) -> Result<Value, Failure> {
        let done = self.raft()?.transfer_leader(to).await;
        done.map_err(|error| Failure::new(Code::Store, error))?;
        self.cluster()
    }

    /// Lists the buffers on this node's disk that wait.
    pub(crate) async fn backlogs(&self) -> Result<Value, Failure> {
        let mut shown = Vec::new();
        for backlog in self.core.engine.backlogs() {
            if backlog.messages() == 0 && !backlog.is_set_aside() {
                continue;
            }
            let barred = self.is_barred(&backlog).await?;
            shown.push(json!({
                "workflow": backlog.workflow, "stream": backlog.stream,
                "messages": backlog.messages(), "set_aside": backlog.is_set_aside(), "barred": barred,
            }));
        }
        Ok(Value::Array(shown))
    }

    /// Drops a buffer that was set aside, with what waits in it.
    pub(crate) async fn discard_backlog(&self, stream: &str) -> Result<Value, Failure> {
        let backlog = self.set_aside(stream)?;
        let messages = backlog.messages();
        // The journal says it first: nothing is dropped that it does not know.
        let audit = Audit::of_node("backlog.discard")
            .with("workflow", backlog.workflow.as_str())
            .with("messages", messages);
        let entry = audit.draft_of("stream", stream);
        self.core.registry().record(entry).await.map_err(store)?;
        let dropped = self.core.engine.discard_stranded(&backlog.scope).await;
        dropped.map_err(|error| Failure::new(Code::Control, error))?;
        self.unbar(&backlog, None).await?;
        Ok(json!({"stream": stream, "messages": messages}))
    }

    /// Lets a buffer that was declared lost be drained after all.
    pub(crate) async fn release_backlog(&self, stream: &str) -> Result<Value, Failure> {
        let backlog = self.set_aside(stream)?;
        if !self.is_barred(&backlog).await? {
            let message = format!("`{stream}` was not declared lost: it is drained by itself");
            return Err(Failure::new(Code::NoSuchWorkflow, message));
        }
        let audit = Audit::of_node("backlog.release").with("workflow", backlog.workflow.as_str());
        let entry = audit.draft_of("stream", stream);
        self.unbar(&backlog, Some(entry)).await?;
        Ok(json!({"stream": stream, "messages": backlog.messages()}))
    }

    fn set_aside(&self, stream: &str) -> Result<Backlog, Failure> {
        let found = self.core.engine.backlogs().into_iter();
        let mut found = found.filter(|backlog| backlog.stream == stream);
        match found.next() {
            Some(backlog) if backlog.is_set_aside() => Ok(backlog),
            Some(backlog) => {
                let workflow = &backlog.workflow;
                let message = format!("`{stream}` is the buffer in use of workflow `{workflow}`");
                Err(Failure::new(Code::NoSuchWorkflow, message))
            }
            None => {
                let message = format!(
                    "there is no stream `{stream}` on this node; `hermod backlog list` has those that wait"
                );
                Err(Failure::new(Code::NoSuchWorkflow, message))
            }
        }
    }

    async fn is_barred(&self, backlog: &Backlog) -> Result<bool, Failure> {
        let key = barred_key(&backlog.workflow, &backlog.stream);
        let found = self.core.store().get(&key, Read::Latest).await;
        found
            .map(|object| object.is_some())
            .map_err(|error| Failure::new(Code::Store, error))
    }

    async fn unbar(&self, backlog: &Backlog, entry: Option<EntryDraft>) -> Result<(), Failure> {
        let key = barred_key(&backlog.workflow, &backlog.stream);
        let mut transaction = Transaction::new().delete(key, Expect::Any);
        transaction.entries.extend(entry);
        let done = self.core.registry().commit(transaction).await;
        done.map(drop).map_err(store)
    }

    fn raft(&self) -> Result<&Raft, Failure> {
        self.core.metadata.raft.as_deref().ok_or_else(|| {
            Failure::new(
                Code::Store,
                "the store of this node is a shared database; it has no members",
            )
        })
    }
}

fn store(error: registry::Error) -> Failure {
    Failure::new(Code::Store, error)
}
