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
    ownership::{Ownership, Replica},
    pass::Versions,
    stranded::{self, SetAside},
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
    /// The log has an epoch that is not lower: a newer owner was here (I5).
    #[error("epoch {epoch} is not above the last one in the data log, {latest}")]
    Stale {
        /// Epoch of the lease.
        epoch: u64,
        /// Last epoch in the log.
        latest: u64,
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
    /// Name under which the log keeps what belongs to the buffer: the workflow's id, or that of a stranded buffer.
    pub(crate) scope: Text,
    pub(crate) buffer: Buffer,
    pub(crate) cursors: Vec<u64>,
    pub(crate) position: Option<Position>,
    /// Generation of the source's positions while it has none.
    pub(crate) generation: u64,
    pub(crate) versions: Versions,
    pub(crate) replica: Option<Arc<dyn Replica>>,
}

impl Tenure {
    /// Whether a buffer that was set aside is drained, and nothing is taken in.
    pub(crate) fn drains(&self, plan: &WorkflowPlan) -> bool {
        self.scope != plan.id
    }
}

/// Takes a workflow over without a log: everything is in memory.
pub(crate) fn in_memory(plan: &WorkflowPlan) -> Result<Tenure, StartError> {
    let BufferPlan::Ring { messages, bytes } = plan.buffer else {
        return Err(StartError::NoLog);
    };
    let graph = compile(&plan.graph, plan).map_err(StartError::Graph)?;
    let epoch = epoch::next(0);
    Ok(Tenure {
        epoch,
        scope: plan.id.clone(),
        buffer: ring(RingLimits { messages, bytes }),
        cursors: vec![0; plan.sinks.len()],
        position: None,
        generation: epoch,
        versions: Versions::new(vec![(0, graph)]),
        replica: None,
    })
}

/// Takes a workflow over on a log.
///
/// # Durability
/// When it returns, epoch, buffer, cursors and graph version are on disk, and what was overtaken is set aside.
pub(crate) async fn take(
    log: &DataLog,
    plan: &WorkflowPlan,
    drop_removed: &[Text],
    ownership: Option<&Ownership>,
) -> Result<Tenure, StartError> {
    let latest = epoch::latest(log.log(), &plan.id);
    let epoch = ownership.map_or_else(|| epoch::next(latest), |ownership| ownership.epoch);
    let overtaken = ownership
        .is_some_and(|own| stranded::is_overtaken(log.log(), &plan.id, &own.store, own.since));
    // I5: an epoch only grows, also over a change of the store.
    if epoch <= latest && !overtaken {
        return Err(StartError::Stale { epoch, latest });
    }
    let position = position(log.log(), plan, ownership, overtaken)?;
    let (buffer, fresh) = match plan.buffer {
        BufferPlan::Ring { messages, bytes } => (ring(RingLimits { messages, bytes }), true),
        BufferPlan::File => file(log, plan, epoch, overtaken).await?,
    };
    let (_, end) = buffer.bounds();
    let (cursors, removed) = if overtaken {
        (vec![end; plan.sinks.len()], Vec::new())
    } else {
        let removed = removed_sinks(log.log(), plan, buffer.stream(), end, drop_removed)?;
        (cursors(log.log(), plan, &plan.id, &buffer, end), removed)
    };
    let low = cursors.iter().copied().min().unwrap_or(end);
    let versions = versions(log, plan, (&plan.id, overtaken), &buffer, low)?;
    let aside = overtaken.then(|| stranded::judge(log.log(), &plan.id));
    log.append(|| {
        let mut batch = Batch::new();
        if let Some(aside) = &aside {
            stranded::set_aside(log.log(), &plan.id, aside, &mut batch);
        }
        batch.set(&keys::epoch(&plan.id), &epoch.to_le_bytes());
        if let Some(ownership) = ownership {
            batch.set(&keys::store(&plan.id), ownership.store.as_bytes());
        }
        if let Buffer::File(file) = &buffer {
            record_buffer(plan, file, (epoch, &cursors), &mut batch);
        }
        for name in &removed {
            batch.unset(name);
        }
        versions.record(&mut batch);
        batch.reserved();
        batch
    })
    .await?;
    if let Some(aside) = &aside {
        report(&plan.id, aside);
    }
    tracing::debug!(workflow = %plan.id, epoch, fresh, end, low, "workflow taken over");
    Ok(Tenure {
        epoch,
        scope: plan.id.clone(),
        buffer,
        cursors,
        position,
        generation: ownership.map_or(epoch, |ownership| ownership.generation),
        versions: versions.compiled,
        replica: ownership.map(|ownership| ownership.replica.clone()),
    })
}

/// Adds to a batch which buffer is in use, and how far each sink has come in it.
fn record_buffer(
    plan: &WorkflowPlan,
    file: &FileBuffer,
    (epoch, cursors): (u64, &[u64]),
    batch: &mut Batch,
) {
    batch.set(&keys::buffer(&plan.id), file.name().as_bytes());
    batch.set(&keys::level(&plan.id), plan.acknowledge.as_str().as_bytes());
    for (sink, next) in plan.sinks.iter().zip(cursors) {
        let cursor = Cursor {
            next: *next,
            epoch,
            stream: file.name().clone(),
        };
        batch.set(&keys::cursor(&plan.id, &sink.id), &cursor.to_bytes());
    }
}

/// Returns where the source is to be read on: the log's own position, unless another owner came after it.
fn position(
    log: &Log,
    plan: &WorkflowPlan,
    ownership: Option<&Ownership>,
    overtaken: bool,
) -> Result<Option<Position>, StartError> {
    let given = ownership.and_then(|ownership| ownership.position.clone());
    if overtaken {
        return Ok(given);
    }
    Ok(stored_position(log, plan)?.or(given))
}

/// Takes a buffer over that was set aside, to drain it.
pub(crate) async fn take_stranded(
    log: &DataLog,
    plan: &WorkflowPlan,
    scope: &str,
    epoch: u64,
) -> Result<Tenure, StartError> {
    let missing = || corrupt(&keys::buffer(scope), &"there is no such buffer");
    let (name, stream) = stranded::stream_of(log.log(), scope).ok_or_else(missing)?;
    let buffer = Buffer::File(Arc::new(FileBuffer::new(log.clone(), name.into(), stream)));
    let (_, end) = buffer.bounds();
    let cursors = cursors(log.log(), plan, scope, &buffer, end);
    let low = cursors.iter().copied().min().unwrap_or(end);
    let versions = versions(log, plan, (scope, false), &buffer, low)?;
    log.append(|| {
        let mut batch = Batch::new();
        batch.set(&keys::epoch(scope), &epoch.to_le_bytes());
        batch.reserved();
        batch
    })
    .await?;
    Ok(Tenure {
        epoch,
        scope: scope.into(),
        buffer,
        cursors,
        position: None,
        generation: epoch,
        versions: versions.compiled,
        replica: None,
    })
}

/// Says what became of an overtaken buffer.
pub(crate) fn report(workflow: &str, aside: &SetAside) {
    match aside {
        SetAside::Nothing => {}
        SetAside::Discarded { messages } => tracing::info!(
            workflow,
            messages,
            "buffer was overtaken by another owner and is discarded; the source has its messages"
        ),
        SetAside::Stranded(backlog) => tracing::warn!(
            workflow,
            stream = backlog.stream,
            messages = backlog.messages(),
            "buffer was overtaken by another owner and is stranded here until it is drained"
        ),
    }
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
    overtaken: bool,
) -> Result<(Buffer, bool), StartError> {
    let key = keys::buffer(&plan.id);
    let stored = log.log().register(&key).filter(|_| !overtaken);
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
fn cursors(log: &Log, plan: &WorkflowPlan, scope: &str, buffer: &Buffer, end: u64) -> Vec<u64> {
    let (first, _) = buffer.bounds();
    let stored = |sink: &Text| {
        let bytes = log.register(&keys::cursor(scope, sink))?;
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
        for name in &self.unset {
            batch.unset(name);
        }
        for (name, part) in &self.set {
            batch.set(name, part);
        }
    }
}

/// Compiles the present graph and those under which a backlog was accepted.
///
/// They are registers and not records of a stream: a record that stays for long would hold its segment of
/// the log, and all segments behind it. Those of an overtaken buffer are left to it.
fn versions(
    log: &DataLog,
    plan: &WorkflowPlan,
    (scope, overtaken): (&str, bool),
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
    let prefix = keys::graphs(scope);
    let registers = if overtaken {
        Vec::new()
    } else {
        log.log().registers(&prefix)
    };
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
    // What is drained was accepted before; nothing is accepted under the present version.
    let drains = scope != &*plan.id && !stored.is_empty();
    let changed = !drains && stored.last().is_none_or(|(_, last)| *last != plan.graph);
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
            set.push((keys::graph_part(scope, end, part), bytes.to_vec()));
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
