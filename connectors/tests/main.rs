//! Connectors through their public API.

mod contract;
mod http;
mod postgres;
mod slices;
