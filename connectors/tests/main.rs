//! Connectors through their public API.

mod http;
mod postgres;
mod slices;
