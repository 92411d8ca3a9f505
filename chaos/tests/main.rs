//! The proof against nodes that are known to be good or bad: what a checker is worth shows when it must find a fault.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

#[path = "main/cluster.rs"]
mod cluster;
#[path = "main/fake_node.rs"]
mod fake_node;
#[path = "main/prove.rs"]
mod prove;
