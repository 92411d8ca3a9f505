//! The bytes on disk: golden files, and files of a newer program.

use std::sync::Arc;

use hermod_wal::{Log, OpenError, Options, Seq, SyncPolicy};

use crate::basics::{append, payloads, read_all, run};
use crate::memory::{Memory, small};

const GOLDEN: &[u8] = include_bytes!("../testdata/segment-v1.bin");

/// What the golden file was made of, on a disk whose salts are always the same.
fn golden_log() -> Vec<u8> {
    let disk = Memory::new(0x5EED);
    // Without syncs there are no marks, whose time of writing is nobody's business here.
    let log = disk
        .open_log(Options {
            sync: SyncPolicy::Os,
            ..small()
        })
        .unwrap();
    let orders = log.stream("orders").unwrap();
    append(&log, orders, &[b"one", b"", b"three"]);
    let other = log.stream("other").unwrap();
    run(&log, |batch| {
        batch.append(other, b"x");
        batch.trim(orders, Seq(1));
        batch.set("source/position", b"\x00\x01");
        batch.set("gone", b"1");
        batch.unset("gone");
        batch.rewind(orders, Seq(2));
        batch.append(orders, b"three again");
    })
    .unwrap();
    run(&log, |batch| {
        batch.remove(other);
        batch.reserved();
    })
    .unwrap();
    let third = log.stream("third").unwrap();
    run(&log, |batch| batch.start_at(third, Seq(100))).unwrap();
    log.close().unwrap();
    let segment = disk.segments().pop().unwrap();
    let mut bytes = disk.content(&segment);
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(used);
    bytes
}

#[test]
fn a_log_of_version_1_is_written_as_it_always_was() {
    let bytes = golden_log();
    if let Ok(path) = std::env::var("HERMOD_WAL_WRITE_GOLDEN") {
        std::fs::write(path, &bytes).unwrap();
    }
    assert!(bytes == GOLDEN, "the bytes on disk have changed");
}

#[test]
fn a_log_of_version_1_is_read() {
    let disk = Memory::new(1);
    let log = disk.open_log(small()).unwrap();
    drop(log);
    let segment = disk.segments().pop().unwrap();
    disk.change(&segment, |bytes| {
        bytes.fill(0);
        bytes[..GOLDEN.len()].copy_from_slice(GOLDEN);
    });
    let log = disk.open_log(small()).unwrap();
    assert!(log.recovery().damage.is_empty());
    let orders = log.find_stream("orders").unwrap();
    let records = read_all(&log, orders, Seq(1));
    assert_eq!(payloads(&records), [&b""[..], b"three again"]);
    assert_eq!(log.register("source/position").unwrap()[..], [0, 1]);
    assert_eq!(log.register("gone"), None);
    assert_eq!(log.find_stream("other"), None);
    let third = log.find_stream("third").unwrap();
    assert_eq!(log.bounds(third).unwrap().next, Seq(100));
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    append(&log, log.stream("a").unwrap(), &[b"x"]);
    drop(log);
    let segment = disk.segments().pop().unwrap();
    disk.change(&segment, |bytes| {
        bytes[8] = 2;
        bytes[4096 + 8] = 2;
    });
    let before = disk.content(&segment);
    let error = Log::open_on(small(), Arc::new(disk.clone())).unwrap_err();
    let OpenError::NewerFormat {
        dir,
        found,
        supported,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((dir.to_str(), *found, *supported), (Some("/log"), 2, 1));
    assert!(error.to_string().contains("/log"), "{error}");
    assert_eq!(disk.content(&segment), before);
    // The lock was let go.
    assert!(matches!(
        disk.open_log(small()).unwrap_err(),
        OpenError::NewerFormat { .. }
    ));
}
