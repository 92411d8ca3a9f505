//! Taking a workflow over: its epoch, its buffer, its cursors, its graph versions, in one atomic write.

use std::sync::Arc;

use hermod_sdk::{Position, Text};
use hermod_wal::{Batch, Log, ReadLimit, Seq, Visibility};

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
    tracing::debug!(workflow = %plan.id, epoch, fresh, end, ?cursors, "workflow taken over");
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

/// The graph's versions, and the record that makes the present one known.
struct Recorded {
    compiled: Versions,
    stream: Option<hermod_wal::StreamId>,
    record: Option<Vec<u8>>,
    // Records below this are of versions under which nothing waits any more.
    trim: Option<u64>,
}

impl Recorded {
    fn record(&self, batch: &mut Batch) {
        let Some(stream) = self.stream else { return };
        if let Some(record) = &self.record {
            batch.append(stream, record);
        }
        if let Some(trim) = self.trim {
            batch.trim(stream, Seq(trim));
        }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Version {
    from: u64,
    graph: GraphDocument,
}

/// Compiles the present graph and those under which a backlog was accepted.
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
            stream: None,
            record: None,
            trim: None,
        });
    };
    let (_, end) = file.bounds();
    let name = keys::graph_stream(&plan.id);
    let stream = log
        .log()
        .stream(&name)
        .map_err(crate::log::LogError::from)?;
    let first = log
        .log()
        .bounds(stream)
        .map_or(Seq(0), |bounds| bounds.first);
    let limit = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let records = log.log().read(stream, first, limit, Visibility::Appended);
    let mut stored = Vec::new();
    for record in records.map_err(|error| corrupt(&name, &error))? {
        let version: Version =
            serde_json::from_slice(&record.payload).map_err(|error| corrupt(&name, &error))?;
        stored.push((record.seq.0, version));
    }
    let changed = stored
        .last()
        .is_none_or(|(_, last)| last.graph != plan.graph);
    // The version that accepted the lowest waiting message, and all after it, are still needed.
    let needed = stored
        .partition_point(|(_, version)| version.from <= low)
        .saturating_sub(1);
    let trim = stored.get(needed).map(|(seq, _)| *seq);
    let mut compiled = Vec::new();
    for (_, version) in stored.into_iter().skip(needed) {
        let graph = compile(&version.graph, plan).map_err(|error| corrupt(&name, &error))?;
        compiled.push((version.from, graph));
    }
    let record = changed.then(|| {
        compiled.push((end, present));
        serde_json::to_vec(&Version {
            from: end,
            graph: plan.graph.clone(),
        })
        .unwrap_or_default()
    });
    Ok(Recorded {
        compiled: Versions::new(compiled),
        stream: Some(stream),
        record,
        trim,
    })
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
