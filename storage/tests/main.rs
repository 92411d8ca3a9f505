//! Tests of the stores through their public interface.

mod conformance;
mod memory;
mod sqlite;
