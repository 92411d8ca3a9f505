//! Taking a workflow over: its epoch, its buffer, its cursors, its graph versions, in one atomic write.

use std::{collections::BTreeMap, sync::Arc};

use hermod_sdk::{Position, Text};
use hermod_wal::{Batch, Log};

use crate::{
    buffer::{Buffer, FileBuffer, Ring, RingLimits},
    checkpoint::Cursor,
    document::{BufferPlan, GraphDocument, WorkflowPlan},
    epoch,
    graph::Graph,
    keys,
    log::DataLog,
    pass::Versions,
};

/// A workflow cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A sink was removed from the workflow while messages still wait for it.
    #[error(
        "sink `{sink}` is not in the workflow any more, but {backlog} messages wait for it; put it back, or give up its backlog by name"
    )]
    RemovedSink {
        /// Id of the sink.
        sink: String,
        /// Messages that wait for it.
        backlog: u64,
    },
    /// A file buffer or level `durable` needs a log, and the engine has none.
    #[error(
        "the workflow needs a data log for its file buffer, and the engine was made without one"
    )]
    NoLog,
    /// What the log keeps for this workflow cannot be read.
    #[error("what the data log keeps under `{name}` cannot be read: {reason}")]
    Corrupt {
        /// Name of the stream or register.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The workflow runs already.
    #[error("workflow `{workflow}` runs already")]
    Running {
        /// Id of the workflow.
        workflow: Text,
    },
    /// The graph does not compile for the sinks of the plan.
    #[error("the workflow's graph is not valid: {0}")]
    Graph(hermod_sdk::Problems),
    /// The log did not take the takeover.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
    /// A push source cannot be opened.
    #[error("source cannot be opened: {0}")]
    Source(hermod_sdk::ConnectorError),
}

/// What an owner has taken over.
pub(crate) struct Tenure {
    pub(crate) epoch: u64,
    pub(crate) buffer: Buffer,
    pub(crate) cursors: Vec<u64>,
    pub(crate) position: Option<Position>,
    pub(crate) versions: Versions,
}

/// Takes a workflow over without a log: everything is in memory.
pub(crate) fn in_memory(plan: &WorkflowPlan) -> Result<Tenure, StartError> {
    let BufferPlan::Ring { messages, bytes } = plan.buffer else {
        return Err(StartError::NoLog);
    };
    let graph = compile(&plan.graph, plan).map_err(StartError::Graph)?;
    Ok(Tenure {
        epoch: epoch::next(0),
        buffer: ring(RingLimits { messages, bytes }),
        cursors: vec![0; plan.sinks.len()],
        position: None,
        versions: Versions::new(vec![(0, graph)]),
    })
}

/// Takes a workflow over on a log.
///
/// # Durability
/// When it returns, epoch, buffer, cursors and graph version are on disk.
pub(crate) async fn take(
    log: &DataLog,
    plan: &WorkflowPlan,
    drop_removed: &[Text],
) -> Result<Tenure, StartError> {
    let epoch = epoch::next(epoch::latest(log.log(), &plan.id));
    let position = stored_position(log.log(), plan)?;
    let (buffer, fresh) = match plan.buffer {
        BufferPlan::Ring { messages, bytes } => (ring(RingLimits { messages, bytes }), true),
        BufferPlan::File => file(log, plan, epoch).await?,
    };
    let (_, end) = buffer.bounds();
    let cursors = cursors(log.log(), plan, &buffer, end);
    let removed = removed_sinks(log.log(), plan, buffer.stream(), end, drop_removed)?;
    let versions = versions(
        log,
        plan,
        &buffer,
        cursors.iter().copied().min().unwrap_or(end),
    )?;
    log.append(|| {
        let mut batch = Batch::new();
        batch.set(&keys::epoch(&plan.id), &epoch.to_le_bytes());
        if let Buffer::File(file) = &buffer {
            batch.set(&keys::buffer(&plan.id), file.name().as_bytes());
            for (sink, next) in plan.sinks.iter().zip(&cursors) {
                let cursor = Cursor {
                    next: *next,
                    epoch,
                    stream: file.name().clone(),
                };
                batch.set(&keys::cursor(&plan.id, &sink.id), &cursor.to_bytes());
            }
        }
        for name in &removed {
            batch.unset(name);
        }
        versions.record(&mut batch);
        batch.reserved();
        batch
    })
    .await?;
    let low = cursors.iter().min();
    tracing::debug!(workflow = %plan.id, epoch, fresh, end, low, "workflow taken over");
    Ok(Tenure {
        epoch,
        buffer,
        cursors,
        position,
        versions: versions.compiled,
    })
}

fn ring(limits: RingLimits) -> Buffer {
    // New at each start: its numbers begin at 0 again, so its name must not.
    let name = format!("ring/{}", uuid::Uuid::new_v4().simple());
    Buffer::Ring(Arc::new(Ring::new(name.into(), limits)))
}

async fn file(
    log: &DataLog,
    plan: &WorkflowPlan,
    epoch: u64,
) -> Result<(Buffer, bool), StartError> {
    let key = keys::buffer(&plan.id);
    let stored = log.log().register(&key);
    let fresh = stored.is_none();
    let name = if let Some(bytes) = stored {
        Text::try_from(bytes).map_err(|_| corrupt(&key, &"the name of the buffer is not text"))?
    } else {
        let instance = format!("{:016x}-{epoch}", node_id(log).await?);
        Text::from(keys::buffer_stream(&plan.id, &instance))
    };
    let stream = log
        .log()
        .stream(&name)
        .map_err(crate::log::LogError::from)?;
    Ok((
        Buffer::File(Arc::new(FileBuffer::new(log.clone(), name, stream))),
        fresh,
    ))
}

/// Returns the node's random id, made with the data directory.
async fn node_id(log: &DataLog) -> Result<u64, StartError> {
    if let Some(bytes) = log.log().register(keys::NODE) {
        let id = bytes.first_chunk::<8>().copied().map(u64::from_le_bytes);
        return id.ok_or_else(|| corrupt(keys::NODE, &"the id is too short"));
    }
    let id: u64 = rand::random();
    log.append(|| {
        let mut batch = Batch::new();
        batch.set(keys::NODE, &id.to_le_bytes());
        batch
    })
    .await?;
    Ok(id)
}

fn stored_position(log: &Log, plan: &WorkflowPlan) -> Result<Option<Position>, StartError> {
    let key = keys::position(&plan.id, &plan.source.id);
    let Some(bytes) = log.register(&key) else {
        return Ok(None);
    };
    Position::from_bytes(&bytes)
        .map(Some)
        .map_err(|error| corrupt(&key, &error))
}

/// A sink's stored cursor counts in this buffer, or it is new and begins at the end.
fn cursors(log: &Log, plan: &WorkflowPlan, buffer: &Buffer, end: u64) -> Vec<u64> {
    let (first, _) = buffer.bounds();
    let stored = |sink: &Text| {
        let bytes = log.register(&keys::cursor(&plan.id, sink))?;
        Cursor::from_bytes(&bytes).filter(|cursor| cursor.stream == *buffer.stream())
    };
    let next = |sink: &Text| stored(sink).map_or(end, |cursor| cursor.next.clamp(first, end));
    plan.sinks.iter().map(|sink| next(&sink.id)).collect()
}

/// Returns the cursor registers of sinks that are gone and may be forgotten.
fn removed_sinks(
    log: &Log,
    plan: &WorkflowPlan,
    stream: &Text,
    end: u64,
    drop_removed: &[Text],
) -> Result<Vec<String>, StartError> {
    let prefix = keys::cursors(&plan.id);
    let mut removed = Vec::new();
    for (name, bytes) in log.registers(&prefix) {
        let sink = name.strip_prefix(&prefix).unwrap_or_default();
        if plan.sinks.iter().any(|known| &*known.id == sink) {
            continue;
        }
        let cursor = Cursor::from_bytes(&bytes).filter(|cursor| cursor.stream == *stream);
        let backlog = cursor.map_or(0, |cursor| end.saturating_sub(cursor.next));
        if backlog > 0 && !drop_removed.iter().any(|name| &**name == sink) {
            return Err(StartError::RemovedSink {
                sink: sink.to_owned(),
                backlog,
            });
        }
        if backlog > 0 {
            tracing::warn!(workflow = %plan.id, sink, backlog, "backlog of a removed sink is given up");
        }
        removed.push(name);
    }
    Ok(removed)
}

/// Bytes of a graph version in one register.
const PART_BYTES: usize = 60 << 10;

/// The graph's versions, and what makes the present one known.
struct Recorded {
    compiled: Versions,
    /// Registers of the present version, where it is new.
    set: Vec<(String, Vec<u8>)>,
    /// Registers of versions under which nothing waits any more.
    unset: Vec<String>,
}

impl Recorded {
    fn record(&self, batch: &mut Batch) {
        for (name, part) in &self.set {
            batch.set(name, part);
        }
        for name in &self.unset {
            batch.unset(name);
        }
    }
}

/// Compiles the present graph and those under which a backlog was accepted.
///
/// They are registers and not records of a stream: a record that stays for long would hold its segment of
/// the log, and all segments behind it.
fn versions(
    log: &DataLog,
    plan: &WorkflowPlan,
    buffer: &Buffer,
    low: u64,
) -> Result<Recorded, StartError> {
    let present = compile(&plan.graph, plan).map_err(StartError::Graph)?;
    let Buffer::File(file) = buffer else {
        let compiled = Versions::new(vec![(0, present)]);
        return Ok(Recorded {
            compiled,
            set: Vec::new(),
            unset: Vec::new(),
        });
    };
    let (_, end) = file.bounds();
    let prefix = keys::graphs(&plan.id);
    let registers = log.log().registers(&prefix);
    let mut texts: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    // Parts are put together in the order of their names.
    let parts: BTreeMap<_, _> = registers.iter().map(|(name, part)| (name, part)).collect();
    for (name, part) in parts {
        let from = version_of(name, &prefix).ok_or_else(|| corrupt(name, &"is no version"))?;
        texts.entry(from).or_default().extend_from_slice(part);
    }
    let mut stored = Vec::new();
    for (from, text) in texts {
        let graph = GraphDocument::from_stored(&text).map_err(|error| corrupt(&prefix, &error))?;
        stored.push((from, graph));
    }
    let changed = stored.last().is_none_or(|(_, last)| *last != plan.graph);
    // The version that accepted the lowest waiting message, and all after it, are still needed.
    let needed = stored
        .partition_point(|(from, _)| *from <= low)
        .saturating_sub(1);
    let kept_from = stored.get(needed).map_or(0, |(from, _)| *from);
    let mut compiled = Vec::new();
    for (from, graph) in stored.into_iter().skip(needed) {
        // A version under which nothing was accepted is replaced by the one that follows at its place.
        if changed && from == end {
            continue;
        }
        compiled.push((
            from,
            compile(&graph, plan).map_err(|error| corrupt(&prefix, &error))?,
        ));
    }
    let mut set = Vec::new();
    if changed {
        compiled.push((end, present));
        let text = serde_json::to_vec(&plan.graph).unwrap_or_default();
        for (part, bytes) in text.chunks(PART_BYTES).enumerate() {
            set.push((keys::graph_part(&plan.id, end, part), bytes.to_vec()));
        }
    }
    let outdated = |name: &String| {
        let from = version_of(name, &prefix).unwrap_or(0);
        let replaced = changed && from == end && !set.iter().any(|(new, _)| new == name);
        from < kept_from || replaced
    };
    let unset = registers
        .into_iter()
        .map(|(name, _)| name)
        .filter(outdated)
        .collect();
    Ok(Recorded {
        compiled: Versions::new(compiled),
        set,
        unset,
    })
}

/// Returns the first message of the version that a register belongs to.
fn version_of(name: &str, prefix: &str) -> Option<u64> {
    name.strip_prefix(prefix)?.split('/').next()?.parse().ok()
}

fn compile(graph: &GraphDocument, plan: &WorkflowPlan) -> Result<Arc<Graph>, hermod_sdk::Problems> {
    let sinks: Vec<Text> = plan.sinks.iter().map(|sink| sink.id.clone()).collect();
    Graph::compile(graph, &sinks).map(Arc::new)
}

fn corrupt(name: &str, reason: &dyn ToString) -> StartError {
    StartError::Corrupt {
        name: name.to_owned(),
        reason: reason.to_string(),
    }
}
