//! Black-box harness: runs real nodes, kills them while they work, and checks what they promised.
//!
//! It speaks HTTP and SQL and reads files, nothing else: it knows no type of the engine or the log, so that a mistake
//! there cannot hide itself here. Verdicts come from a checker over recorded histories, never from log lines.
//!
//! What this crate is not: a load generator to measure speed with (see `benches/`).

mod clock;
pub mod cluster;
mod http;
mod machine;
pub mod prove;

pub use clock::rfc3339;
pub use machine::Machine;
