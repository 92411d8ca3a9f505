//! Streams, registers, trims and rewinds, across reopening.

use hermod_wal::{
    AppendError, Batch, Log, Lsn, OpenError, Options, ReadError, ReadLimit, Record, Seq, StreamId,
    Visibility,
};
use tempfile::TempDir;

pub(crate) const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

/// Small files, so that tests are quick and meet the ends of segments.
pub(crate) fn small(dir: &TempDir) -> Options {
    Options {
        segment_bytes: 64 << 10,
        reserve_bytes: 0,
        tail_bytes_max: 4 << 10,
        ..Options::new(dir.path())
    }
}

pub(crate) fn open(dir: &TempDir) -> Log {
    Log::open(small(dir)).unwrap()
}

pub(crate) fn append(log: &Log, stream: StreamId, payloads: &[&[u8]]) -> Lsn {
    let mut batch = Batch::new();
    for payload in payloads {
        batch.append(stream, payload);
    }
    log.append(batch).unwrap().wait().unwrap()
}

pub(crate) fn run(log: &Log, fill: impl FnOnce(&mut Batch)) -> Result<Lsn, AppendError> {
    let mut batch = Batch::new();
    fill(&mut batch);
    log.append(batch)?.wait()
}

/// All durable records from `from` on, read in small pieces.
pub(crate) fn read_all(log: &Log, stream: StreamId, from: Seq) -> Vec<Record> {
    let mut reader = log.reader(stream, from);
    let mut records = Vec::new();
    loop {
        let limit = ReadLimit {
            records: 7,
            bytes: 2000,
        };
        let read = reader.read(limit).unwrap();
        if read.is_empty() {
            return records;
        }
        records.extend(read);
    }
}

pub(crate) fn payloads(records: &[Record]) -> Vec<&[u8]> {
    records
        .iter()
        .map(|record| record.payload.as_ref())
        .collect()
}

#[test]
fn what_was_appended_is_read_and_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open(&dir);
        assert!(log.recovery().clean);
        let a = log.stream("a").unwrap();
        let b = log.stream("b").unwrap();
        append(&log, a, &[b"one", b"two"]);
        run(&log, |batch| {
            batch.append(b, b"x");
            batch.append(a, b"three");
            batch.set("position", b"42");
        })
        .unwrap();
        assert_eq!(
            payloads(&read_all(&log, a, Seq::ZERO)),
            [&b"one"[..], b"two", b"three"]
        );
        log.close().unwrap();
        assert_eq!(log.append(Batch::new()).unwrap_err(), AppendError::Closed);
    }
    let log = open(&dir);
    assert!(log.recovery().clean);
    let a = log.find_stream("a").unwrap();
    let b = log.find_stream("b").unwrap();
    assert_eq!(
        payloads(&read_all(&log, a, Seq(1))),
        [&b"two"[..], b"three"]
    );
    assert_eq!(payloads(&read_all(&log, b, Seq::ZERO)), [&b"x"[..]]);
    assert_eq!(log.register("position").unwrap(), "42");
    assert_eq!(log.bounds(a).unwrap().durable, Seq(3));
    append(&log, a, &[b"four"]);
    assert_eq!(read_all(&log, a, Seq(3))[0].seq, Seq(3));
}

#[test]
fn many_segments_are_read_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let record = |stream: u64, n: u64| format!("{stream}/{n}/{}", "x".repeat((n % 700) as usize));
    let count = 1500;
    {
        let log = open(&dir);
        let ids: Vec<_> = (0..3)
            .map(|n| log.stream(&format!("s{n}")).unwrap())
            .collect();
        for n in 0..count {
            let mut batch = Batch::new();
            for (stream, id) in ids.iter().enumerate() {
                batch.append(*id, record(stream as u64, n).as_bytes());
            }
            let ticket = log.append(batch).unwrap();
            if n % 50 == 0 {
                ticket.wait().unwrap();
            }
        }
        log.append(Batch::new()).unwrap().wait().unwrap();
        assert!(log.stats().segments > 10, "{:?}", log.stats());
        for (stream, id) in ids.iter().enumerate() {
            let records = read_all(&log, *id, Seq::ZERO);
            assert_eq!(records.len() as u64, count);
            for (n, got) in records.iter().enumerate() {
                assert_eq!(got.payload, record(stream as u64, n as u64));
            }
        }
    }
    let log = open(&dir);
    for stream in 0..3 {
        let id = log.find_stream(&format!("s{stream}")).unwrap();
        for from in [0, 1, 700, count - 1] {
            let records = read_all(&log, id, Seq(from));
            assert_eq!(records.len() as u64, count - from);
            assert_eq!(records[0].payload, record(stream, from));
            assert_eq!(records.last().unwrap().payload, record(stream, count - 1));
        }
    }
}

#[test]
fn a_trim_hides_records_and_a_trim_beyond_the_end_moves_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0", b"1", b"2"]);
    run(&log, |batch| batch.trim(a, Seq(2))).unwrap();
    let error = log.read(a, Seq(1), ALL, Visibility::Durable).unwrap_err();
    assert!(matches!(error, ReadError::Trimmed { first: Seq(2) }));
    assert_eq!(payloads(&read_all(&log, a, Seq(2))), [b"2"]);
    run(&log, |batch| batch.trim(a, Seq(10))).unwrap();
    assert_eq!(log.bounds(a).unwrap().next, Seq(10));
    append(&log, a, &[b"10"]);
    assert_eq!(read_all(&log, a, Seq(10))[0].seq, Seq(10));
    drop(log);
    let log = open(&dir);
    assert_eq!(log.bounds(a).unwrap().first, Seq(10));
    assert_eq!(payloads(&read_all(&log, a, Seq(10))), [b"10"]);
}

#[test]
fn an_empty_stream_may_begin_anywhere_and_only_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    run(&log, |batch| {
        batch.start_at(a, Seq(7));
        batch.append(a, b"seven");
    })
    .unwrap();
    assert_eq!(read_all(&log, a, Seq(7))[0].seq, Seq(7));
    let error = run(&log, |batch| batch.start_at(a, Seq(1))).unwrap_err();
    assert_eq!(error, AppendError::NotEmpty { stream: a });
    run(&log, |batch| {
        batch.rewind(a, Seq(7));
        batch.start_at(a, Seq(1));
        batch.append(a, b"one");
    })
    .unwrap();
    drop(log);
    let log = open(&dir);
    let records = read_all(&log, a, Seq(1));
    assert_eq!(payloads(&records), [b"one"]);
}

#[test]
fn a_batch_that_is_refused_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    let gone = log.stream("gone").unwrap();
    run(&log, |batch| batch.remove(gone)).unwrap();
    let error = run(&log, |batch| {
        batch.append(a, b"lost");
        batch.set("r", b"lost");
        batch.append(gone, b"lost");
    })
    .unwrap_err();
    assert_eq!(error, AppendError::UnknownStream { stream: gone });
    assert_eq!(log.bounds(a).unwrap().next, Seq::ZERO);
    assert_eq!(log.register("r"), None);
    let error = run(&log, |batch| batch.set("r", &vec![0; (64 << 10) + 1])).unwrap_err();
    assert!(matches!(error, AppendError::RegisterTooLarge { .. }));
    let error = run(&log, |batch| batch.append(a, &vec![0; 64 << 10])).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }));
    let again = log.stream("gone").unwrap();
    assert_ne!(again, gone);
    append(&log, a, &[b"first"]);
    assert_eq!(read_all(&log, a, Seq::ZERO).len(), 1);
}

#[test]
fn appended_records_are_seen_before_they_are_durable_only_if_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0", b"1", b"2", b"3"]);
    let mut batch = Batch::new();
    batch.rewind(a, Seq(2));
    batch.append(a, b"two");
    let ticket = log.append(batch).unwrap();
    assert_eq!(ticket.first(a), Some(Seq(2)));
    let appended = log.read(a, Seq::ZERO, ALL, Visibility::Appended).unwrap();
    assert_eq!(appended.len().min(2), 2);
    let two = log.read(a, Seq(2), ALL, Visibility::Appended).unwrap();
    assert_eq!(payloads(&two), [b"two"]);
    ticket.wait().unwrap();
    let durable = read_all(&log, a, Seq::ZERO);
    assert_eq!(payloads(&durable), [&b"0"[..], b"1", b"two"]);
}

#[test]
fn a_locked_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    assert!(matches!(
        Log::open(small(&dir)).unwrap_err(),
        OpenError::Locked { .. }
    ));
    drop(log);
    open(&dir);
}

#[test]
fn registers_are_listed_by_prefix_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    run(&log, |batch| {
        batch.set("a/1", b"1");
        batch.set("a/2", b"2");
        batch.set("b/1", b"3");
    })
    .unwrap();
    run(&log, |batch| batch.unset("a/1")).unwrap();
    drop(log);
    let log = open(&dir);
    let names: Vec<_> = log
        .registers("a/")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a/2"]);
    assert_eq!(log.registers("").len(), 2);
}
