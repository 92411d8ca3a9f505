//! The node as its API sees it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::future::join_all;
use hermod_api::{
    LogRing, Platform,
    platform::{
        Backlog, Changed, Cluster, Connector, Database, DeadLetter, DeadLetterPage,
        DeadLetterQuery, Direction, Error, ErrorKind, NodeAnswer, NodeInfo, Probe, ProblemAt,
        Selection, WorkflowState, WorkflowStatus,
    },
};
use hermod_sdk::SourceOpener;
use hermod_storage::{
    EntryDraft, Expect, Key, Kind, Raft, Read, StoreError, StoreErrorKind, Transaction, registry,
};
use serde_json::{Value, json};

use super::{
    catalog::{self, Probed},
    core::{Core, hex},
    members,
    peers::{self, Peer},
    question::{self, Answerer, Page, Question},
    worker::{ReportedDisk, barred_key},
};

/// Longest wait for one connection test.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The node, to its API.
pub(super) struct Face {
    pub(super) core: Arc<Core>,
    pub(super) answerer: Arc<Answerer>,
    pub(super) database: Database,
    pub(super) logs: LogRing,
}

impl Face {
    /// Asks every node, this one included; a silent one is named.
    async fn everywhere<T: serde::de::DeserializeOwned>(
        &self,
        only: Option<&str>,
        question: &Question,
    ) -> Result<(Vec<(String, T)>, Vec<NodeAnswer>), Error> {
        let mut answers = Vec::new();
        let mut nodes = Vec::new();
        let peers = peers::all(&self.core).await;
        let is_wanted = |name: &str| only.is_none_or(|only| only == name);
        let known = is_wanted(&self.core.name) || peers.iter().any(|peer| is_wanted(&peer.name));
        if !known {
            let message = format!("there is no node `{}`", only.unwrap_or_default());
            return Err(Error::new(ErrorKind::Missing, message));
        }
        if is_wanted(&self.core.name) {
            let own = self.answerer.answer(question.clone()).await?;
            let own = serde_json::from_value(own)
                .map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
            answers.push((self.core.name.clone(), own));
            nodes.push(answered(&self.core.name, true));
        }
        let asked: Vec<&Peer> = peers.iter().filter(|peer| is_wanted(&peer.name)).collect();
        let results = join_all(
            asked
                .iter()
                .map(|peer| question::ask(&self.core, peer, question)),
        );
        for (peer, result) in asked.iter().zip(results.await) {
            nodes.push(answered(&peer.name, result.is_ok()));
            match result {
                Ok(answer) => answers.push((peer.name.clone(), answer)),
                Err(error) if only.is_some() => return Err(error),
                Err(error) => tracing::debug!(node = peer.name, %error, "a node has not answered"),
            }
        }
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        Ok((answers, nodes))
    }

    async fn change(&self, which: &Selection, question: Question) -> Result<Changed, Error> {
        if which.seqs.is_some() && which.node.is_none() {
            let message = "numbers of dead letters mean something only with the node that has them";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let (answers, nodes) = self
            .everywhere::<Changed>(which.node.as_deref(), &question)
            .await?;
        let mut total = Changed {
            nodes,
            ..Changed::default()
        };
        for (_, part) in &answers {
            question::add(&mut total, part);
        }
        Ok(total)
    }

    fn raft(&self) -> Result<&Arc<Raft>, Error> {
        self.core.metadata.raft.as_ref().ok_or_else(|| {
            let message =
                "nodes that share a database are no members of a group: start and stop them";
            Error::new(ErrorKind::Conflict, message)
        })
    }

    /// Statuses as owners last reported them to the store.
    async fn reported(&self) -> Vec<WorkflowStatus> {
        let objects = self.core.registry().all(Kind::Status).await;
        let objects = objects.unwrap_or_default().into_iter();
        objects
            .filter_map(|object| {
                let mut status: WorkflowStatus = serde_json::from_slice(&object.document).ok()?;
                status.at_ms = object.changed_ms;
                Some(status)
            })
            .collect()
    }
}

fn answered(node: &str, answered: bool) -> NodeAnswer {
    NodeAnswer {
        node: node.to_owned(),
        answered,
    }
}

#[async_trait]
impl Platform for Face {
    fn node(&self) -> NodeInfo {
        NodeInfo {
            name: self.core.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: self.core.mode.as_str().to_owned(),
            runs_workflows: self.core.mode.has_worker(),
        }
    }

    fn database(&self) -> Database {
        self.database.clone()
    }

    fn connectors(&self) -> &[Connector] {
        catalog::connectors()
    }

    fn validate(&self, bundle: &Value) -> Vec<ProblemAt> {
        catalog::validate(bundle)
    }

    fn validate_connection(&self, direction: Direction, document: &Value) -> Vec<ProblemAt> {
        catalog::validate_connection(direction, document)
    }

    async fn test(&self, direction: Direction, document: Value) -> Probe {
        let began = Instant::now();
        let took_ms = |began: Instant| began.elapsed().as_millis() as u64;
        let failed = |step: &str, message: String| Probe {
            ok: false,
            step: step.to_owned(),
            message: Some(message),
            took_ms: took_ms(began),
        };
        let probe = match catalog::configure(direction, &document) {
            Err(problem) => return failed("configuration", problem),
            Ok(Probed::Source(SourceOpener::Push { open, .. })) => {
                return match open() {
                    Ok(_) => Probe {
                        ok: true,
                        step: "it is pushed to; nothing has to be reached".to_owned(),
                        message: None,
                        took_ms: took_ms(began),
                    },
                    Err(error) => failed("configuration", error.report()),
                };
            }
            Ok(Probed::Source(SourceOpener::Pull(source))) => {
                tokio::time::timeout(PROBE_TIMEOUT, async move { source.probe().await }).await
            }
            Ok(Probed::Sink(sink)) => {
                tokio::time::timeout(PROBE_TIMEOUT, async move { sink.probe().await }).await
            }
        };
        match probe {
            Ok(Ok(())) => Probe {
                ok: true,
                step: "connection".to_owned(),
                message: None,
                took_ms: took_ms(began),
            },
            Ok(Err(error)) => failed("connection", error.report()),
            Err(_) => failed(
                "connection",
                format!("no answer within {} s", PROBE_TIMEOUT.as_secs()),
            ),
        }
    }

    async fn statuses(&self) -> Vec<WorkflowStatus> {
        let mut all: BTreeMap<String, WorkflowStatus> = self
            .reported()
            .await
            .into_iter()
            .map(|status| (status.workflow.clone(), status))
            .collect();
        if let Some(worker) = &self.answerer.worker {
            for status in worker.statuses() {
                all.insert(status.workflow.clone(), status);
            }
        }
        let now_ms = self.core.store().now_ms();
        let leases = self
            .core
            .store()
            .leases(Read::Local)
            .await
            .unwrap_or_default();
        let held: HashSet<&str> = leases
            .iter()
            .filter(|lease| lease.live_owner(now_ms).is_some())
            .filter_map(|lease| lease.name.strip_prefix("workflow/"))
            .collect();
        for status in all.values_mut() {
            doubt(status, held.contains(status.workflow.as_str()));
        }
        all.into_values().collect()
    }

    async fn status(&self, workflow: &str) -> Result<Option<WorkflowStatus>, Error> {
        if let Some(status) = self.answerer.status(workflow) {
            return Ok(Some(status));
        }
        let lease = self.core.lease(workflow).await;
        let now_ms = self.core.store().now_ms();
        let owner = lease.as_ref().and_then(|lease| lease.live_owner(now_ms));
        if let Some(owner) = owner.filter(|owner| owner.node != self.core.owner.node)
            && let Some(peer) = peers::find(&self.core, owner.node).await
        {
            let question = Question::Status {
                workflow: workflow.to_owned(),
            };
            let asked = question::ask::<Option<WorkflowStatus>>(&self.core, &peer, &question).await;
            if let Ok(Some(status)) = asked {
                return Ok(Some(status));
            }
        }
        let held = owner.is_some();
        let mut found = self.reported().await.into_iter();
        let found = found.find(|status| status.workflow == workflow);
        Ok(found.map(|mut status| {
            doubt(&mut status, held);
            status
        }))
    }

    async fn dead_letters(
        &self,
        workflow: &str,
        query: &DeadLetterQuery,
    ) -> Result<DeadLetterPage, Error> {
        let question = Question::DeadLetters {
            workflow: workflow.to_owned(),
            query: query.clone(),
        };
        let (answers, nodes) = self
            .everywhere::<Page>(query.node.as_deref(), &question)
            .await?;
        let mut page = DeadLetterPage {
            nodes,
            ..DeadLetterPage::default()
        };
        for (_, part) in answers {
            page.total += part.total;
            page.data.extend(part.data);
        }
        Ok(page)
    }

    async fn dead_letter(
        &self,
        workflow: &str,
        node: &str,
        seq: u64,
    ) -> Result<Option<DeadLetter>, Error> {
        let question = Question::DeadLetter {
            workflow: workflow.to_owned(),
            seq,
        };
        let asked = self
            .everywhere::<Option<DeadLetter>>(Some(node), &question)
            .await;
        match asked {
            Ok((answers, _)) => Ok(answers.into_iter().find_map(|(_, letter)| letter)),
            Err(error) if error.kind == ErrorKind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn replay(&self, workflow: &str, which: &Selection) -> Result<Changed, Error> {
        let question = Question::Replay {
            workflow: workflow.to_owned(),
            which: which.clone(),
        };
        self.change(which, question).await
    }

    async fn discard(&self, workflow: &str, which: &Selection) -> Result<Changed, Error> {
        let question = Question::Discard {
            workflow: workflow.to_owned(),
            which: which.clone(),
        };
        self.change(which, question).await
    }

    async fn cluster(&self) -> Result<Cluster, Error> {
        Ok(members::cluster(&self.core).await)
    }

    async fn cluster_remove(&self, node: &str) -> Result<(), Error> {
        self.raft()?
            .remove(node)
            .await
            .map_err(|error| store(&error))
    }

    async fn transfer_leader(&self, node: &str) -> Result<(), Error> {
        self.raft()?
            .transfer_leader(Some(node))
            .await
            .map_err(|error| store(&error))
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, Error> {
        let registry = self.core.registry();
        let disks = registry
            .all(Kind::Backlog)
            .await
            .map_err(|error| failed(&error))?;
        let barred = registry
            .all(Kind::Barred)
            .await
            .map_err(|error| failed(&error))?;
        let barred: HashSet<_> = barred.into_iter().map(|object| object.key.id).collect();
        let now_ms = self.core.store().now_ms();
        let mut all = Vec::new();
        for object in disks {
            let Ok(disk) = serde_json::from_slice::<ReportedDisk>(&object.document) else {
                continue;
            };
            for stream in disk.streams {
                let lease = self.core.lease(&stream.workflow).await;
                let owner = lease.as_ref().and_then(|lease| lease.live_owner(now_ms));
                let here = owner.is_some_and(|owner| hex(owner.node) == *object.key.id);
                let key = barred_key(&stream.workflow, &stream.stream);
                all.push(Backlog {
                    node: disk.name.clone(),
                    messages: Some(stream.end.saturating_sub(stream.cursor)),
                    reported_ms: Some(disk.reported_ms),
                    stranded: stream.set_aside || !here,
                    barred: barred.contains(&key.id),
                    workflow: stream.workflow,
                    stream: stream.stream,
                });
            }
        }
        Ok(all)
    }

    async fn declare_lost(
        &self,
        workflow: &str,
        stream: &str,
        entry: EntryDraft,
    ) -> Result<(), Error> {
        let found = self.backlogs().await?;
        let found = found
            .iter()
            .find(|backlog| backlog.workflow == workflow && backlog.stream == stream);
        let Some(backlog) = found else {
            let message = "no node has reported such a stream";
            return Err(Error::new(ErrorKind::Missing, message));
        };
        if !backlog.stranded {
            let message = format!(
                "the stream is in use on node `{}`: it is not lost",
                backlog.node
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let key = barred_key(workflow, stream);
        let document = json!({
            "workflow": workflow, "stream": stream, "node": backlog.node,
            "messages": backlog.messages, "barred_ms": self.core.store().now_ms(),
        });
        let transaction = Transaction::new()
            .put(key, Expect::Any, document.to_string())
            .record(entry);
        let done = self.core.registry().commit(transaction).await;
        done.map(drop).map_err(|error| failed(&error))
    }

    fn seal(&self, owner: &Key, plain: &Value) -> Result<Value, Error> {
        let key = self.core.key.get().ok_or_else(no_key)?;
        let text = key
            .seal(&owner.to_string(), plain.to_string().as_bytes())
            .map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
        Ok(json!({"$sealed": text}))
    }

    fn unseal(&self, owner: &Key, sealed: &Value) -> Result<Value, Error> {
        let key = self.core.key.get().ok_or_else(no_key)?;
        let mut value = sealed.clone();
        key.unseal_all(&mut value, &owner.to_string())
            .map_err(|error| Error::new(ErrorKind::Conflict, format!("a secret {error}")))?;
        Ok(value)
    }

    fn logs(&self) -> LogRing {
        self.logs.clone()
    }
}

/// What was last said of a workflow that nobody holds: it does not run now.
fn doubt(status: &mut WorkflowStatus, held: bool) {
    let moves = matches!(
        status.state,
        WorkflowState::Running | WorkflowState::Probing | WorkflowState::Draining
    );
    if moves && !held {
        status.state = WorkflowState::Unknown;
    }
}

fn no_key() -> Error {
    let mut error = Error::new(
        ErrorKind::Unavailable,
        "this node has not got the store's key yet",
    );
    error.retry_after = Some(Duration::from_secs(1));
    error
}

fn store(error: &StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Invalid => ErrorKind::Conflict,
        StoreErrorKind::Unknown => ErrorKind::Unknown,
        _ => ErrorKind::Unavailable,
    };
    let mut answer = Error::new(kind, error.to_string());
    answer.retry_after = error.retry_after();
    answer
}

fn failed(error: &registry::Error) -> Error {
    match error {
        registry::Error::Store(error) => store(error),
        other => Error::new(ErrorKind::Unavailable, other.to_string()),
    }
}
