//! The one list of what the engine keeps in the data log, and under which name.
//!
//! | name | kind | holds |
//! |---|---|---|
//! | `buf/{workflow}/{instance}` | stream | messages that wait for delivery ([`crate::envelope`]) |
//! | `dlq/{workflow}` | stream | dead letters ([`crate::dead_letter`]) |
//! | `buffer/{workflow}` | register | name of the workflow's current buffer stream |
//! | `epoch/{workflow}` | register | epoch of the last owner, u64 |
//! | `cursor/{workflow}/{sink}` | register | a sink's cursor ([`crate::checkpoint`]) |
//! | `graph/{workflow}/{from}/{part}` | register | version of the graph that messages from this number on were accepted under |
//! | `position/{workflow}/{source}` | register | a source's position |
//! | `marks/{workflow}/{chunk}` | register | what became of 8,192 dead letters |
//! | `level/{workflow}` | register | acknowledge level under which the buffer is filled |
//! | `store/{workflow}` | register | the store whose lease gave the last epoch; absent without a store |
//! | `node` | register | the node's random id, u64 |
//!
//! Names hold no other `/` than these: ids are checked when a bundle is read. What belongs to a buffer that another
//! owner has overtaken stands under `{workflow}~{instance}` instead of `{workflow}` ([`crate::stranded`]).

/// The node's random id.
pub(crate) const NODE: &str = "node";

/// All registers of buffers in use or set aside.
pub(crate) const BUFFERS: &str = "buffer/";

pub(crate) fn level(scope: &str) -> String {
    format!("level/{scope}")
}

pub(crate) fn store(scope: &str) -> String {
    format!("store/{scope}")
}

pub(crate) fn positions(workflow: &str) -> String {
    format!("position/{workflow}/")
}

/// Returns a register's name in another scope.
pub(crate) fn moved(name: &str, from: &str, to: &str) -> String {
    let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
    let rest = rest.strip_prefix(from).unwrap_or(rest);
    format!("{kind}/{to}{rest}")
}

pub(crate) fn buffer_stream(workflow: &str, instance: &str) -> String {
    format!("buf/{workflow}/{instance}")
}

pub(crate) fn dead_letter_stream(workflow: &str) -> String {
    format!("dlq/{workflow}")
}

pub(crate) fn graphs(workflow: &str) -> String {
    format!("graph/{workflow}/")
}

/// Numbers are padded, so that names sort as the numbers do.
pub(crate) fn graph_part(workflow: &str, from: u64, part: usize) -> String {
    format!("graph/{workflow}/{from:020}/{part:04}")
}

pub(crate) fn buffer(workflow: &str) -> String {
    format!("buffer/{workflow}")
}

pub(crate) fn epoch(workflow: &str) -> String {
    format!("epoch/{workflow}")
}

pub(crate) fn cursor(workflow: &str, sink: &str) -> String {
    format!("cursor/{workflow}/{sink}")
}

pub(crate) fn cursors(workflow: &str) -> String {
    format!("cursor/{workflow}/")
}

pub(crate) fn position(workflow: &str, source: &str) -> String {
    format!("position/{workflow}/{source}")
}

pub(crate) fn marks(workflow: &str, chunk: u64) -> String {
    format!("marks/{workflow}/{chunk}")
}
