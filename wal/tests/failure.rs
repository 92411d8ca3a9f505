//! I7: a failed write or sync; I8: a full disk.

use std::io::ErrorKind;
use std::time::Duration;

use crate::basics::{append, payloads, read_all, run};
use crate::memory::{Faults, Memory, small};
use hermod_wal::{AppendError, Batch, CloseError, Options, Seq, State};

fn sync_fault(times: u32) -> Faults {
    Faults {
        sync: Some((0, times, ErrorKind::Other)),
        ..Faults::default()
    }
}

#[test]
fn i7_a_failed_sync_fails_its_group_and_the_log_goes_on_in_a_new_file() {
    for crash in [false, true] {
        let disk = Memory::new(1);
        let log = disk.open_log(small()).unwrap();
        let a = log.stream("a").unwrap();
        append(&log, a, &[b"0"]);
        run(&log, |batch| batch.set("position", b"0")).unwrap();
        let poisoned = disk.segments().pop().unwrap();
        disk.set_faults(sync_fault(1));
        let failed = run(&log, |batch| {
            batch.append(a, b"lost");
            batch.set("position", b"1");
        });
        assert_eq!(failed.unwrap_err(), AppendError::Failed);
        assert_eq!(log.state(), State::Open);
        assert_eq!(log.bounds(a).unwrap().next, Seq(1));
        assert_eq!(log.register("position").unwrap(), "0");
        let before = disk.content(&poisoned);
        let lsn = append(&log, a, &[b"1"]);
        assert!(lsn.get() > 0);
        assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1"]);
        // Never written again.
        assert_eq!(disk.content(&poisoned), before);
        assert_eq!(log.stats().poisoned_files, 1);
        let after = if crash { disk.crash(7) } else { disk.copy() };
        let log = after.open_log(small()).unwrap();
        let a = log.find_stream("a").unwrap();
        assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1"]);
        assert_eq!(log.register("position").unwrap(), "0");
        assert!(log.recovery().damage.is_empty(), "{:?}", log.recovery());
    }
}

#[test]
fn i7_what_follows_on_a_failed_batch_fails_with_it_and_the_rest_goes_on() {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    let b = log.stream("b").unwrap();
    append(&log, a, &[b"0"]);
    append(&log, b, &[b"0"]);
    disk.hold_syncs(true);
    let writes = disk.counts().writes;
    let send = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new();
        fill(&mut batch);
        log.append(batch).unwrap()
    };
    let group = send(&|batch| batch.append(a, b"lost"));
    while disk.counts().writes == writes {
        std::thread::yield_now();
    }
    // All of these wait for the next group.
    let same_stream = send(&|batch| {
        batch.append(a, b"lost too");
        batch.set("r", b"lost");
    });
    let other = send(&|batch| batch.append(b, b"1"));
    let same_register = send(&|batch| {
        batch.append(b, b"lost as well");
        batch.set("r", b"2");
    });
    let new = log.stream("new").unwrap();
    let newcomer = send(&|batch| batch.append(new, b"0"));
    disk.set_faults(sync_fault(1));
    disk.hold_syncs(false);
    assert_eq!(group.wait().unwrap_err(), AppendError::Failed);
    assert_eq!(same_stream.wait().unwrap_err(), AppendError::Failed);
    other.wait().unwrap();
    assert_eq!(same_register.wait().unwrap_err(), AppendError::Failed);
    newcomer.wait().unwrap();
    // A failed batch took its stream back to what is durable.
    append(&log, a, &[b"1"]);
    drop(log);
    let log = disk.copy().open_log(small()).unwrap();
    let [a, b, new] = ["a", "b", "new"].map(|name| log.find_stream(name).unwrap());
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1"]);
    assert_eq!(payloads(&read_all(&log, b, Seq::ZERO)), [b"0", b"1"]);
    assert_eq!(payloads(&read_all(&log, new, Seq::ZERO)), [b"0"]);
    assert_eq!(log.register("r"), None);
}

#[test]
fn i7_a_second_failure_in_a_row_poisons_the_log() {
    let disk = Memory::new(3);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.set_faults(sync_fault(1000));
    assert_eq!(
        run(&log, |batch| batch.append(a, b"1")).unwrap_err(),
        AppendError::Failed
    );
    while !matches!(log.state(), State::Poisoned { .. }) {
        std::thread::yield_now();
    }
    assert_eq!(log.append(Batch::new()).unwrap_err(), AppendError::Poisoned);
    assert_eq!(log.stream("b").unwrap_err(), AppendError::Poisoned);
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0"]);
    assert_eq!(log.close().unwrap_err(), CloseError::Poisoned);
    drop(log);
    disk.set_faults(Faults::default());
    let log = disk.crash(1).open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(read_all(&log, a, Seq::ZERO)[0].payload, "0");
    append(&log, a, &[b"again"]);
}

#[test]
fn i7_a_failed_write_is_like_a_failed_sync() {
    let disk = Memory::new(4);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.set_faults(Faults {
        write: Some((0, 1, ErrorKind::Other)),
        ..Faults::default()
    });
    assert_eq!(
        run(&log, |batch| batch.append(a, b"x")).unwrap_err(),
        AppendError::Failed
    );
    append(&log, a, &[b"1"]);
    drop(log);
    let log = disk.copy().open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1"]);
}

#[test]
fn i8_a_full_disk_refuses_and_takes_again_by_itself() {
    let disk = Memory::new(5);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.set_room(Some(disk.bytes() + (200 << 10)));
    let mut written = 1;
    let refused = loop {
        match run(&log, |batch| batch.append(a, &[1; 3000])) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Full);
    assert!(matches!(log.state(), State::Full { .. }));
    assert!(written > 30, "{written}");
    assert_eq!(log.bounds(a).unwrap().next, Seq(written));
    assert_eq!(
        run(&log, |batch| batch.append(a, b"no")).unwrap_err(),
        AppendError::Full
    );
    assert!(!log.room().wait_timeout(Duration::from_millis(50)));
    disk.set_room(None);
    assert!(log.room().wait_timeout(Duration::from_secs(20)));
    append(&log, a, &[b"yes"]);
    assert_eq!(read_all(&log, a, Seq::ZERO).len() as u64, written + 1);
    drop(log);
    let log = disk.copy().open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(read_all(&log, a, Seq::ZERO).len() as u64, written + 1);
}

#[test]
fn i8_reserved_batches_go_through_when_the_log_is_full_and_a_trim_makes_room() {
    let disk = Memory::new(6);
    let quota = 10 * (64 << 10);
    let options = || Options {
        quota_bytes: Some(quota),
        reserve_bytes: 128 << 10,
        ..small()
    };
    let log = disk.open_log(options()).unwrap();
    let a = log.stream("a").unwrap();
    let dead = log.stream("dead").unwrap();
    let mut written = 0;
    while run(&log, |batch| batch.append(a, &[1; 3000])).is_ok() {
        written += 1;
    }
    assert!(matches!(log.state(), State::Full { .. }));
    // The reserve holds two segments: far more than these.
    for n in 0..100_u64 {
        let cursor = run(&log, |batch| {
            batch.append(dead, &[2; 300]);
            batch.set("cursor", &n.to_le_bytes());
            batch.reserved();
        });
        cursor.unwrap();
    }
    assert!(matches!(log.state(), State::Full { .. }));
    run(&log, |batch| {
        batch.trim(a, Seq(written));
        batch.reserved();
    })
    .unwrap();
    assert!(log.room().wait_timeout(Duration::from_secs(20)));
    append(&log, a, &[b"again"]);
    assert_eq!(log.state(), State::Open);
    assert_eq!(read_all(&log, dead, Seq::ZERO).len(), 100);
    assert!(log.stats().disk_bytes <= quota);
}

/// Also where a segment of the usual size, or the whole reserve, is about as large as the quota.
#[test]
fn i8_a_small_quota_has_room_again_once_its_records_are_trimmed() {
    let record = vec![1; 900_000];
    for quota_mib in [16, 20, 32, 64, 96, 200] {
        let disk = Memory::new(8);
        let quota = quota_mib << 20;
        let options = Options {
            quota_bytes: Some(quota),
            ..Options::new("/log")
        };
        let log = disk.open_log(options).unwrap();
        let a = log.stream("a").unwrap();
        for round in 0..3 {
            let mut written = 0;
            while run(&log, |batch| batch.append(a, &record)).is_ok() {
                written += 1;
            }
            assert!(written > 0, "{quota_mib} MiB, round {round}");
            let end = log.bounds(a).unwrap().next;
            run(&log, |batch| {
                batch.trim(a, end);
                batch.reserved();
            })
            .unwrap();
            let room = log.room().wait_timeout(Duration::from_secs(20));
            assert!(room, "{quota_mib} MiB, round {round}: no room again");
            assert!(log.stats().disk_bytes <= quota, "{quota_mib} MiB");
        }
        append(&log, a, &[b"again"]);
        assert_eq!(log.state(), State::Open);
    }
}

#[test]
fn i8_no_room_inside_a_segment_fails_the_group_and_is_full_not_poisoned() {
    let disk = Memory::new(7);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.set_faults(Faults {
        write: Some((0, 4, ErrorKind::StorageFull)),
        ..Faults::default()
    });
    assert_eq!(
        run(&log, |batch| batch.append(a, b"x")).unwrap_err(),
        AppendError::Full
    );
    assert!(log.room().wait_timeout(Duration::from_secs(20)));
    assert!(!matches!(log.state(), State::Poisoned { .. }));
    append(&log, a, &[b"1"]);
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1"]);
}
