use std::sync::Mutex;

use super::*;
use crate::StreamId;
use crate::batch::Batch;
use crate::frame::seal;
use crate::seq::Seq;

#[derive(Debug)]
struct Bytes(Mutex<Vec<u8>>);

impl File for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let from = (offset as usize).min(bytes.len());
        let read = buffer.len().min(bytes.len() - from);
        buffer[..read].copy_from_slice(&bytes[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}

/// Three frames of one record each, then zeros; and where each frame begins.
fn frames(seed: Seed) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for number in 1..=3_u64 {
        let mut batch = Batch::new();
        batch.append(StreamId(1), &[number as u8; 33]);
        places.push(bytes.len());
        bytes.extend_from_slice(&batch.buffer);
        let start = places[places.len() - 1];
        seal(
            seed,
            &mut bytes[start..],
            (number, number - 1),
            &mut Vec::new(),
            |_| Seq(number),
        );
    }
    bytes.resize(4096, 0);
    (bytes, places)
}

fn events(bytes: Vec<u8>, seed: Seed) -> Vec<Event> {
    let capacity = bytes.len() as u32;
    let file = Bytes(Mutex::new(bytes));
    let mut scan = Scan::new(&file, seed, 0, 1, (capacity, None));
    let mut events = Vec::new();
    loop {
        let event = scan.next().unwrap();
        events.push(event);
        if matches!(event, Event::End { .. }) {
            return events;
        }
    }
}

#[test]
fn whole_frames_are_walked_to_their_end() {
    let seed = Seed::of_salt(77);
    let (bytes, places) = frames(seed);
    let found = events(bytes, seed);
    assert_eq!(found.len(), 4);
    for (event, place) in found.iter().zip(&places) {
        assert!(matches!(event, Event::Whole { at, .. } if *at as usize == *place));
    }
}

#[test]
fn frames_of_another_use_of_the_file_are_not_frames() {
    let (bytes, _) = frames(Seed::of_salt(77));
    assert_eq!(
        events(bytes, Seed::of_salt(78)),
        [Event::End {
            at: 0,
            dirty_end: 0
        }]
    );
}

#[test]
fn every_flipped_bit_of_a_frame_is_noticed_and_the_next_frame_is_found() {
    let seed = Seed::of_salt(0xABCD_0123_4567);
    let (bytes, places) = frames(seed);
    let padding = 40 + 24 + 33..places[1];
    for at in (places[0]..places[1]).filter(|at| !padding.contains(at)) {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let found = events(bytes, seed);
            let expected = Event::Invalid {
                at: 0,
                end: places[1] as u32,
            };
            assert_eq!(found[0], expected, "byte {at} bit {bit}");
            assert!(matches!(found[1], Event::Whole { frame, .. } if frame.number == 2));
        }
    }
}

#[test]
fn what_is_healthy_in_a_damaged_frame_is_salvaged() {
    let seed = Seed::of_salt(5);
    let mut batch = Batch::new();
    for n in 0..3_u8 {
        batch.append(StreamId(9), &[n; 50]);
    }
    let mut bytes = batch.buffer;
    let mut next = 0;
    seal(seed, &mut bytes, (1, 1), &mut Vec::new(), |_| {
        next += 1;
        Seq(next)
    });
    // The payload of the second record.
    bytes[FRAME_BYTES + 24 + 56 + 24 + 10] ^= 1;
    let found: Vec<_> = salvage(seed, &bytes)
        .iter()
        .map(|found| (found.op.seq.0, found.valid))
        .collect();
    assert_eq!(found, [(1, true), (2, false), (3, true)]);
    // Without the frame's header the operations are found one by one.
    bytes[0] ^= 1;
    let found: Vec<_> = salvage(seed, &bytes)
        .iter()
        .map(|found| found.op.seq.0)
        .collect();
    assert_eq!(found, [1, 3]);
}
