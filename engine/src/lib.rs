//! Hermod's engine: everything between a source and its sinks.
//!
//! One workflow is one pipeline: *intake* reads a source (or takes pushed messages) and puts batches into
//! a *buffer* (a ring in memory, or a stream of the data log), the *pass* evaluates the workflow's graph
//! once for all sinks that keep up, and one *delivery* per sink writes batches in log order, retries, and
//! moves its own cursor. What cannot be delivered becomes a *dead letter*, a record of the same log.
//!
//! What this crate is not: it knows no connector, no configuration file, no HTTP and no metadata store.

mod backoff;
mod buffer;
mod checkpoint;
mod clock;
mod dead_letter;
mod delivery;
mod document;
mod engine;
mod envelope;
mod epoch;
mod graph;
mod ingress;
mod intake;
mod keys;
mod log;
mod metrics;
mod ownership;
mod pass;
mod pipeline;
mod probes;
mod progress;
mod stamp;
mod status;
mod stranded;
mod tasks;
mod tenure;
mod wire;

pub use dead_letter::{DeadLetter, DeadLetterError, DeadLetters, Fate, Origin};
pub use document::{
    BatchPlan, BufferPlan, Catalog, Checked, DeliveryPlan, EdgeDocument, GraphDocument, Level,
    NodeDocument, OnOutage, OnSlowSink, RetryPlan, SinkPlan, SourcePlan, WorkflowPlan, check,
};
pub use engine::{Drained, Ended, Engine, EngineOptions, Workflow};
pub use graph::{Evaluated, Failure, Graph, NodeInfo, SinkSet};
pub use ingress::{Ingress, SubmitError};
pub use log::LogError;
pub use metrics::Metrics;
pub use ownership::{Overtaken, Ownership, Replica};
pub use status::{SinkStatus, State, Status};
pub use stranded::{Backlog, SetAside};
pub use tasks::Tasks;
pub use tenure::StartError;
pub use wire::WireError;
