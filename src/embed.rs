//! An engine that is put together in code.

mod factory;
mod running;

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use hermod_engine::{
    BatchPlan, BufferPlan, Catalog, DeliveryPlan, EdgeDocument, EngineOptions, GraphDocument,
    Level, Metrics, NodeDocument, OnOutage, OnSlowSink, RetryPlan, SinkPlan, SourcePlan,
    StartError, WorkflowPlan,
};
use hermod_sdk::{
    ConnectorError, Position, Problems, Sink, SinkConnector, SinkFactory, Source, SourceConnector,
    SourceContext, SourceFactory, SourceOpener, Text,
};
use hermod_wal::{Log, OpenError, Options};
use serde_json::Value;

pub use running::Running;

/// Node of the source in the graph.
const SOURCE_NODE: &str = "source";

/// Where messages wait between the source and the sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// In memory, bounded by messages and bytes.
    Ring {
        /// Most messages.
        messages: usize,
        /// Most bytes.
        bytes: usize,
    },
    /// In a data log in this directory, which one engine uses at a time.
    File(PathBuf),
}

impl Buffer {
    /// Returns a buffer in memory for so many messages, and 64 MiB at most.
    pub fn ring(messages: usize) -> Self {
        Self::Ring {
            messages,
            bytes: 64 << 20,
        }
    }

    /// Returns a buffer on disk. What is in it when the process dies is delivered after the next start.
    pub fn file(directory: impl Into<PathBuf>) -> Self {
        Self::File(directory.into())
    }
}

/// How sinks are written to. The defaults are those of workflow documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often a message that a sink refuses is tried again before it becomes a dead letter.
    pub max_retries: u32,
    /// First wait before a repeat; doubles each time.
    pub retry_interval: Duration,
    /// Longest wait before a repeat.
    pub retry_interval_max: Duration,
    /// Most messages in a batch.
    pub batch_messages: usize,
    /// Most bytes in a batch; one message may exceed it alone.
    pub batch_bytes: usize,
    /// Longest wait for a batch to fill; zero takes what is there.
    pub batch_wait: Duration,
    /// What an outage of a sink means.
    pub on_outage: OnOutage,
    /// What a sink that is slower than the others does to them. Without it: `Lag` with a file buffer,
    /// `Block` with a ring, which has nothing to read again.
    pub on_slow_sink: Option<OnSlowSink>,
    /// Whether to warn about messages that come without an idempotency key.
    pub idempotency_required: bool,
}

impl Default for Config {
    fn default() -> Self {
        let plan = DeliveryPlan::default();
        Self {
            max_retries: plan.retry.max_retries,
            retry_interval: plan.retry.interval(),
            retry_interval_max: plan.retry.interval_max(),
            batch_messages: plan.batch.messages,
            batch_bytes: plan.batch.bytes,
            batch_wait: Duration::from_millis(plan.batch.wait_ms),
            on_outage: plan.on_outage,
            on_slow_sink: None,
            idempotency_required: false,
        }
    }
}

/// An engine cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An id cannot name streams of the log.
    #[error("id `{id}` is not allowed; use up to 100 letters, digits, `-`, `_`, `.`")]
    Id {
        /// The id.
        id: String,
    },
    /// Two sinks have one id.
    #[error("two sinks have the id `{id}`")]
    SameSink {
        /// The id.
        id: String,
    },
    /// No source was given.
    #[error("an engine needs a source")]
    NoSource,
    /// No sink was given.
    #[error("an engine needs at least one sink")]
    NoSink,
    /// A ring was asked for what only a disk can promise (I1).
    #[error("a ring buffer cannot acknowledge at level `durable`; use a file buffer")]
    RingNotDurable,
    /// The document is not valid.
    #[error("the document is not valid:\n{0}")]
    Document(Problems),
    /// The data log cannot be opened.
    #[error("the data log cannot be opened: {0}")]
    Log(#[from] OpenError),
    /// The workflow cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// An engine before it runs.
#[must_use = "an engine does nothing until it is started"]
pub struct Engine {
    id: Text,
    source: Option<Arc<dyn SourceFactory>>,
    sinks: Vec<(Text, Arc<dyn SinkFactory>)>,
    document: Option<Box<WorkflowPlan>>,
    buffer: Buffer,
    acknowledge: Level,
    config: Config,
    metrics: Metrics,
}

impl Engine {
    /// Begins an engine. The id names its streams in the data log: keep it over restarts.
    pub fn new(id: impl Into<Text>) -> Self {
        Self {
            id: id.into(),
            source: None,
            sinks: Vec::new(),
            document: None,
            buffer: Buffer::ring(1024),
            acknowledge: Level::Delivered,
            config: Config::default(),
            metrics: Metrics::new(),
        }
    }

    /// Begins an engine from a workflow document, `{workflow, sources, sinks}`, as the binary takes it. The
    /// document's own settings stand in place of [`Engine::config`] and [`Engine::acknowledge`]; a ring in
    /// it stays a ring, and [`Buffer::file`] says where the log is.
    ///
    /// # Errors
    /// [`Error::Document`] with everything that is wrong.
    pub fn from_document(document: &Value) -> Result<Self, Error> {
        let catalog = Catalog {
            sources: hermod_connectors::SOURCES,
            sinks: hermod_connectors::SINKS,
        };
        let checked = hermod_engine::check(document, &catalog).map_err(Error::Document)?;
        for warning in &checked.warnings {
            tracing::warn!(pointer = warning.pointer, "{}", warning.message);
        }
        let engine = Self::new(checked.plan.id.clone());
        Ok(Self {
            document: Some(Box::new(checked.plan)),
            ..engine
        })
    }

    /// Reads from an object. It is opened once: where a failure makes the engine open its source again, the
    /// engine stops; [`Engine::source_with`] can open it as often as needed and learns where to go on.
    pub fn source(self, source: impl Source + 'static) -> Self {
        self.source_from(factory::source_object(Box::new(source)))
    }

    /// Reads from what `open` returns. It is called with the position after the last message that the engine
    /// has, at the start and after each failure.
    pub fn source_with<S, F, O>(self, open: O) -> Self
    where
        S: Source + 'static,
        F: Future<Output = Result<S, ConnectorError>> + Send + 'static,
        O: Fn(Option<Position>, SourceContext) -> F + Send + Sync + 'static,
    {
        self.source_from(factory::source_function(open))
    }

    /// Reads from a connector with its configuration, for example one of [`crate::connectors`].
    pub fn source_of<S: SourceConnector>(self, config: S::Config) -> Self {
        self.source_from(factory::source_connector::<S>(config))
    }

    /// Reads from what a factory of your own opens.
    pub fn source_from(mut self, factory: Arc<dyn SourceFactory>) -> Self {
        self.source = Some(factory);
        self
    }

    /// Adds a sink that is an object. The id names its cursor in the data log.
    pub fn sink(self, id: impl Into<Text>, sink: impl Sink + 'static) -> Self {
        self.sink_from(id, factory::sink_object(Box::new(sink)))
    }

    /// Adds a sink that is a connector with its configuration, for example one of [`crate::connectors`].
    pub fn sink_of<S: SinkConnector>(self, id: impl Into<Text>, config: S::Config) -> Self {
        self.sink_from(id, factory::sink_connector::<S>(config))
    }

    /// Adds a sink that a factory of your own opens.
    pub fn sink_from(mut self, id: impl Into<Text>, factory: Arc<dyn SinkFactory>) -> Self {
        self.sinks.push((id.into(), factory));
        self
    }

    /// Says where messages wait; without it, in a ring of 1,024.
    pub fn buffer(mut self, buffer: Buffer) -> Self {
        self.buffer = buffer;
        self
    }

    /// Says when the source is told that a message is safe; without it, when every sink has confirmed it.
    pub fn acknowledge(mut self, level: Level) -> Self {
        self.acknowledge = level;
        self
    }

    /// Says how sinks are written to.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Says where the engine counts; without it, in a registry of its own.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Starts it on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error`]. A source or sink that does not answer is not an error: it is shown in the status and
    /// tried again.
    pub async fn start(self) -> Result<Running, Error> {
        let (buffer, metrics) = (self.buffer.clone(), self.metrics.clone());
        let idempotency_required = self.config.idempotency_required;
        let plan = self.plan()?;
        let log = match buffer {
            Buffer::Ring { .. } => None,
            Buffer::File(directory) => Some(Log::open(Options::new(directory))?),
        };
        let engine = hermod_engine::Engine::new(EngineOptions {
            log: log.clone(),
            metrics,
            idempotency_required,
            worker: "embedded".into(),
            drop_removed_sinks: Vec::new(),
        });
        let workflow = engine.start(plan).await?;
        Ok(Running::new(engine, workflow, log))
    }

    fn plan(self) -> Result<WorkflowPlan, Error> {
        if let Some(plan) = self.document {
            return Ok(*plan);
        }
        check_id(&self.id)?;
        let factory = self.source.clone().ok_or(Error::NoSource)?;
        if self.sinks.is_empty() {
            return Err(Error::NoSink);
        }
        for (index, (id, _)) in self.sinks.iter().enumerate() {
            check_id(id)?;
            if self.sinks.iter().take(index).any(|(other, _)| other == id) {
                return Err(Error::SameSink { id: id.to_string() });
            }
        }
        let buffer = match self.buffer {
            Buffer::Ring { .. } if self.acknowledge == Level::Durable => {
                return Err(Error::RingNotDurable);
            }
            Buffer::Ring { messages, bytes } => BufferPlan::Ring { messages, bytes },
            Buffer::File(_) => BufferPlan::File,
        };
        let delivery = delivery(&self.config, buffer);
        let graph = star(&self.sinks);
        let sinks = self.sinks.into_iter().map(|(id, factory)| SinkPlan {
            id,
            kind: factory.spec().kind,
            factory,
            delivery: delivery.clone(),
        });
        Ok(WorkflowPlan {
            name: self.id.clone(),
            id: self.id,
            active: true,
            acknowledge: self.acknowledge,
            buffer,
            source: SourcePlan {
                id: SOURCE_NODE.into(),
                node: SOURCE_NODE.into(),
                kind: factory::KIND,
                opener: SourceOpener::Pull(factory),
                rereadable: true,
            },
            sinks: sinks.collect(),
            graph,
        })
    }
}

/// The rule of workflow documents.
fn check_id(id: &Text) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=100).contains(&id.len()) && id.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::Id { id: id.to_string() })
}

fn delivery(config: &Config, buffer: BufferPlan) -> DeliveryPlan {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let by_buffer = match buffer {
        BufferPlan::Ring { .. } => OnSlowSink::Block,
        BufferPlan::File => OnSlowSink::Lag,
    };
    DeliveryPlan {
        batch: BatchPlan {
            messages: config.batch_messages.max(1),
            bytes: config.batch_bytes.max(1),
            wait_ms: millis(config.batch_wait),
        },
        retry: RetryPlan {
            max_retries: config.max_retries,
            interval_ms: millis(config.retry_interval).max(1),
            interval_ms_max: millis(config.retry_interval_max.max(config.retry_interval)).max(1),
        },
        on_outage: config.on_outage,
        on_slow_sink: config.on_slow_sink.unwrap_or(by_buffer),
        ordered: true,
    }
}

/// A graph that leads from the source to each sink.
fn star(sinks: &[(Text, Arc<dyn SinkFactory>)]) -> GraphDocument {
    let node = |id: String, kind: &str, ref_id: &str| NodeDocument {
        id,
        kind: kind.to_owned(),
        ref_id: ref_id.to_owned(),
        config: serde_json::Map::new(),
    };
    let mut nodes = vec![node(SOURCE_NODE.to_owned(), "source", SOURCE_NODE)];
    let mut edges = Vec::new();
    for (id, _) in sinks {
        let target = format!("sink-{id}");
        nodes.push(node(target.clone(), "sink", id));
        edges.push(EdgeDocument {
            id: format!("to-{id}"),
            source_id: SOURCE_NODE.to_owned(),
            target_id: target,
            label: String::new(),
            source_handle: String::new(),
        });
    }
    GraphDocument { nodes, edges }
}

#[cfg(test)]
mod tests;
