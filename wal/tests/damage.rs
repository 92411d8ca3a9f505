//! I6: damage is found, named and never served.

use crate::basics::{ALL, append, read_all, run};
use crate::memory::{Memory, small};
use hermod_wal::{Batch, Log, OpenError, Part, ReadError, Seq, Visibility};

/// A log whose newest segment is small: two streams, a register, a trim.
fn little() -> Memory {
    let disk = Memory::new(1);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    let b = log.stream("b").unwrap();
    append(&log, a, &[b"a0", b"a1"]);
    append(&log, b, &[b"b0"]);
    run(&log, |batch| {
        batch.append(a, b"a2");
        batch.append(b, b"b1");
        batch.trim(b, Seq(1));
        batch.set("r", b"v");
    })
    .unwrap();
    append(&log, a, &[b"a3"]);
    log.close().unwrap();
    drop(log);
    disk.copy()
}

/// Nothing that is served differs from what was written.
fn assert_only_truth(log: &Log) {
    for name in ["a", "b"] {
        let Some(id) = log.find_stream(name) else {
            continue;
        };
        let bounds = log.bounds(id).unwrap();
        assert!(bounds.next <= Seq(4));
        let mut at = Seq::ZERO;
        while at < bounds.next {
            match log.read(id, at, ALL, Visibility::Durable) {
                Ok(records) => {
                    assert!(!records.is_empty());
                    for record in records {
                        assert_eq!(record.payload, format!("{name}{}", record.seq));
                        at = record.seq.next();
                    }
                }
                Err(ReadError::Trimmed { first }) => at = first,
                Err(ReadError::Damaged { from, to, .. }) => {
                    assert_eq!(from, at);
                    assert!(to > from);
                    at = to;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    if let Some(value) = log.register("r") {
        assert_eq!(value, "v");
    }
}

#[test]
fn i6_every_flipped_bit_is_detected_or_harmless_and_never_served() {
    let disk = little();
    let segment = disk.segments().pop().unwrap();
    let content = disk.content(&segment);
    let used = content.iter().rposition(|byte| *byte != 0).unwrap() + 9;
    let places = (0..64).chain(4096..4096 + 64).chain(8192..used);
    let mut detected = 0;
    for at in places {
        for bit in 0..8 {
            let disk = disk.copy();
            disk.change(&segment, |bytes| bytes[at] ^= 1 << bit);
            match disk.open_log(small()) {
                Ok(log) => {
                    assert_only_truth(&log);
                    let whole = log.find_stream("a").is_some_and(|a| {
                        log.read(a, Seq::ZERO, ALL, Visibility::Durable)
                            .is_ok_and(|records| records.len() == 4)
                    });
                    let harmless = whole && log.register("r").is_some();
                    let reported = !log.recovery().damage.is_empty();
                    assert!(
                        harmless || reported,
                        "byte {at} bit {bit}: {:?}",
                        log.recovery()
                    );
                    detected += u32::from(reported);
                    if at % 16 == 0 {
                        append(&log, log.stream("a").unwrap(), &[b"on"]);
                    }
                }
                Err(OpenError::NewerFormat { .. }) => panic!("byte {at} bit {bit}"),
                Err(error) => panic!("byte {at} bit {bit}: {error}"),
            }
        }
    }
    assert!(detected > 1000, "{detected}");
}

/// Several segments of one stream, closed, newest last.
fn long() -> (Memory, u64) {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    let b = log.stream("b").unwrap();
    for n in 0..200_u64 {
        append(&log, a, &[&n.to_le_bytes().repeat(125)]);
        append(&log, b, &[&n.to_le_bytes()]);
    }
    log.close().unwrap();
    drop(log);
    (disk.copy(), 200)
}

fn expect(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(125)
}

/// Reads a stream to its end: what was served, and what was named as damaged.
fn survey(log: &Log, name: &str) -> (Vec<u64>, Vec<(u64, u64, u64)>) {
    let id = log.find_stream(name).unwrap();
    let end = log.bounds(id).unwrap().durable;
    let mut reader = log.reader(id, Seq::ZERO);
    let (mut served, mut damaged) = (Vec::new(), Vec::new());
    while reader.position() < end {
        match reader.read(ALL) {
            Ok(records) => {
                assert!(!records.is_empty());
                served.extend(records.iter().map(|record| {
                    let n = u64::from_le_bytes(record.payload[..8].try_into().unwrap());
                    assert_eq!(record.seq, Seq(n));
                    n
                }));
            }
            Err(ReadError::Damaged {
                from, to, segment, ..
            }) => {
                damaged.push((from.0, to.0, segment));
                reader.seek(to);
            }
            Err(error) => panic!("{error}"),
        }
    }
    (served, damaged)
}

#[test]
fn i6_a_damaged_record_in_an_old_segment_is_named_and_the_rest_is_served() {
    let (disk, count) = long();
    let segments = disk.segments();
    assert!(segments.len() > 3);
    let victim = &segments[1];
    let content = disk.content(victim);
    // The payload of some record of `a` in the middle of the segment.
    let n = (1..count)
        .find(|n| content.windows(1000).any(|bytes| bytes == expect(*n)))
        .unwrap()
        + 9;
    let at = content
        .windows(1000)
        .position(|bytes| bytes == expect(n))
        .unwrap();
    disk.change(victim, |bytes| bytes[at + 500] ^= 0x10);
    let log = disk.open_log(small()).unwrap();
    assert!(
        log.recovery().damage.is_empty(),
        "an old segment is not read on opening"
    );
    let (served, damaged) = survey(&log, "a");
    assert_eq!(damaged, [(n, n + 1, 2)]);
    assert_eq!(served.len() as u64, count - 1);
    let (served, damaged) = survey(&log, "b");
    assert_eq!((served.len() as u64, damaged.len()), (count, 0));
    survey(&log, "a");
    assert_eq!(
        log.stats().damage,
        1,
        "counted once, however often it is met"
    );
}

#[test]
fn i6_a_damaged_segment_is_kept_when_nothing_needs_it_any_more() {
    let (disk, count) = long();
    let victim = disk.segments()[1].clone();
    disk.change(&victim, |bytes| bytes[20_000] ^= 1);
    let spoilt = disk.content(&victim);
    let log = disk.open_log(small()).unwrap();
    survey(&log, "a");
    log.close().unwrap();
    drop(log);
    // The damage is not met again: what is kept is known from its second name.
    let log = disk.open_log(small()).unwrap();
    let mut batch = Batch::new();
    for name in ["a", "b"] {
        batch.trim(log.find_stream(name).unwrap(), Seq(count));
    }
    log.append(batch).unwrap().wait().unwrap();
    log.close().unwrap();
    drop(log);
    let log = disk.open_log(small()).unwrap();
    for _ in 0..200 {
        append(&log, log.find_stream("a").unwrap(), &[&[7; 1000]]);
    }
    log.close().unwrap();
    assert!(!disk.segments().contains(&victim));
    let kept = std::path::Path::new("/log/damaged-0000000000000002.wal");
    assert_eq!(disk.content(kept), spoilt);
}

#[test]
fn i6_a_destroyed_stretch_is_named_exactly_for_each_stream() {
    let (disk, count) = long();
    let victim = disk.segments()[1].clone();
    disk.change(&victim, |bytes| bytes[20_000..32_000].fill(0xA5));
    let log = disk.open_log(small()).unwrap();
    for name in ["a", "b"] {
        let (served, damaged) = survey(&log, name);
        let lost: u64 = damaged.iter().map(|(from, to, _)| to - from).sum();
        assert!((8..16).contains(&lost), "{damaged:?}");
        assert_eq!(served.len() as u64 + lost, count);
        assert!(damaged.iter().all(|(_, _, segment)| *segment == 2));
    }
}

#[test]
fn i6_a_segment_without_header_or_file_is_named_and_the_rest_is_served() {
    for missing in [false, true] {
        let (disk, count) = long();
        let victim = disk.segments()[1].clone();
        if missing {
            disk.delete(&victim);
        } else {
            disk.change(&victim, |bytes| bytes[..5000].fill(0));
        }
        let log = disk.open_log(small()).unwrap();
        let (served, damaged) = survey(&log, "a");
        let lost: u64 = damaged.iter().map(|(from, to, _)| to - from).sum();
        assert!(lost > 10, "{damaged:?}");
        assert_eq!(damaged.len(), 1, "{damaged:?}");
        assert_eq!(served.len() as u64 + lost, count);
    }
}

#[test]
fn i6_a_damaged_table_is_recovered_from_the_segment_before_and_reported() {
    let (disk, count) = long();
    let newest = disk.segments().pop().unwrap();
    disk.change(&newest, |bytes| bytes[8192 + 30] ^= 4);
    let log = disk.open_log(small()).unwrap();
    assert!(
        log.recovery()
            .damage
            .iter()
            .any(|damage| damage.part == Part::Table)
    );
    for name in ["a", "b"] {
        let (served, damaged) = survey(&log, name);
        assert_eq!((served.len() as u64, damaged.len()), (count, 0));
    }
    append(
        &log,
        log.find_stream("a").unwrap(),
        &[&200_u64.to_le_bytes()],
    );
    drop(log);
    let log = disk.open_log(small()).unwrap();
    assert_eq!(survey(&log, "a").0.len() as u64, count + 1);
}

#[test]
fn damage_before_the_last_group_is_not_taken_for_a_torn_tail() {
    let disk = Memory::new(3);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    for n in 0..10_u64 {
        append(&log, a, &[&n.to_le_bytes()]);
    }
    // The process dies: no mark of a clean close.
    let disk = disk.copy();
    let segment = disk.segments().pop().unwrap();
    let content = disk.content(&segment);
    let frames: Vec<_> = (8192..content.len() - 4)
        .step_by(8)
        .filter(|at| &content[*at..at + 4] == b"HFRM")
        .collect();
    disk.change(&segment, |bytes| bytes[frames[5] + 40 + 24] ^= 1);
    let log = disk.open_log(small()).unwrap();
    assert!(!log.recovery().clean);
    assert_eq!(log.recovery().torn_bytes, 0);
    let [damage] = &log.recovery().damage[..] else {
        panic!("{:?}", log.recovery())
    };
    assert_eq!(damage.part, Part::Frames);
    let [lost] = &damage.lost[..] else {
        panic!("{damage:?}")
    };
    assert_eq!((lost.name.as_str(), lost.to.0 - lost.from.0), ("a", 1));
    let (served, damaged) = survey(&log, "a");
    assert_eq!(served.len(), 9);
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!(damaged[0].0, lost.from.0);
}

#[test]
fn a_clean_close_tells_damage_to_the_last_group_from_a_torn_tail() {
    let disk = little();
    let segment = disk.segments().pop().unwrap();
    let content = disk.content(&segment);
    let last = content
        .windows(2)
        .rposition(|bytes| bytes == b"a3")
        .unwrap();
    disk.change(&segment, |bytes| bytes[last] ^= 1);
    let log = disk.open_log(small()).unwrap();
    assert_eq!(log.recovery().damage.len(), 1);
    let a = log.find_stream("a").unwrap();
    // The number is not given again, and the record is named.
    assert_eq!(log.bounds(a).unwrap().next, Seq(4));
    assert_eq!(
        log.read(a, Seq::ZERO, ALL, Visibility::Durable)
            .unwrap()
            .len(),
        3
    );
    let error = log.read(a, Seq(3), ALL, Visibility::Durable).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Damaged {
                from: Seq(3),
                to: Seq(4),
                ..
            }
        ),
        "{error}"
    );
    append(&log, a, &[b"a4"]);
    assert_eq!(read_all(&log, a, Seq(4)).len(), 1);
}
