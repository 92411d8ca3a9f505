//! Sources and sinks in memory whose every step a test decides, and plans around them.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hermod_engine::{
    BatchPlan, BufferPlan, DeliveryPlan, EdgeDocument, Engine, EngineOptions, GraphDocument, Level,
    NodeDocument, OnOutage, OnSlowSink, RetryPlan, SinkPlan, SourcePlan, WorkflowPlan,
};
use hermod_sdk::{
    Batch, Confirms, ConnectorError, ErrorKind, Locality, Message, Outcome, Position,
    PositionError, PushProtocol, PushSource, Read, ReadLimit, Refusal, Repeats, Request, Sink,
    SinkContext, SinkFactory, Source, SourceBatch, SourceContext, SourceFactory, SourceOpener,
    Spec, Stability, Text, TypedPosition, Written,
};
use hermod_wal::{Log, Options};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) type Opening<'a, T> =
    std::pin::Pin<Box<dyn Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

/// Waits until something holds; the deadline only ends a test that hangs.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never held: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Index(pub(crate) u64);

impl TypedPosition for Index {
    const VERSION: u16 = 1;
    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

/// A source that can be read again: message `n` stands at position `n + 1`.
#[derive(Clone, Default)]
pub(crate) struct MemorySource {
    pub(crate) state: Arc<SourceState>,
}

#[derive(Default)]
pub(crate) struct SourceState {
    messages: Mutex<Vec<Message>>,
    ends: AtomicBool,
    arrived: Notify,
    /// Every acknowledged index, in order.
    pub(crate) acknowledged: Mutex<Vec<u64>>,
    /// What happened, in order: `open N`, `acknowledge N`, `close`.
    pub(crate) events: Mutex<Vec<String>>,
    pub(crate) batch: AtomicU64,
}

impl MemorySource {
    pub(crate) fn of(messages: impl IntoIterator<Item = Message>) -> Self {
        let source = Self::default();
        source.add(messages);
        source
    }

    /// Lets the source end after its last message.
    pub(crate) fn ending(self) -> Self {
        self.state.ends.store(true, Ordering::SeqCst);
        self.state.arrived.notify_waiters();
        self
    }

    pub(crate) fn add(&self, messages: impl IntoIterator<Item = Message>) {
        self.state.messages.lock().unwrap().extend(messages);
        self.state.arrived.notify_waiters();
    }

    /// Returns the highest acknowledged index.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.state
            .acknowledged
            .lock()
            .unwrap()
            .last()
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.state.events.lock().unwrap().clone()
    }
}

struct OpenSource {
    state: Arc<SourceState>,
    next: u64,
    generation: u64,
}

#[async_trait]
impl Source for OpenSource {
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError> {
        loop {
            let arrived = self.state.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let most = match self.state.batch.load(Ordering::SeqCst) {
                0 => limit.messages,
                most => most as usize,
            };
            let from = self.next as usize;
            let mut messages: Vec<Message> = self
                .state
                .messages
                .lock()
                .unwrap()
                .iter()
                .skip(from)
                .take(most)
                .cloned()
                .collect();
            if !messages.is_empty() {
                for (index, message) in messages.iter_mut().enumerate() {
                    let at = Index((from + index) as u64 + 1);
                    message.position = Some(Position::encode(self.generation, &at));
                }
                self.next += messages.len() as u64;
                let position = Position::encode(self.generation, &Index(self.next));
                return Ok(Read::Batch(SourceBatch { messages, position }));
            }
            if self.state.ends.load(Ordering::SeqCst) {
                return Ok(Read::End);
            }
            arrived.await;
        }
    }

    async fn acknowledge(&mut self, position: &Position) -> Result<(), ConnectorError> {
        let at = position.decode::<Index>()?.0;
        self.state.acknowledged.lock().unwrap().push(at);
        self.state
            .events
            .lock()
            .unwrap()
            .push(format!("acknowledge {at}"));
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        self.state.events.lock().unwrap().push("close".to_owned());
        Ok(())
    }
}

impl SourceFactory for MemorySource {
    fn open(&self, position: Option<Position>, cx: SourceContext) -> Opening<'_, Box<dyn Source>> {
        Box::pin(async move {
            let next = match position {
                Some(position) => position.decode::<Index>()?.0,
                None => 0,
            };
            self.state
                .events
                .lock()
                .unwrap()
                .push(format!("open {next}"));
            let source: Box<dyn Source> = Box::new(OpenSource {
                state: self.state.clone(),
                next,
                generation: cx.generation,
            });
            Ok(source)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn covers(&self, position: &Position, other: &Position) -> Result<bool, PositionError> {
        position.covers::<Index>(other)
    }
}

/// What a scripted sink does with one message.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Write,
    Reject,
    Retry,
}

type Judge = Box<dyn FnMut(&Message) -> Answer + Send>;
type Script = VecDeque<ErrorKind>;

/// A sink that keeps what it is given and answers as a test says.
#[derive(Clone)]
pub(crate) struct MemorySink {
    pub(crate) state: Arc<SinkState>,
    spec: Spec,
}

pub(crate) struct SinkState {
    pub(crate) written: Mutex<Vec<Message>>,
    pub(crate) batches: Mutex<Vec<usize>>,
    pub(crate) tokens: Mutex<Vec<hermod_sdk::Token>>,
    judge: Mutex<Judge>,
    /// Failures of whole batches, one per write.
    pub(crate) failures: Mutex<Script>,
    pub(crate) probe_fails: AtomicBool,
    down: AtomicBool,
    /// Held by a write until a test lets it go.
    gate: tokio::sync::watch::Sender<bool>,
    pub(crate) events: Mutex<Vec<&'static str>>,
    pub(crate) committed: Mutex<Vec<hermod_sdk::Committed>>,
}

impl MemorySink {
    pub(crate) fn new() -> Self {
        let state = SinkState {
            written: Mutex::default(),
            batches: Mutex::default(),
            tokens: Mutex::default(),
            judge: Mutex::new(Box::new(|_| Answer::Write)),
            failures: Mutex::default(),
            probe_fails: AtomicBool::new(false),
            down: AtomicBool::new(false),
            gate: tokio::sync::watch::Sender::new(true),
            events: Mutex::default(),
            committed: Mutex::default(),
        };
        let spec = Spec {
            kind: "memory",
            title: "Memory",
            summary: "Keeps messages for tests",
            stability: Stability::Stable,
            locality: Locality::Any,
            confirms: Confirms::Durable,
            repeats: Repeats::AtLeastOnce,
            rereadable: false,
            partial: false,
        };
        Self {
            state: Arc::new(state),
            spec,
        }
    }

    pub(crate) fn with_spec(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub(crate) fn judging(self, judge: impl FnMut(&Message) -> Answer + Send + 'static) -> Self {
        self.judge(judge);
        self
    }

    pub(crate) fn judge(&self, judge: impl FnMut(&Message) -> Answer + Send + 'static) {
        *self.state.judge.lock().unwrap() = Box::new(judge);
    }

    /// Makes every write and probe fail as if the other side were gone, or brings it back.
    pub(crate) fn set_down(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
    }

    /// Makes writes wait, or lets them go on.
    pub(crate) fn hold(&self, held: bool) {
        self.state.gate.send_replace(!held);
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.state
            .written
            .lock()
            .unwrap()
            .iter()
            .map(|message| message.id.to_string())
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.written.lock().unwrap().len()
    }
}

struct OpenSink {
    state: Arc<SinkState>,
    committed: Vec<hermod_sdk::Committed>,
}

#[async_trait]
impl Sink for OpenSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        let mut gate = self.state.gate.subscribe();
        let _closed = gate.wait_for(|open| *open).await.is_err();
        if self.state.down.load(Ordering::SeqCst) {
            return Err(ConnectorError::new(
                ErrorKind::Unavailable,
                "the other side is gone",
            ));
        }
        if let Some(kind) = self.state.failures.lock().unwrap().pop_front() {
            return Err(ConnectorError::new(kind, "scripted failure"));
        }
        assert!(!batch.records.is_empty(), "a batch is never empty");
        assert!(batch.token.first <= batch.token.last);
        self.state.batches.lock().unwrap().push(batch.records.len());
        self.state.tokens.lock().unwrap().push(batch.token.clone());
        let mut judge = self.state.judge.lock().unwrap();
        let mut outcomes = Vec::new();
        for record in &batch.records {
            outcomes.push(match judge(&record.message) {
                Answer::Write => {
                    self.state
                        .written
                        .lock()
                        .unwrap()
                        .push(record.message.clone());
                    Outcome::Written
                }
                Answer::Reject => Outcome::Rejected {
                    reason: "scripted rejection".to_owned(),
                },
                Answer::Retry => Outcome::Retry {
                    reason: "scripted retry".to_owned(),
                    after: None,
                },
            });
        }
        Ok(Written::Each(outcomes))
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        self.state.events.lock().unwrap().push("flush");
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        self.state.events.lock().unwrap().push("close");
        Ok(())
    }

    fn committed(&self) -> &[hermod_sdk::Committed] {
        &self.committed
    }
}

impl SinkFactory for MemorySink {
    fn spec(&self) -> Spec {
        self.spec
    }

    fn repeats(&self) -> Repeats {
        self.spec.repeats
    }

    fn open(&self, _cx: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        Box::pin(async move {
            let committed = self.state.committed.lock().unwrap().clone();
            let sink: Box<dyn Sink> = Box::new(OpenSink {
                state: self.state.clone(),
                committed,
            });
            Ok(sink)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async move {
            if self.state.probe_fails.load(Ordering::SeqCst) {
                return Err(ConnectorError::new(ErrorKind::Unavailable, "probe fails"));
            }
            Ok(())
        })
    }
}

struct Push;

impl PushSource for Push {
    fn path(&self) -> &'static str {
        "push"
    }
    fn body_bytes_max(&self) -> usize {
        1 << 20
    }
    fn accept(&self, _: &Request<'_>, body: bytes::Bytes) -> Result<Vec<Message>, Refusal> {
        Ok(vec![Message::new("", body)])
    }
}

/// A source that the test pushes to through [`hermod_engine::Ingress`].
pub(crate) fn push_source() -> SourcePlan {
    let open = Arc::new(|| -> Result<Arc<dyn PushSource>, ConnectorError> { Ok(Arc::new(Push)) });
    SourcePlan {
        id: "in".into(),
        node: "source".into(),
        kind: "push",
        opener: SourceOpener::Push {
            protocol: PushProtocol::Webhook,
            open,
            warning: None,
        },
        rereadable: false,
    }
}

pub(crate) fn pull_source(source: &MemorySource) -> SourcePlan {
    SourcePlan {
        id: "in".into(),
        node: "source".into(),
        kind: "memory",
        opener: SourceOpener::Pull(Arc::new(source.clone())),
        rereadable: true,
    }
}

pub(crate) fn sink_plan(id: &str, sink: &MemorySink) -> SinkPlan {
    SinkPlan {
        id: id.into(),
        kind: "memory",
        factory: Arc::new(sink.clone()),
        delivery: DeliveryPlan {
            batch: BatchPlan {
                messages: 100,
                bytes: 1 << 20,
                wait_ms: 0,
            },
            retry: RetryPlan {
                max_retries: 2,
                interval_ms: 1,
                interval_ms_max: 5,
            },
            on_outage: OnOutage::Wait,
            on_slow_sink: OnSlowSink::Lag,
            ordered: true,
        },
    }
}

pub(crate) fn node(
    id: &str,
    kind: &str,
    reference: &str,
    config: impl Into<Value>,
) -> NodeDocument {
    let node = json!({"id": id, "type": kind, "ref_id": reference, "config": config.into()});
    serde_json::from_value(node).expect("node")
}

pub(crate) fn edge(from: &str, to: &str, label: &str) -> EdgeDocument {
    let id = format!("{from}-{to}-{label}");
    let mut edge = json!({"id": id, "source_id": from, "target_id": to});
    if !label.is_empty() {
        edge["config"] = json!({"label": label});
    }
    serde_json::from_value(edge).expect("edge")
}

/// A graph from the source straight to every sink.
pub(crate) fn straight(sinks: &[&str]) -> GraphDocument {
    let mut nodes = vec![node("source", "source", "in", json!({}))];
    let mut edges = Vec::new();
    for sink in sinks {
        nodes.push(node(&format!("to-{sink}"), "sink", sink, json!({})));
        edges.push(edge("source", &format!("to-{sink}"), ""));
    }
    GraphDocument { nodes, edges }
}

pub(crate) fn plan(id: &str, source: SourcePlan, sinks: Vec<SinkPlan>) -> WorkflowPlan {
    let names: Vec<&str> = sinks.iter().map(|sink| &*sink.id).collect();
    let graph = straight(&names);
    WorkflowPlan {
        id: Text::from(id),
        name: Text::from(id),
        active: true,
        acknowledge: Level::Delivered,
        buffer: BufferPlan::File,
        source,
        sinks,
        graph,
    }
}

pub(crate) const RING: BufferPlan = BufferPlan::Ring {
    messages: 1024,
    bytes: 64 << 20,
};

pub(crate) fn open_log(dir: &Path) -> Log {
    let mut options = Options::new(dir);
    options.segment_bytes = 1 << 20;
    Log::open(options).expect("log opens")
}

pub(crate) fn engine(log: Option<&Log>) -> Engine {
    Engine::new(EngineOptions {
        log: log.cloned(),
        ..EngineOptions::default()
    })
}

pub(crate) fn numbered(count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| Message::new(n.to_string(), format!("{{\"n\":{n}}}")))
        .collect()
}
