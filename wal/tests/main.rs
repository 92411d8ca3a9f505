//! Tests through the public API.

mod basics;
