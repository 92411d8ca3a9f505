//! The durable form of a message: arbitrary bytes are read or refused, and what is read is written back as it was.
#![no_main]
#![allow(dead_code, reason = "the engine keeps these modules to itself; here only reading and writing are used")]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../engine/src/envelope.rs"]
mod envelope;
#[path = "../../engine/src/wire.rs"]
mod wire;

fuzz_target!(|data: &[u8]| {
    let Ok(read) = envelope::decode(&Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut written = Vec::new();
    envelope::encode(&read.message, read.target.as_ref(), &mut written);
    let again = envelope::decode(&Bytes::from(written)).expect("what was written can be read");
    assert_eq!(read, again);
});
