//! What a connector says of itself.

use serde::Serialize;

/// How far a connector can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stability {
    /// Config and behaviour are kept.
    Stable,
    /// May change; not verified against the real system.
    Experimental,
}

/// What a sink's confirmation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirms {
    /// The other side took it, and may lose it when it crashes.
    Accepted,
    /// The other side has it on stable storage.
    Durable,
}

/// What a message that is written twice does to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// It may stand there twice.
    AtLeastOnce,
    /// The second write changes nothing (upsert by key, deduplication by id).
    Idempotent,
    /// A token in the data's own transaction skips it, and a stale owner is refused.
    Transactional,
}

/// Where a connector can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Locality {
    /// Any node reaches the same outside system.
    Any,
    /// It is bound to one node's disk or devices.
    Node,
}

/// A connector's self-description.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spec {
    /// Name used as `type` in documents, lower case.
    pub kind: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    /// How far it can be relied on.
    pub stability: Stability,
    /// Where it can run.
    pub locality: Locality,
    /// Sinks: what a confirmation means. Sources: ignored.
    pub confirms: Confirms,
    /// Sinks: what a repeat does. Sources: ignored.
    pub repeats: Repeats,
    /// Sources: whether they can be read again from a position. Push sources cannot.
    pub rereadable: bool,
    /// Sinks: whether a later message of a batch may be taken while an earlier one is refused for now.
    /// The engine then puts at most one message per key into a batch.
    pub partial: bool,
}
