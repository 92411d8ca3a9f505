//! The server over real sockets, with a stand-in for the node.

// The attribute tells clippy that these modules are tests as a whole.
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod graphql;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod node;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod wire;
