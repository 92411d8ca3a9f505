//! Segments: recycling, readers that hold them, starting with a large backlog.

use std::thread;
use std::time::{Duration, Instant};

use hermod_wal::{Batch, Options, ReadError, ReadLimit, Seq, Visibility, inspect, verify};

use crate::basics::{ALL, append, open, payloads, read_all, run};
use crate::memory::{Memory, small};

fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain");
        thread::yield_now();
    }
}

#[test]
fn trimmed_segments_are_recycled_and_files_stay_bounded() {
    let disk = Memory::new(1);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    let quiet = log.stream("quiet").unwrap();
    append(&log, quiet, &[b"still here"]);
    append(&log, a, &[b"x"]);
    run(&log, |batch| batch.append(quiet, b"and here")).unwrap();
    for n in 0..600_u64 {
        let mut batch = Batch::new();
        batch.append(a, &[n as u8; 2000]);
        batch.trim(a, Seq(n));
        log.append(batch).unwrap().wait().unwrap();
        if n == 300 {
            run(&log, |batch| batch.trim(quiet, Seq(2))).unwrap();
        }
    }
    // 1.2 MB went through files of 64 KiB; what was trimmed is gone.
    until(|| log.stats().segments <= 3);
    assert!(
        log.stats().disk_bytes <= 12 * (64 << 10),
        "{:?}",
        log.stats()
    );
    assert_eq!(read_all(&log, a, Seq(600)).len(), 1);
    drop(log);
    let log = disk.copy().open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(log.bounds(a).unwrap().first, Seq(599));
    assert_eq!(read_all(&log, a, Seq(599)).len(), 2);
}

#[test]
fn a_reader_holds_its_segment_and_behind_the_trim_point_it_is_told_so() {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    for n in 0..200_u64 {
        append(&log, a, &[&n.to_le_bytes().repeat(125)]);
    }
    let mut reader = log.reader(a, Seq::ZERO);
    let limit = ReadLimit {
        records: 3,
        bytes: usize::MAX,
    };
    assert_eq!(reader.read(limit).unwrap().len(), 3);
    let oldest = disk.segments()[0].clone();
    let content = disk.content(&oldest);
    run(&log, |batch| batch.trim(a, Seq(190))).unwrap();
    // The others go, this one stays as it is.
    until(|| log.stats().segments >= 1 && disk.counts().steps > 0);
    for n in 200..400_u64 {
        append(&log, a, &[&n.to_le_bytes().repeat(125)]);
    }
    assert_eq!(disk.content(&oldest), content);
    let error = reader.read(limit).unwrap_err();
    assert!(
        matches!(error, ReadError::Trimmed { first: Seq(190) }),
        "{error}"
    );
    reader.seek(Seq(190));
    assert_eq!(
        reader.read(limit).unwrap()[0].payload,
        190_u64.to_le_bytes().repeat(125)
    );
    drop(reader);
    until(|| !disk.segments().contains(&oldest));
}

#[test]
fn readers_and_writers_and_trims_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    let total = 3000_u64;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = None;
            for n in 0..total {
                let mut batch = Batch::new();
                batch.append(a, &n.to_le_bytes().repeat(1 + (n % 60) as usize));
                last = Some(log.append(batch).unwrap());
                if n % 16 == 0 {
                    last.take().unwrap().wait().unwrap();
                }
            }
            last.map(hermod_wal::Ticket::wait);
        });
        for trims in [true, false] {
            let log = &log;
            scope.spawn(move || {
                let mut reader = log.reader(a, Seq::ZERO);
                while reader.position() < Seq(total) {
                    match reader.read(ReadLimit {
                        records: 50,
                        bytes: 4000,
                    }) {
                        Ok(records) if records.is_empty() => {
                            let position = reader.position();
                            let beyond = Seq(position.0.saturating_sub(0));
                            assert!(
                                log.arrival(a, beyond)
                                    .wait_timeout(Duration::from_secs(20))
                                    .unwrap()
                            );
                        }
                        Ok(records) => {
                            for record in records {
                                let n = record.seq.0;
                                let expected = n.to_le_bytes().repeat(1 + (n % 60) as usize);
                                assert_eq!(record.payload, expected);
                            }
                            if trims {
                                let position = reader.position();
                                let mut batch = Batch::new();
                                batch.trim(a, position);
                                log.append(batch).unwrap().wait().unwrap();
                            }
                        }
                        Err(ReadError::Trimmed { first }) => {
                            assert!(!trims);
                            reader.seek(first);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
}

#[test]
fn opening_reads_only_the_newest_segment() {
    let disk = Memory::new(3);
    let options = || Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let log = disk.open_log(options()).unwrap();
    let a = log.stream("a").unwrap();
    let record = vec![7; 100_000];
    for _ in 0..1000 {
        let mut batch = Batch::new();
        batch.append(a, &record);
        match log.append(batch) {
            Ok(_ticket) => {}
            Err(_) => log.room().wait(),
        }
    }
    log.close().unwrap();
    let bytes = log.stats().bytes;
    assert!(bytes > 80_000_000);
    drop(log);
    let disk = disk.copy();
    let log = disk.open_log(options()).unwrap();
    let read = disk.counts().read_bytes;
    assert!(read < 4 << 20, "{read} bytes of {bytes} were read");
    let a = log.find_stream("a").unwrap();
    assert_eq!(
        log.read(
            a,
            Seq::ZERO,
            ReadLimit {
                records: 1,
                bytes: 1
            },
            Visibility::Durable
        )
        .unwrap()
        .len(),
        1
    );
}

#[test]
fn thousands_of_streams_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options {
        reserve_bytes: 0,
        ..Options::new(dir.path())
    };
    let log = hermod_wal::Log::open(options()).unwrap();
    let ids: Vec<_> = (0..5000)
        .map(|n| log.stream(&format!("stream {n}")).unwrap())
        .collect();
    for round in 0..2 {
        let mut batch = Batch::new();
        for id in &ids {
            batch.append(*id, format!("{round} of {id}").as_bytes());
        }
        log.append(batch).unwrap().wait().unwrap();
    }
    drop(log);
    let log = hermod_wal::Log::open(options()).unwrap();
    assert_eq!(log.streams().len(), 5000);
    for n in [0, 17, 4999] {
        let id = log.find_stream(&format!("stream {n}")).unwrap();
        let expected = [format!("0 of {id}"), format!("1 of {id}")];
        assert_eq!(
            payloads(&read_all(&log, id, Seq::ZERO)),
            [expected[0].as_bytes(), expected[1].as_bytes()]
        );
    }
}

#[test]
fn a_full_table_refuses_new_streams_and_larger_registers() {
    let disk = Memory::new(4);
    let log = disk.open_log(small()).unwrap();
    let mut streams = 0;
    let refused = loop {
        match log.stream(&format!("a stream with a rather long name {streams}")) {
            Ok(_) => streams += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, hermod_wal::AppendError::TableFull);
    assert!(streams > 50);
    let refused = run(&log, |batch| batch.set("register", &[0; 500])).unwrap_err();
    assert_eq!(refused, hermod_wal::AppendError::TableFull);
    let gone = log
        .find_stream("a stream with a rather long name 3")
        .unwrap();
    run(&log, |batch| batch.remove(gone)).unwrap();
    log.stream("one more").unwrap();
    drop(log);
    let log = disk.open_log(small()).unwrap();
    assert_eq!(log.streams().len(), streams);
}

#[test]
fn inspecting_and_verifying_change_nothing_and_tell_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let a = log.stream("a").unwrap();
    for n in 0..200_u64 {
        append(&log, a, &[&n.to_le_bytes().repeat(125)]);
    }
    run(&log, |batch| {
        batch.set("r", b"value");
        batch.trim(a, Seq(10));
        batch.rewind(a, Seq(190));
        batch.append(a, b"190");
    })
    .unwrap();
    // Beside the running log.
    let running = verify(dir.path()).unwrap();
    assert!(running.healthy, "{:?}", running.damage);
    log.close().unwrap();
    let before = inspect(dir.path()).unwrap();
    let verified = verify(dir.path()).unwrap();
    assert!(before.clean && verified.healthy);
    assert_eq!(before, inspect(dir.path()).unwrap());
    assert_eq!(before.registers, [("r".to_owned(), 5)]);
    let stream = &verified.inspection.streams[0];
    assert_eq!(
        (stream.first, stream.next, stream.records),
        (Seq(10), Seq(191), 181)
    );
    assert_eq!(verified.records, 201);
    assert!(verified.inspection.segments.len() > 2);
    assert_eq!(payloads(&read_all(&open(&dir), a, Seq(190))), [b"190"]);
    assert_eq!(ALL.records, usize::MAX);
}
