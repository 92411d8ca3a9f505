//! Connectors through their public API.

// `cfg(test)` tells clippy that these are tests, helpers included.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod http;
#[cfg(test)]
mod postgres;
mod slices;
