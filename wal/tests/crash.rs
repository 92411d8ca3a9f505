//! Power losses and torn tails.

use std::collections::BTreeMap;

use crate::basics::{append, payloads, read_all, run};
use crate::memory::{Faults, Memory, small};
use hermod_wal::{AppendError, Batch, Log, Seq, StreamId, Ticket, verify};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Offset of the last frame in a segment, and where it ends.
fn last_frame(bytes: &[u8]) -> (usize, usize) {
    let magic = |at: &usize| &bytes[*at..*at + 4] == b"HFRM";
    let at = (8192..bytes.len() - 4).step_by(8).rfind(magic).unwrap();
    let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
    (at, at + length as usize)
}

#[test]
fn an_atomic_batch_is_there_whole_or_not_at_all_wherever_it_was_cut() {
    let disk = Memory::new(1);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    let b = log.stream("b").unwrap();
    run(&log, |batch| {
        batch.append(a, b"0");
        batch.set("position", b"0");
    })
    .unwrap();
    disk.hold_syncs(true);
    let writes = disk.counts().writes;
    let mut batch = Batch::new();
    batch.append(a, b"one");
    batch.append(b, b"two");
    batch.append(a, &[3; 100]);
    batch.trim(a, Seq(1));
    batch.set("position", b"3");
    let ticket = log.append(batch).unwrap();
    while disk.counts().writes == writes {
        std::thread::yield_now();
    }
    let image = disk.copy();
    let segment = image.segments().pop().unwrap();
    let (at, end) = last_frame(&image.content(&segment));
    for cut in at..=end {
        let disk = image.copy();
        disk.change(&segment, |bytes| bytes[cut..end].fill(0));
        // Bytes of zeros at the end are padding or a check that happens to end so; whole is whole.
        let whole = disk.content(&segment) == image.content(&segment);
        let log = disk.open_log(small()).unwrap();
        let [a, b] = ["a", "b"].map(|name| log.find_stream(name).unwrap());
        let position = log.register("position").unwrap();
        assert!(log.recovery().damage.is_empty());
        if position == "0" {
            assert!(!whole);
            assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0"]);
            assert_eq!(log.bounds(b).unwrap().next, Seq::ZERO);
        } else {
            assert_eq!(position, "3");
            assert_eq!(log.bounds(a).unwrap().first, Seq(1));
            assert_eq!(
                payloads(&read_all(&log, a, Seq(1))),
                [&b"one"[..], &[3; 100]]
            );
            assert_eq!(payloads(&read_all(&log, b, Seq::ZERO)), [b"two"]);
        }
        // What is written now is found again, and nothing else.
        append(&log, a, &[b"next"]);
        let before = log.bounds(a).unwrap();
        drop(log);
        let log = disk.open_log(small()).unwrap();
        assert!(log.recovery().clean);
        assert_eq!(log.bounds(log.find_stream("a").unwrap()).unwrap(), before);
    }
    disk.hold_syncs(false);
    ticket.wait().unwrap();
}

#[test]
fn frames_of_a_torn_group_never_come_back() {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.hold_syncs(true);
    let writes = disk.counts().writes;
    let mut tickets = Vec::new();
    for payload in [&b"blocks"[..], b"torn-1", b"torn-2", b"torn-3"] {
        let mut batch = Batch::new();
        batch.append(a, payload);
        tickets.push(log.append(batch).unwrap());
        while disk.counts().writes == writes {
            std::thread::yield_now();
        }
    }
    disk.hold_syncs(false);
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    // Of the group of three only the last two frames reached the disk.
    let image = disk.copy();
    let segment = image.segments().pop().unwrap();
    let content = image.content(&segment);
    let torn = content
        .windows(6)
        .position(|bytes| bytes == b"torn-1")
        .unwrap();
    image.change(&segment, |bytes| bytes[torn] ^= 1);
    // Whoever comes next writes a frame of the same size where the first one was.
    for _ in 0..3 {
        let log = image.open_log(small()).unwrap();
        assert!(log.recovery().damage.is_empty(), "{:?}", log.recovery());
        let a = log.find_stream("a").unwrap();
        assert_eq!(payloads(&read_all(&log, a, Seq::ZERO))[1], b"blocks");
        run(&log, |batch| {
            batch.rewind(a, Seq(2));
            batch.append(a, b"other1");
        })
        .unwrap();
        let image = image.copy();
        let log = image.open_log(small()).unwrap();
        let a = log.find_stream("a").unwrap();
        let records = read_all(&log, a, Seq::ZERO);
        assert_eq!(payloads(&records), [&b"0"[..], b"blocks", b"other1"]);
    }
}

/// What a log must hold: for each stream first number and records.
#[derive(Clone, Default, Debug, PartialEq)]
struct Expected {
    streams: BTreeMap<String, (u64, Vec<Payload>)>,
    registers: BTreeMap<String, Payload>,
}

/// Length and byte of a payload that repeats one byte.
type Payload = (usize, u8);

fn summary(payload: &[u8]) -> Payload {
    let byte = payload.first().copied().unwrap_or_default();
    assert!(payload.iter().all(|other| *other == byte));
    (payload.len(), byte)
}

fn observed(log: &Log) -> Expected {
    let mut expected = Expected::default();
    for info in log.streams() {
        let records = read_all(log, info.id, info.first);
        assert_eq!(info.first.0 + records.len() as u64, info.next.0, "{info:?}");
        let payloads = records
            .iter()
            .map(|record| summary(&record.payload))
            .collect();
        expected.streams.insert(info.name, (info.first.0, payloads));
    }
    for (name, value) in log.registers("") {
        expected.registers.insert(name, summary(&value));
    }
    expected
}

/// Adds random operations to a batch, and to what is expected of it.
fn fill(
    random: &mut StdRng,
    log: &Log,
    batch: &mut Batch,
    expected: &mut Expected,
) -> Result<(), AppendError> {
    for _ in 0..random.random_range(1..5) {
        let name = format!("s{}", random.random_range(0..4));
        let id: StreamId = log.stream(&name)?;
        let (first, records) = expected.streams.entry(name).or_default();
        let next = *first + records.len() as u64;
        match random.random_range(0..10) {
            0 => {
                let below = random.random_range(*first..=next + 2);
                batch.trim(id, Seq(below));
                records.drain(..((below - *first) as usize).min(records.len()));
                *first = below;
            }
            1 => {
                let to = random.random_range(*first..=next);
                batch.rewind(id, Seq(to));
                records.truncate((to - *first) as usize);
            }
            2 => {
                let register = format!("r{}", random.random_range(0..3));
                let value = vec![random.random(); random.random_range(0..50)];
                batch.set(&register, &value);
                expected.registers.insert(register, summary(&value));
            }
            _ => {
                let longest = random.random_range(2..1500);
                let length = random.random_range(0..longest);
                let payload = vec![random.random(); length];
                batch.append(id, &payload);
                records.push(summary(&payload));
            }
        }
    }
    Ok(())
}

/// Streams that exist but hold nothing may not be declared yet.
fn known(mut expected: Expected) -> Expected {
    expected
        .streams
        .retain(|_, (first, records)| *first > 0 || !records.is_empty());
    expected
}

/// Appends random batches, some of them awaited: the states after each batch, and how many are confirmed.
fn work(random: &mut StdRng, log: &Log, start: &Expected) -> (Vec<Expected>, usize) {
    let mut states = vec![start.clone()];
    let mut confirmed = 0;
    let mut tickets = Vec::new();
    for _ in 0..random.random_range(5..60) {
        let mut batch = Batch::new();
        let mut next = states.last().unwrap().clone();
        // Once the disk is gone the log is poisoned, sooner or later.
        if fill(random, log, &mut batch, &mut next).is_err() {
            break;
        }
        let Ok(ticket) = log.append(batch) else { break };
        states.push(next);
        tickets.push(ticket);
        if random.random_bool(0.4) {
            let outcomes: Vec<_> = tickets.drain(..).map(Ticket::wait).collect();
            confirmed += outcomes
                .iter()
                .take_while(|outcome| outcome.is_ok())
                .count();
            if outcomes.iter().any(Result::is_err) {
                break;
            }
        }
    }
    (states, confirmed)
}

#[test]
fn after_a_power_loss_the_log_is_at_a_batch_boundary_not_before_what_was_confirmed() {
    // More of them: `HERMOD_WAL_SEEDS=5000`.
    let seeds = std::env::var("HERMOD_WAL_SEEDS").map_or(120, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let mut disk = Memory::new(seed);
        let mut expected = Expected::default();
        let open = |disk: &Memory| {
            let log = disk
                .open_log(small())
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(
                log.recovery().damage.is_empty(),
                "seed {seed}: {:?}",
                log.recovery()
            );
            log
        };
        for round in 0..4 {
            if round > 0 && random.random_bool(0.5) {
                // Recovery itself is interrupted.
                let gone_after = Some(random.random_range(0..6));
                disk.set_faults(Faults {
                    gone_after,
                    ..Faults::default()
                });
                drop(disk.open_log(small()));
                disk = disk.crash(random.random());
            }
            let log = open(&disk);
            assert_eq!(
                known(observed(&log)),
                known(expected.clone()),
                "seed {seed}"
            );
            if random.random_bool(0.5) {
                let gone_after = Some(random.random_range(0..100));
                disk.set_faults(Faults {
                    gone_after,
                    ..Faults::default()
                });
            }
            let (states, confirmed) = work(&mut random, &log, &expected);
            disk = disk.crash(random.random());
            drop(log);
            let found = known(observed(&open(&disk)));
            let mut candidates = states[confirmed..].iter();
            let matching = candidates.find(|state| known((*state).clone()) == found);
            expected = matching.cloned().unwrap_or_else(|| {
                panic!("seed {seed} round {round}: not at a batch boundary: {found:?}")
            });
        }
    }
}

#[test]
fn a_rewind_never_resurrects_not_even_from_a_recycled_file() {
    let disk = Memory::new(9);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    // Two generations of the same numbers, in files that are used again and again.
    for generation in 0..12_u8 {
        for n in 0..40_u8 {
            append(&log, a, &[&[generation, n].repeat(700)]);
        }
        let middle = disk.crash(u64::from(generation));
        let check = middle.open_log(small()).unwrap();
        let id = check.find_stream("a").unwrap();
        let first = check.bounds(id).unwrap().first;
        for record in read_all(&check, id, first) {
            assert_eq!(record.payload[0], generation, "{}", record.seq);
        }
        run(&log, |batch| batch.rewind(a, Seq::ZERO)).unwrap();
        assert!(read_all(&log, a, Seq::ZERO).is_empty());
    }
    append(&log, a, &[b"only"]);
    let log = disk.crash(99).open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"only"]);
    // The recycled files were really used again.
    assert!(disk.segments().len() < 12, "{}", disk.segments().len());
}

#[test]
fn verifying_a_missing_directory_says_so() {
    let error = verify("/nowhere/at/all").unwrap_err();
    assert!(matches!(error, hermod_wal::OpenError::Missing { .. }));
}
