//! The contract suite (see the design) and starters of real servers.

pub mod server;
