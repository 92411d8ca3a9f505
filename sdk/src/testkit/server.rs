//! Starters of servers for tests: the real one where a package has it, a scripted one where the other side is
//! to misbehave on command.
//!
//! Each listens on 127.0.0.1 on a free port, owns its files, and is gone when its value is dropped. A missing
//! server is a panic that names the package, never a skipped test.

mod http;
mod postgres;

pub use http::{Answer, Http, Seen};
pub use postgres::Postgres;

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Calls `ready` until it returns true.
///
/// # Panics
/// If it has not by the deadline; the message is `failure`'s.
pub fn wait_until(within: Duration, mut ready: impl FnMut() -> bool, failure: impl Fn() -> String) {
    let deadline = Instant::now() + within;
    while !ready() {
        assert!(Instant::now() < deadline, "{}", failure());
        std::thread::sleep(Duration::from_millis(20));
    }
}
