//! Connectors through their public API.

// `cfg(test)` tells clippy that these are tests, helpers included.
#[cfg(test)]
mod contract;
mod http;
mod postgres;
mod slices;
