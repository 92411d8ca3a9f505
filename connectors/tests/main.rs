//! Connectors through their public API.

mod http;
mod slices;
