//! Tests of the stores through their public interface.
#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod conformance;
mod memory;
mod raft;
mod sqlite;
