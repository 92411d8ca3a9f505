//! The engine through its public API, with sources and sinks in memory and a real log on disk.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests"
)]

mod acknowledgement;
mod damage;
mod dead_letters;
mod delivery;
mod kit;
mod ownership;
mod restart;
mod shutdown;
