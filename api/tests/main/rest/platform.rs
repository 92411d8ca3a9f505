//! A platform that does what tests tell it to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use hermod_api::{
    LogRing, Platform,
    platform::{
        Backlog, Changed, Cluster, Connector, Database, DeadLetter, DeadLetterPage,
        DeadLetterQuery, Direction, Error, ErrorKind, Member, NodeAnswer, NodeInfo, Probe,
        ProblemAt, Selection, WorkflowStatus,
    },
};
use hermod_storage::{
    EntryDraft, Key,
    registry::{Audit, Registry},
};
use serde_json::{Value, json};

pub(crate) struct Fake {
    connectors: Vec<Connector>,
    pub(crate) registry: Registry,
    pub(crate) statuses: Mutex<Vec<WorkflowStatus>>,
    pub(crate) tested: Mutex<Vec<Value>>,
    pub(crate) done: Mutex<Vec<String>>,
    pub(crate) runs_workflows: AtomicBool,
    pub(crate) sealing_fails: AtomicBool,
    pub(crate) log: LogRing,
}

impl Fake {
    pub(crate) fn new(registry: Registry) -> Arc<Self> {
        Arc::new(Self {
            connectors: connectors(),
            registry,
            statuses: Mutex::default(),
            tested: Mutex::default(),
            done: Mutex::default(),
            runs_workflows: AtomicBool::new(true),
            sealing_fails: AtomicBool::new(false),
            log: LogRing::new(100),
        })
    }

    fn note(&self, what: String) {
        self.done.lock().unwrap().push(what);
    }
}

fn connector(direction: Direction, kind: &str, schema: Value) -> Connector {
    Connector {
        direction,
        kind: kind.to_owned(),
        title: kind.to_owned(),
        summary: "for tests".to_owned(),
        stability: "stable".to_owned(),
        schema,
        example: json!({}),
        promises: json!({"repeats": "idempotent"}),
    }
}

fn connectors() -> Vec<Connector> {
    let secret = json!({"type": "string", "writeOnly": true});
    vec![
        connector(
            Direction::Source,
            "webhook",
            json!({"properties": {"path": {"type": "string"}, "secret": secret}}),
        ),
        connector(
            Direction::Sink,
            "http",
            json!({"properties": {
                "url": {"type": "string"},
                "token": secret,
                "headers": {"additionalProperties": secret},
                "hosts": {"items": {"properties": {"key": secret}}},
            }}),
        ),
    ]
}

fn problem(pointer: &str, message: &str) -> ProblemAt {
    ProblemAt {
        pointer: pointer.to_owned(),
        message: message.to_owned(),
        warning: false,
    }
}

pub(crate) fn dead_letter(seq: u64) -> DeadLetter {
    DeadLetter {
        node: "n1".to_owned(),
        seq,
        message_id: "m".to_owned(),
        reason: "refused".to_owned(),
        kind: "rejected".to_owned(),
        origin: json!({"at": "sink", "id": "out"}),
        sinks: vec!["out".to_owned()],
        attempts: 4,
        at_ms: 1,
        state: "open".to_owned(),
        message: Some(json!({"payload": "private"})),
    }
}

fn nodes() -> Vec<NodeAnswer> {
    [("n1", true), ("n2", false)]
        .map(|(node, answered)| NodeAnswer {
            node: node.to_owned(),
            answered,
        })
        .into()
}

#[async_trait]
impl Platform for Fake {
    fn node(&self) -> NodeInfo {
        NodeInfo {
            name: "n1".to_owned(),
            version: "0.1.0".to_owned(),
            mode: "standalone".to_owned(),
            runs_workflows: self.runs_workflows.load(Ordering::Relaxed),
        }
    }

    fn database(&self) -> Database {
        Database {
            kind: "raft".to_owned(),
            conn: String::new(),
        }
    }

    fn connectors(&self) -> &[Connector] {
        &self.connectors
    }

    fn validate(&self, bundle: &Value) -> Vec<ProblemAt> {
        let mut problems = Vec::new();
        let nodes = bundle.pointer("/workflow/nodes").and_then(Value::as_array);
        for (at, node) in nodes.into_iter().flatten().enumerate() {
            if node["type"] == "wrong" {
                let pointer = format!("/workflow/nodes/{at}/type");
                problems.push(problem(&pointer, "there is no node type `wrong`"));
            }
        }
        if nodes.is_none_or(Vec::is_empty) {
            problems.push(problem("/workflow/nodes", "a workflow has nodes"));
        }
        problems
    }

    fn validate_connection(&self, direction: Direction, document: &Value) -> Vec<ProblemAt> {
        let known = self
            .connectors
            .iter()
            .any(|one| one.direction == direction && document["type"] == one.kind);
        if known {
            Vec::new()
        } else {
            vec![problem("/type", "there is no such connector")]
        }
    }

    async fn test(&self, _: Direction, document: Value) -> Probe {
        self.tested.lock().unwrap().push(document);
        Probe {
            ok: true,
            step: "connect".to_owned(),
            message: None,
            took_ms: 1,
        }
    }

    async fn statuses(&self) -> Vec<WorkflowStatus> {
        self.statuses.lock().unwrap().clone()
    }

    async fn status(&self, workflow: &str) -> Result<Option<WorkflowStatus>, Error> {
        let all = self.statuses.lock().unwrap();
        Ok(all.iter().find(|one| one.workflow == workflow).cloned())
    }

    async fn dead_letters(
        &self,
        _: &str,
        query: &DeadLetterQuery,
    ) -> Result<DeadLetterPage, Error> {
        Ok(DeadLetterPage {
            data: (query.from..3).take(query.limit).map(dead_letter).collect(),
            total: 3,
            nodes: nodes(),
        })
    }

    async fn dead_letter(
        &self,
        _: &str,
        node: &str,
        seq: u64,
    ) -> Result<Option<DeadLetter>, Error> {
        if node == "n2" {
            let message = "node `n2` does not answer";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok((seq < 3).then(|| dead_letter(seq)))
    }

    async fn replay(&self, workflow: &str, which: &Selection) -> Result<Changed, Error> {
        self.note(format!("replay {workflow} {:?}", which.seqs));
        Ok(Changed {
            changed: 1,
            skipped: 0,
            failed: 0,
            nodes: nodes(),
        })
    }

    async fn discard(&self, workflow: &str, which: &Selection) -> Result<Changed, Error> {
        self.note(format!("discard {workflow} {}", which.all));
        Ok(Changed::default())
    }

    async fn cluster(&self) -> Result<Cluster, Error> {
        Ok(Cluster {
            node: "n1".to_owned(),
            leader: Some("n1".to_owned()),
            term: Some(3),
            writable: true,
            survives: 0,
            members: vec![Member {
                name: "n1".to_owned(),
                id: "1".to_owned(),
                address: "127.0.0.1:1".to_owned(),
                role: "leader".to_owned(),
                voter: true,
                heard_ms_ago: Some(0),
                version: None,
            }],
        })
    }

    async fn cluster_remove(&self, node: &str) -> Result<(), Error> {
        self.note(format!("remove {node}"));
        Ok(())
    }

    async fn transfer_leader(&self, node: &str) -> Result<(), Error> {
        if node == "nobody" {
            return Err(Error::new(ErrorKind::Missing, "there is no node `nobody`"));
        }
        self.note(format!("lead {node}"));
        Ok(())
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, Error> {
        Ok(vec![Backlog {
            workflow: "w".to_owned(),
            stream: "s".to_owned(),
            node: "n2".to_owned(),
            messages: None,
            reported_ms: None,
            stranded: true,
            barred: false,
        }])
    }

    async fn declare_lost(&self, _: &str, stream: &str, entry: EntryDraft) -> Result<(), Error> {
        self.note(format!("lost {stream}"));
        let recorded = self.registry.record(entry).await;
        recorded.map_err(|error| Error::new(ErrorKind::Unknown, error.to_string()))?;
        Ok(())
    }

    fn seal(&self, owner: &Key, plain: &Value) -> Result<Value, Error> {
        if self.sealing_fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "there is no store key"));
        }
        let text: String = plain.to_string().chars().rev().collect();
        Ok(json!({"$sealed": format!("{owner} {text}")}))
    }

    fn unseal(&self, owner: &Key, sealed: &Value) -> Result<Value, Error> {
        let (of, text) = sealed["$sealed"].as_str().unwrap().split_once(' ').unwrap();
        assert_eq!(of, owner.to_string());
        let text: String = text.chars().rev().collect();
        Ok(serde_json::from_str(&text).unwrap())
    }

    fn logs(&self) -> LogRing {
        self.log.clone()
    }
}

/// Makes an action of a test.
pub(crate) fn audit() -> Audit {
    Audit::of_node("test")
}
