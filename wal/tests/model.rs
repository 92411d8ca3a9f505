//! Random operations on the log and on a plain model, compared after each reopening.

use std::collections::BTreeMap;

use hermod_wal::{
    Batch, Log, Options, ReadError, ReadLimit, Seq, StreamId, SyncPolicy, Visibility,
};
use proptest::prelude::*;

use crate::memory::{Memory, small};

#[derive(Clone, Debug)]
enum Change {
    Append { stream: usize, bytes: usize },
    Trim { stream: usize, below: u64 },
    Rewind { stream: usize, to: u64 },
    StartAt { stream: usize, at: u64 },
    Remove { stream: usize },
    Set { register: usize, bytes: usize },
    Unset { register: usize },
}

#[derive(Clone, Debug)]
enum Step {
    Batch {
        changes: Vec<Change>,
        wait: bool,
    },
    Read {
        stream: usize,
        from: u64,
        records: usize,
    },
    Reopen,
    Die,
    Check,
}

fn change() -> impl Strategy<Value = Change> {
    let stream = 0..4_usize;
    prop_oneof![
        8 => (stream.clone(), prop_oneof![0..40_usize, 0..3000_usize])
            .prop_map(|(stream, bytes)| Change::Append { stream, bytes }),
        1 => (stream.clone(), 0..60_u64).prop_map(|(stream, below)| Change::Trim { stream, below }),
        1 => (stream.clone(), 0..60_u64).prop_map(|(stream, to)| Change::Rewind { stream, to }),
        1 => (stream.clone(), 0..60_u64).prop_map(|(stream, at)| Change::StartAt { stream, at }),
        1 => stream.prop_map(|stream| Change::Remove { stream }),
        1 => (0..3_usize, 0..300_usize)
            .prop_map(|(register, bytes)| Change::Set { register, bytes }),
        1 => (0..3_usize).prop_map(|register| Change::Unset { register }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::collection::vec(change(), 1..6), any::<bool>())
            .prop_map(|(changes, wait)| Step::Batch { changes, wait }),
        3 => (0..4_usize, 0..60_u64, 1..20_usize)
            .prop_map(|(stream, from, records)| Step::Read { stream, from, records }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Die),
        1 => Just(Step::Check),
    ]
}

/// A stream: its first number, and its records as they can be told apart.
#[derive(Clone, Default, Debug)]
struct Stream {
    first: u64,
    records: Vec<(usize, u64)>,
}

impl Stream {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

#[derive(Default)]
struct Model {
    streams: BTreeMap<usize, Stream>,
    registers: BTreeMap<usize, Vec<u8>>,
    serial: u64,
}

fn payload((bytes, serial): (usize, u64)) -> Vec<u8> {
    let mut payload = serial.to_le_bytes().repeat(bytes / 8 + 1);
    payload.truncate(bytes);
    payload
}

fn id(log: &Log, stream: usize) -> StreamId {
    log.stream(&format!("stream-{stream}")).unwrap()
}

impl Model {
    /// Adds a change to a batch; one that the log would refuse is left out.
    fn change(&mut self, log: &Log, batch: &mut Batch, change: &Change, removed: &mut Vec<usize>) {
        let stream = match change {
            Change::Append { stream, .. }
            | Change::Trim { stream, .. }
            | Change::Rewind { stream, .. }
            | Change::StartAt { stream, .. }
            | Change::Remove { stream } => *stream,
            Change::Set { register, bytes } => {
                self.serial += 1;
                let value = payload((*bytes, self.serial));
                batch.set(&format!("register-{register}"), &value);
                self.registers.insert(*register, value);
                return;
            }
            Change::Unset { register } => {
                batch.unset(&format!("register-{register}"));
                self.registers.remove(register);
                return;
            }
        };
        // The batch is not appended yet: a name removed in it still means the old stream.
        if removed.contains(&stream) {
            return;
        }
        let name = id(log, stream);
        let model = self.streams.entry(stream).or_default();
        match change {
            Change::Append { bytes, .. } => {
                self.serial += 1;
                batch.append(name, &payload((*bytes, self.serial)));
                model.records.push((*bytes, self.serial));
            }
            Change::Trim { below, .. } => {
                batch.trim(name, Seq(*below));
                let gone = below.saturating_sub(model.first) as usize;
                model.records.drain(..gone.min(model.records.len()));
                model.first = model.first.max(*below);
            }
            Change::Rewind { to, .. } => {
                batch.rewind(name, Seq(*to));
                model
                    .records
                    .truncate(to.saturating_sub(model.first) as usize);
            }
            Change::StartAt { at, .. } if model.records.is_empty() => {
                batch.start_at(name, Seq(*at));
                model.first = *at;
            }
            Change::Remove { .. } => {
                batch.remove(name);
                self.streams.remove(&stream);
                removed.push(stream);
            }
            _ => {}
        }
    }

    fn check(&self, log: &Log, visibility: Visibility) {
        for (stream, model) in &self.streams {
            let id = log.find_stream(&format!("stream-{stream}"));
            let Some(id) = id else {
                assert!(
                    model.first == 0 && model.records.is_empty(),
                    "stream {stream} is gone"
                );
                continue;
            };
            let bounds = log.bounds(id).unwrap();
            assert_eq!(
                (bounds.first.0, bounds.next.0),
                (model.first, model.next()),
                "{stream}"
            );
            let (mut at, mut found) = (bounds.first, Vec::new());
            loop {
                let limit = ReadLimit {
                    records: 5,
                    bytes: 2000,
                };
                let records = log.read(id, at, limit, visibility).unwrap();
                let Some(last) = records.last() else { break };
                at = last.seq.next();
                found.extend(records);
            }
            assert_eq!(found.len(), model.records.len(), "stream {stream}");
            for (n, (record, expected)) in found.iter().zip(&model.records).enumerate() {
                assert_eq!(record.seq.0, model.first + n as u64);
                assert_eq!(
                    record.payload,
                    payload(*expected),
                    "stream {stream}, {}",
                    record.seq
                );
            }
        }
        let registers: Vec<_> = self
            .registers
            .iter()
            .map(|(register, value)| (format!("register-{register}"), value.clone()))
            .collect();
        let found: Vec<_> = log
            .registers("")
            .into_iter()
            .map(|(name, value)| (name, value.to_vec()))
            .collect();
        assert_eq!(found, registers);
    }

    fn read(&self, log: &Log, stream: usize, from: u64, records: usize) {
        let Some(id) = log.find_stream(&format!("stream-{stream}")) else {
            return;
        };
        let model = self.streams.get(&stream).cloned().unwrap_or_default();
        let limit = ReadLimit {
            records,
            bytes: usize::MAX,
        };
        match log.read(id, Seq(from), limit, Visibility::Appended) {
            Ok(read) => {
                assert!(from >= model.first);
                assert!(read.len() <= records);
                assert_eq!(read.is_empty(), from >= model.next());
                for (n, record) in read.iter().enumerate() {
                    let expected = model.records[(from - model.first) as usize + n];
                    assert_eq!(record.payload, payload(expected));
                }
            }
            Err(ReadError::Trimmed { first }) => {
                assert!(from < model.first);
                assert_eq!(first.0, model.first);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Small segments and a tail that holds next to nothing, so that most reads come from files.
fn options(tail: bool) -> Options {
    Options {
        tail_bytes_max: if tail { 1 << 20 } else { 0 },
        ..small()
    }
}

fn run(steps: &[Step], tail: bool) {
    let mut disk = Memory::new(1);
    let mut log = disk.open_log(options(tail)).unwrap();
    let mut model = Model::default();
    let mut last = None;
    for step in steps {
        match step {
            Step::Batch { changes, wait } => {
                let mut batch = Batch::new();
                let mut removed = Vec::new();
                for change in changes {
                    model.change(&log, &mut batch, change, &mut removed);
                }
                let ticket = log.append(batch).unwrap();
                if *wait {
                    ticket.wait().unwrap();
                } else {
                    last = Some(ticket);
                }
            }
            Step::Read {
                stream,
                from,
                records,
            } => model.read(&log, *stream, *from, *records),
            Step::Check => model.check(&log, Visibility::Appended),
            Step::Reopen | Step::Die => {
                drop(last.take());
                if matches!(step, Step::Die) {
                    log.append(Batch::new()).unwrap().wait().unwrap();
                    disk = disk.copy();
                }
                drop(log);
                log = disk.open_log(options(tail)).unwrap();
                assert!(log.recovery().damage.is_empty());
                assert_eq!(log.recovery().clean, matches!(step, Step::Reopen));
                model.check(&log, Visibility::Durable);
            }
        }
    }
    drop(last);
    log.append(Batch::new()).unwrap().wait().unwrap();
    model.check(&log, Visibility::Durable);
    assert_eq!(Options::new("x").sync, SyncPolicy::Always);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_log_behaves_like_a_plain_model_across_reopening(
        steps in prop::collection::vec(step(), 1..120),
        tail in any::<bool>(),
    ) {
        run(&steps, tail);
    }
}
