//! Frames and the operations in them: see [`format`](crate::format) for the bytes.

use crate::format::{Seed, align8, put_u32, put_u64, seq_at, u32_at, u64_at};
use crate::{Seq, StreamId};

/// Size of a frame's header.
pub(crate) const FRAME_BYTES: usize = 40;
/// Size of an operation's header.
pub(crate) const OP_BYTES: usize = 24;

const MAGIC: u32 = u32::from_le_bytes(*b"HFRM");

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Append = 1,
    Declare = 2,
    Remove = 3,
    Trim = 4,
    Rewind = 5,
    Start = 6,
    Set = 7,
    Unset = 8,
    Close = 9,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Append,
            2 => Self::Declare,
            3 => Self::Remove,
            4 => Self::Trim,
            5 => Self::Rewind,
            6 => Self::Start,
            7 => Self::Set,
            8 => Self::Unset,
            9 => Self::Close,
            _ => return None,
        })
    }
}

/// Header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: u32,
    pub(crate) number: u64,
    pub(crate) durable: u64,
    pub(crate) ops: u32,
    body_check: u32,
}

impl Frame {
    /// Reads a frame's header if the bytes begin with a valid one.
    pub(crate) fn decode(seed: Seed, bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..FRAME_BYTES)?;
        if !is_frame(header) || seed.check(&header[..36]) != u32_at(header, 36) {
            return None;
        }
        let frame = Self {
            bytes: u32_at(header, 4),
            number: u64_at(header, 8),
            durable: u64_at(header, 16),
            ops: u32_at(header, 24),
            body_check: u32_at(header, 32),
        };
        (frame.bytes as usize >= FRAME_BYTES && frame.bytes.is_multiple_of(8)).then_some(frame)
    }

    /// Whether all of the frame, whose bytes are given, is as it was written.
    pub(crate) fn is_whole(&self, seed: Seed, bytes: &[u8]) -> bool {
        let mut checks = Vec::with_capacity(self.ops.min(1 << 16) as usize * 4);
        let mut at = FRAME_BYTES;
        for _ in 0..self.ops {
            let Some(op) = Op::decode(bytes, at) else {
                return false;
            };
            if !op.is_valid(seed, bytes) {
                return false;
            }
            checks.extend_from_slice(&bytes[at + 20..at + 24]);
            at = op.end();
        }
        at == bytes.len() && seed.check(&checks) == self.body_check
    }
}

/// Whether the bytes begin with the magic of a frame.
pub(crate) fn is_frame(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && u32_at(bytes, 0) == MAGIC
}

/// An operation within a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op {
    pub(crate) kind: Kind,
    pub(crate) stream: StreamId,
    pub(crate) seq: Seq,
    /// Where it begins in the buffer.
    pub(crate) at: usize,
    pub(crate) payload_bytes: usize,
}

impl Op {
    /// Reads the operation's header at `at`, unchecked; its payload lies within the buffer.
    pub(crate) fn decode(buffer: &[u8], at: usize) -> Option<Self> {
        let op = Self::header(buffer.get(at..)?, at)?;
        (op.end() <= buffer.len()).then_some(op)
    }

    /// Reads the operation's header from the first bytes, unchecked; its payload may lie beyond them.
    pub(crate) fn header(bytes: &[u8], at: usize) -> Option<Self> {
        let header = bytes.get(..OP_BYTES)?;
        if header[1..4] != [0; 3] {
            return None;
        }
        Some(Self {
            kind: Kind::of(header[0])?,
            stream: StreamId(u32_at(header, 16)),
            seq: seq_at(header, 8),
            at,
            payload_bytes: u32_at(header, 4) as usize,
        })
    }

    pub(crate) fn payload(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.payload_at()..self.payload_at() + self.payload_bytes]
    }

    pub(crate) fn payload_at(self) -> usize {
        self.at + OP_BYTES
    }

    /// Where the next operation begins.
    pub(crate) fn end(self) -> usize {
        align8(self.payload_at() + self.payload_bytes)
    }

    /// Whether header and payload are as they were written.
    pub(crate) fn is_valid(self, seed: Seed, buffer: &[u8]) -> bool {
        let mut header = [0; OP_BYTES];
        header.copy_from_slice(&buffer[self.at..self.at + OP_BYTES]);
        let expected = u32_at(&header, 20);
        put_u32(&mut header, 20, crc32fast::hash(self.payload(buffer)));
        seed.check(&header) == expected
    }

    /// Name and value of a `Set`.
    pub(crate) fn register(payload: &[u8]) -> Option<(&str, &[u8])> {
        let name_bytes = usize::from(u16::from_le_bytes([*payload.first()?, *payload.get(1)?]));
        let (name, value) = payload.get(2..)?.split_at_checked(name_bytes)?;
        Some((std::str::from_utf8(name).ok()?, value))
    }
}

/// The operations that follow one another in a buffer, unchecked, until something else comes.
pub(crate) fn ops(buffer: &[u8], from: usize, to: usize) -> impl Iterator<Item = Op> {
    let mut at = from;
    std::iter::from_fn(move || {
        if at >= to {
            return None;
        }
        let op = Op::decode(buffer, at)?;
        at = op.end();
        Some(op)
    })
}

/// Writes an operation's header. Its check field holds the payload's crc32 until the frame is sealed.
pub(crate) fn put_op(buffer: &mut [u8], op: Op) {
    let payload_crc = crc32fast::hash(op.payload(buffer));
    let header = &mut buffer[op.at..op.at + OP_BYTES];
    header.fill(0);
    header[0] = op.kind as u8;
    put_u32(header, 4, op.payload_bytes as u32);
    put_u64(header, 8, op.seq.0);
    put_u32(header, 16, op.stream.0);
    put_u32(header, 20, payload_crc);
}

/// Gives a frame its number and checks. `seq_of` tells the sequence number of each append, in order.
pub(crate) fn seal(
    seed: Seed,
    frame: &mut [u8],
    (number, durable): (u64, u64),
    checks: &mut Vec<u8>,
    mut on_append: impl FnMut(Op) -> Seq,
) {
    checks.clear();
    let mut at = FRAME_BYTES;
    while let Some(op) = Op::decode(frame, at) {
        if op.kind == Kind::Append {
            put_u64(frame, at + 8, on_append(op).0);
        }
        let check = seed.check(&frame[at..at + OP_BYTES]);
        put_u32(frame, at + 20, check);
        checks.extend_from_slice(&check.to_le_bytes());
        at = op.end();
    }
    let bytes = frame.len() as u32;
    put_u32(frame, 0, MAGIC);
    put_u32(frame, 4, bytes);
    put_u64(frame, 8, number);
    put_u64(frame, 16, durable);
    put_u32(frame, 24, (checks.len() / 4) as u32);
    put_u32(frame, 28, 0);
    put_u32(frame, 32, seed.check(checks));
    let check = seed.check(&frame[..36]);
    put_u32(frame, 36, check);
}
