//! Buffers that another owner has overtaken: set aside under names of their own, drained later, or discarded.
//!
//! Everything that belongs to the numbering of one buffer stream is kept under a *scope*: the id of the workflow for
//! the buffer in use, `{workflow}~{instance}` for one that is set aside. Ids hold no `~`.

use hermod_wal::{Batch, Log, StreamId};

use crate::{checkpoint::Cursor, document::Level, epoch, keys};

/// A buffer stream of level `durable`, in use or set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Id of the workflow.
    pub workflow: String,
    /// Name under which it is kept: the workflow's id while it is in use.
    pub scope: String,
    /// Name of the stream.
    pub stream: String,
    /// Epoch under which it was last owned.
    pub epoch: u64,
    /// First number that some sink has not passed.
    pub cursor: u64,
    /// Number that the next message would get.
    pub end: u64,
}

impl Backlog {
    /// Returns whether another owner has overtaken it.
    pub fn is_set_aside(&self) -> bool {
        self.scope != self.workflow
    }

    /// Returns how many messages wait for at least one sink.
    pub fn messages(&self) -> u64 {
        self.end.saturating_sub(self.cursor)
    }
}

/// Lists all buffer streams of the log, those that are set aside included.
pub(crate) fn backlogs(log: &Log) -> Vec<Backlog> {
    let registers = log.registers(keys::BUFFERS);
    let scopes = registers
        .iter()
        .filter_map(|(name, _)| name.strip_prefix(keys::BUFFERS));
    scopes.filter_map(|scope| backlog(log, scope)).collect()
}

/// Returns the buffer of a scope, if there is one.
pub(crate) fn backlog(log: &Log, scope: &str) -> Option<Backlog> {
    let (stream, id) = stream_of(log, scope)?;
    let bounds = log.bounds(id)?;
    let prefix = keys::cursors(scope);
    let cursors = log.registers(&prefix).into_iter().filter_map(|(_, bytes)| {
        let cursor = Cursor::from_bytes(&bytes)?;
        (*cursor.stream == *stream).then_some(cursor.next)
    });
    let cursor = cursors.min().unwrap_or(bounds.first.0);
    Some(Backlog {
        workflow: scope.split('~').next().unwrap_or(scope).to_owned(),
        scope: scope.to_owned(),
        stream,
        epoch: epoch::latest(log, scope),
        cursor: cursor.max(bounds.first.0),
        end: bounds.durable.0,
    })
}

pub(crate) fn stream_of(log: &Log, scope: &str) -> Option<(String, StreamId)> {
    let name = log.register(&keys::buffer(scope))?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    let id = log.find_stream(&name)?;
    Some((name, id))
}

/// Whether what the log keeps of a workflow is older than the present node's tenure.
///
/// What no store has given an epoch to is this node's own history and goes on.
pub(crate) fn is_overtaken(log: &Log, workflow: &str, store: &str, since: u64) -> bool {
    let latest = epoch::latest(log, workflow);
    match log.register(&keys::store(workflow)) {
        Some(known) if known == store.as_bytes() => latest < since,
        Some(_) => true,
        None => false,
    }
}

/// What became of an overtaken buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// There was none, or nothing waited in it.
    Nothing,
    /// Level `delivered`: the source has all of it, so it was dropped.
    Discarded {
        /// Messages that were in it.
        messages: u64,
    },
    /// Level `durable`: it waits to be drained.
    Stranded(Backlog),
}

/// Decides what is to become of an overtaken buffer.
pub(crate) fn judge(log: &Log, workflow: &str) -> SetAside {
    let Some(found) = backlog(log, workflow) else {
        return SetAside::Nothing;
    };
    let level = log.register(&keys::level(workflow));
    let delivered = level.is_some_and(|level| level == Level::Delivered.as_str().as_bytes());
    match found.messages() {
        0 => SetAside::Nothing,
        messages if delivered => SetAside::Discarded { messages },
        _ => {
            let instance = found.stream.rsplit('/').next().unwrap_or_default();
            let scope = format!("{workflow}~{instance}");
            SetAside::Stranded(Backlog { scope, ..found })
        }
    }
}

/// Adds to a batch what takes an overtaken buffer out of use, as it was judged.
pub(crate) fn set_aside(log: &Log, workflow: &str, judged: &SetAside, batch: &mut Batch) {
    for (name, _) in log.registers(&keys::positions(workflow)) {
        // The store's position is newer than that of an overtaken owner.
        batch.unset(&name);
    }
    let SetAside::Stranded(Backlog { scope, .. }) = judged else {
        return forget(log, workflow, batch);
    };
    for name in registers(log, workflow) {
        let value = log.register(&name).unwrap_or_default();
        batch.set(&keys::moved(&name, workflow, scope), &value);
        batch.unset(&name);
    }
}

/// Adds to a batch what removes a buffer with everything that belongs to it.
pub(crate) fn forget(log: &Log, scope: &str, batch: &mut Batch) {
    if let Some((_, stream)) = stream_of(log, scope) {
        batch.remove(stream);
    }
    for name in registers(log, scope) {
        batch.unset(&name);
    }
}

/// Registers that belong to the numbering of a scope's buffer.
fn registers(log: &Log, scope: &str) -> Vec<String> {
    let single = [
        keys::buffer(scope),
        keys::epoch(scope),
        keys::level(scope),
        keys::store(scope),
    ];
    let mut names: Vec<String> = single
        .into_iter()
        .filter(|name| log.register(name).is_some())
        .collect();
    for prefix in [keys::cursors(scope), keys::graphs(scope)] {
        names.extend(log.registers(&prefix).into_iter().map(|(name, _)| name));
    }
    names
}
