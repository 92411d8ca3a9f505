//! The server over real sockets, with a stand-in for the node.

mod bounds;
mod node;
mod probes;
mod webhooks;
mod wire;
