//! Questions about a node's own data, asked of every node and put together: a silent node is named, never counted as
//! nothing.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hermod_api::platform::{
    Changed, DeadLetter, DeadLetterQuery, Error, ErrorKind, Selection, WorkflowStatus,
};
use hermod_storage::channel::{Call, CallError, Handler, Topic};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    core::Core,
    dead_letters, members,
    peers::{self, Peer, QUESTION_TIMEOUT},
    worker,
};

/// What a node is asked about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// The cluster, as the node sees it.
    Cluster,
    /// How a workflow is that runs there.
    Status { workflow: String },
    /// Dead letters on its disk.
    DeadLetters {
        workflow: String,
        query: DeadLetterQuery,
    },
    /// One of them.
    DeadLetter { workflow: String, seq: u64 },
    /// Put some back.
    Replay { workflow: String, which: Selection },
    /// Drop some.
    Discard { workflow: String, which: Selection },
}

/// A node's page of dead letters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<DeadLetter>,
    pub(super) total: u64,
}

/// Why a node has no answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Refusal {
    kind: String,
    message: String,
}

/// Answers questions about this node.
pub(super) struct Answerer {
    pub(super) core: Arc<Core>,
    pub(super) worker: Option<worker::Handle>,
}

impl Answerer {
    /// Answers a question.
    pub(super) async fn answer(&self, question: Question) -> Result<serde_json::Value, Error> {
        let core = &self.core;
        match question {
            Question::Cluster => json(&members::as_seen_here(core).await),
            Question::Status { workflow } => json(&self.status(&workflow)),
            Question::DeadLetters { workflow, query } => {
                json(&dead_letters::list(core, &workflow, &query)?)
            }
            Question::DeadLetter { workflow, seq } => {
                json(&dead_letters::show(core, &workflow, seq)?)
            }
            Question::Replay { workflow, which } => {
                json(&dead_letters::replay(core, &workflow, &which).await?)
            }
            Question::Discard { workflow, which } => {
                json(&dead_letters::discard(core, &workflow, &which).await?)
            }
        }
    }

    /// Returns a workflow's status, if it runs here.
    pub(super) fn status(&self, workflow: &str) -> Option<WorkflowStatus> {
        let worker = self.worker.as_ref()?;
        let statuses = worker.statuses().into_iter();
        statuses
            .into_iter()
            .find(|status| status.workflow == workflow)
    }
}

#[async_trait]
impl Handler for Answerer {
    async fn handle(&self, call: Call, _: Duration) -> Result<Bytes, String> {
        let question = serde_json::from_slice(&call.body)
            .map_err(|error| format!("the question is not readable: {error}"))?;
        let answer: Result<_, Refusal> = self.answer(question).await.map_err(|error| Refusal {
            kind: format!("{:?}", error.kind).to_lowercase(),
            message: error.message,
        });
        serde_json::to_vec(&answer)
            .map(Bytes::from)
            .map_err(|error| error.to_string())
    }
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value)
        .map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))
}

/// Asks another node.
pub(super) async fn ask<T: DeserializeOwned>(
    core: &Core,
    peer: &Peer,
    question: &Question,
) -> Result<T, Error> {
    let body = serde_json::to_vec(question)
        .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
    let call = peers::call(core, peer, Topic::Question, body.into());
    let channel = &core.metadata.channel;
    let answer = channel.call(&peer.address, call, QUESTION_TIMEOUT).await;
    let body = answer.map_err(|error| {
        let kind = match error {
            CallError::Unknown { .. } => ErrorKind::Unknown,
            CallError::Unreachable { .. } | CallError::Refused { .. } => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("node `{}` does not answer", peer.name))
    })?;
    let unreadable = |error: serde_json::Error| {
        let message = format!(
            "the answer of node `{}` is not readable: {error}",
            peer.name
        );
        Error::new(ErrorKind::Unavailable, message)
    };
    let answer: Result<serde_json::Value, Refusal> =
        serde_json::from_slice(&body).map_err(unreadable)?;
    match answer {
        Ok(value) => serde_json::from_value(value).map_err(unreadable),
        Err(refusal) => {
            let kind = match refusal.kind.as_str() {
                "missing" => ErrorKind::Missing,
                "conflict" => ErrorKind::Conflict,
                "invalid" => ErrorKind::Invalid,
                "unknown" => ErrorKind::Unknown,
                _ => ErrorKind::Unavailable,
            };
            Err(Error::new(kind, refusal.message))
        }
    }
}

/// Adds up what several nodes have changed.
pub(super) fn add(total: &mut Changed, part: &Changed) {
    total.changed += part.changed;
    total.skipped += part.skipped;
    total.failed += part.failed;
}
