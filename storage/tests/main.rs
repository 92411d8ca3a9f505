//! Tests of the stores through their public interface.

mod raft;
