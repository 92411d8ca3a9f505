//! The contract suite, and starters of servers for tests.
//!
//! A connector gives a driver that can write to, or read from, the outside system, and calls
//! [`check_source`] or [`check_sink`] once; the suite does the rest. It panics with the name of what does
//! not hold.
//!
//! What the suite cannot know is whether the outside system itself keeps what it confirms; a driver that can
//! kill and restart it makes the suite look.

mod deadline;
pub mod server;
mod sink;
mod source;

pub use sink::{Effect, SinkDriver, check_sink};
pub use source::{SourceDriver, check_source};
