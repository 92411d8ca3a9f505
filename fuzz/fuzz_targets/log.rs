//! A segment file from anywhere: verifying, opening and reading never panic, and no record is served that was not
//! written (I6).
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hermod_wal::{Batch, Log, Options, ReadError, ReadLimit, Record, Seq, Visibility, verify};
use libfuzzer_sys::fuzz_target;

/// Most bytes that are changed: too few to also make a checksum fit, which is no damage but forgery.
const EDITS_MAX: usize = 3;
const RECORDS: u64 = 40;
const STREAMS: [&str; 2] = ["a", "b"];

struct Template {
    name: PathBuf,
    bytes: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(template);
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let ours = mode % 4 != 0;
    let bytes = if ours { edited(&template.bytes, rest) } else { rest.to_vec() };
    let dir = private_dir();
    std::fs::write(dir.path().join(&template.name), bytes).unwrap();
    // Whether it is refused or reported is the log's to say; what counts is that it says something.
    drop(verify(dir.path()));
    if let Ok(log) = Log::open(options(dir.path())) {
        read_all(&log, ours);
    }
});

/// Changes a few bytes of a segment, at offsets that the input names, and perhaps cuts it.
fn edited(segment: &[u8], input: &[u8]) -> Vec<u8> {
    let mut bytes = segment.to_vec();
    for edit in input.chunks_exact(4).take(EDITS_MAX) {
        let at = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize % bytes.len();
        bytes[at] ^= edit[3];
    }
    if let Some(cut) = input.chunks_exact(4).nth(EDITS_MAX) {
        let length = u32::from_le_bytes([cut[0], cut[1], cut[2], 0]) as usize;
        bytes.truncate(length);
    }
    bytes
}

fn read_all(log: &Log, ours: bool) {
    let limit = ReadLimit { records: 16, bytes: 1 << 16 };
    for info in log.streams() {
        let mut next = info.first;
        while next < info.next {
            match log.read(info.id, next, limit, Visibility::Durable) {
                Ok(records) if records.is_empty() => break,
                Ok(records) => {
                    for record in &records {
                        if ours {
                            assert_written(&info.name, record);
                        }
                        next = record.seq.next();
                    }
                }
                Err(ReadError::Trimmed { first }) if first > next => next = first,
                Err(_) => next = next.next(),
            }
        }
    }
}

/// A stream whose name was damaged is served under another one; its records are still its own.
fn assert_written(stream: &str, record: &Record) {
    let known = STREAMS.contains(&stream);
    let of = |name: &&str| record.payload == payload(name, record.seq);
    let written = if known { of(&stream) } else { STREAMS.iter().any(of) };
    assert!(written, "`{stream}` {}: {:?} was not written", record.seq, record.payload);
}

/// Makes a segment with records of two streams, a register and a trim.
fn template() -> Template {
    let dir = private_dir();
    let log = Log::open(options(dir.path())).unwrap();
    for seq in 0..RECORDS {
        let mut batch = Batch::new();
        for stream in STREAMS {
            let id = log.stream(stream).unwrap();
            batch.append(id, payload(stream, Seq(seq)).as_bytes());
        }
        batch.set("cursor", &seq.to_le_bytes());
        if seq == RECORDS / 2 {
            batch.trim(log.stream("a").unwrap(), Seq(3));
        }
        log.append(batch).unwrap().wait().unwrap();
    }
    log.close().unwrap();
    drop(log);
    let newest = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read(path).unwrap().windows(6).any(|bytes| bytes == b"a-7 ab"))
        .max()
        .expect("a segment holds the records");
    let bytes = std::fs::read(&newest).unwrap();
    Template { name: newest.file_name().unwrap().into(), bytes }
}

fn payload(stream: &str, seq: Seq) -> String {
    let Seq(seq) = seq;
    format!("{stream}-{seq} {}", "abcdefgh".repeat(seq as usize % 9))
}

fn options(dir: &Path) -> Options {
    Options { segment_bytes: 64 << 10, spare_segments: 1, ..Options::new(dir) }
}

/// Makes a directory in memory where there is such a thing: thousands of logs are opened a minute.
fn private_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).unwrap()
}
