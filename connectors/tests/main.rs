//! Connectors through their public API.

mod slices;
