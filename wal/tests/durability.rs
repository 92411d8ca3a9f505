//! I1: nothing is known as durable before its sync.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::basics::{ALL, append, payloads, read_all, run};
use crate::memory::{Memory, small};
use hermod_wal::{AppendError, Batch, Options, Seq, SyncPolicy, Visibility, WaitError};

fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain");
        thread::yield_now();
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn i1_a_ticket_is_never_ready_before_its_sync() {
    let disk = Memory::new(1);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    disk.hold_syncs(true);
    let writes = disk.counts().writes;
    let mut batch = Batch::new();
    batch.append(a, b"1");
    let ticket = log.append(batch).unwrap();
    let (told, answer) = mpsc::channel();
    let mut batch = Batch::new();
    batch.append(a, b"2");
    log.append(batch)
        .unwrap()
        .on_durable(move |outcome| told.send(outcome).unwrap());
    let counter = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut context = Context::from_waker(&waker);
    let mut ticket = pin!(ticket);
    let mut arrival = pin!(log.arrival(a, Seq(1)));
    // The record is in the file, and its sync is on its way.
    until(|| disk.counts().writes > writes);
    assert!(ticket.as_mut().poll(&mut context).is_pending());
    assert!(arrival.as_mut().poll(&mut context).is_pending());
    assert!(answer.try_recv().is_err());
    assert_eq!(log.bounds(a).unwrap().durable, Seq(1));
    assert_eq!(read_all(&log, a, Seq::ZERO).len(), 1);
    assert_eq!(
        log.read(a, Seq::ZERO, ALL, Visibility::Appended)
            .unwrap()
            .len(),
        3
    );
    assert_eq!(counter.0.load(Ordering::SeqCst), 0);
    let syncs = disk.counts().syncs;
    disk.hold_syncs(false);
    // Who waits is woken a moment after the ticket is ready, and nobody has to ask for it.
    until(|| counter.0.load(Ordering::SeqCst) > 0);
    until(|| ticket.as_mut().poll(&mut context).is_ready());
    assert!(disk.counts().syncs > syncs);
    until(|| matches!(arrival.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    answer
        .recv_timeout(Duration::from_secs(20))
        .unwrap()
        .unwrap();
    assert_eq!(read_all(&log, a, Seq::ZERO).len(), 3);
}

#[test]
fn i1_what_a_ticket_confirmed_survives_a_power_loss() {
    let disk = Memory::new(2);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    for n in 0..30_u64 {
        append(&log, a, &[&n.to_le_bytes()]);
        let after = disk.crash(n);
        let log = after.open_log(small()).unwrap();
        let a = log.find_stream("a").unwrap();
        let records = read_all(&log, a, Seq::ZERO);
        assert_eq!(records.len() as u64, n + 1);
        assert!(log.recovery().damage.is_empty());
    }
}

#[test]
fn while_one_sync_is_in_flight_the_next_group_gathers() {
    let disk = Memory::new(3);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"first"]);
    let (groups, writes) = (log.stats().groups, disk.counts().writes);
    disk.hold_syncs(true);
    let mut tickets = vec![send(&log, a, b"second")];
    until(|| disk.counts().writes > writes);
    tickets.extend((0..100).map(|_| send(&log, a, b"gathered")));
    disk.hold_syncs(false);
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(log.stats().groups - groups, 2);
}

fn send(log: &hermod_wal::Log, stream: hermod_wal::StreamId, payload: &[u8]) -> hermod_wal::Ticket {
    let mut batch = Batch::new();
    batch.append(stream, payload);
    log.append(batch).unwrap()
}

#[test]
fn many_threads_and_tasks_wait_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = crate::basics::open(&dir);
    let a = log.stream("a").unwrap();
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..20 {
                    append(&log, a, &[b"x"]);
                }
            });
        }
    });
    assert_eq!(read_all(&log, a, Seq::ZERO).len(), 640);
    assert!(log.stats().groups < 640);
}

#[test]
fn too_much_pending_is_busy_until_there_is_room() {
    let disk = Memory::new(4);
    let log = disk
        .open_log(Options {
            pending_bytes_max: 4000,
            ..small()
        })
        .unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"first"]);
    disk.hold_syncs(true);
    let mut tickets = Vec::new();
    let refused = loop {
        let mut batch = Batch::new();
        batch.append(a, &[7; 300]);
        match log.append(batch) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Busy);
    assert!(!log.room().wait_timeout(Duration::from_millis(20)));
    disk.hold_syncs(false);
    log.room().wait();
    tickets.push(send(&log, a, b"last"));
    let count = tickets.len() as u64;
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(log.bounds(a).unwrap().durable, Seq(count + 1));
}

#[test]
fn waiters_end_when_the_log_closes() {
    let disk = Memory::new(5);
    let log = disk.open_log(small()).unwrap();
    let a = log.stream("a").unwrap();
    append(&log, a, &[b"0"]);
    assert!(
        !log.arrival(a, Seq(5))
            .wait_timeout(Duration::from_millis(10))
            .unwrap()
    );
    log.arrival(a, Seq::ZERO).wait().unwrap();
    let waiting = log.arrival(a, Seq(5));
    let waiter = thread::spawn(move || waiting.wait());
    log.close().unwrap();
    assert_eq!(waiter.join().unwrap(), Err(WaitError::Closed));
}

#[test]
fn with_an_interval_the_sync_comes_later() {
    let disk = Memory::new(6);
    let sync = SyncPolicy::Interval(Duration::from_millis(5));
    let log = disk.open_log(Options { sync, ..small() }).unwrap();
    let a = log.stream("a").unwrap();
    let syncs = disk.counts().syncs;
    disk.hold_syncs(true);
    append(&log, a, &[b"0", b"1"]);
    assert_eq!(disk.counts().syncs, syncs);
    disk.hold_syncs(false);
    until(|| disk.counts().syncs > syncs);
    run(&log, |batch| batch.append(a, b"2")).unwrap();
    log.close().unwrap();
    drop(log);
    let log = disk.crash(0).open_log(small()).unwrap();
    let a = log.find_stream("a").unwrap();
    assert_eq!(payloads(&read_all(&log, a, Seq::ZERO)), [b"0", b"1", b"2"]);
}
