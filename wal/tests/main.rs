//! Tests through the public API.
#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod basics;
mod crash;
mod damage;
mod durability;
mod failure;
mod format;
mod kill;
mod memory;
mod model;
mod room;
