//! A batch: what becomes durable together or not at all.

use crate::format::{NAME_BYTES_MAX, REGISTER_BYTES_MAX, align8};
use crate::frame::{FRAME_BYTES, Kind, OP_BYTES, Op, put_op};
use crate::{AppendError, Seq, StreamId};

/// Records, registers, trims and rewinds that become durable together or not at all.
///
/// Operations take effect in the order in which they were added.
#[derive(Debug)]
pub struct Batch {
    /// A frame whose header, sequence numbers and checks are still to come.
    pub(crate) buffer: Vec<u8>,
    pub(crate) steps: Vec<Step>,
    pub(crate) reserved: bool,
    pub(crate) fault: Option<AppendError>,
    records: usize,
}

/// Operations that are taken together: consecutive appends to one stream, or one other operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) stream: StreamId,
    /// Appends: number of the first record, known once appended. Else the operation's sequence.
    pub(crate) seq: Seq,
    /// Appends: number of records.
    pub(crate) count: u32,
    /// Where the first operation begins and the last one ends in the frame.
    pub(crate) at: u32,
    pub(crate) end: u32,
}

impl Step {
    /// The number behind the last record appended.
    pub(crate) fn next(&self) -> Seq {
        self.seq.plus(u64::from(self.count))
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    /// An empty batch with room for `bytes` of records; each takes 24 bytes more than its payload.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes + FRAME_BYTES);
        buffer.resize(FRAME_BYTES, 0);
        Self {
            buffer,
            steps: Vec::new(),
            reserved: false,
            fault: None,
            records: 0,
        }
    }

    /// Appends a record to a stream.
    pub fn append(&mut self, stream: StreamId, payload: &[u8]) {
        self.append_with(stream, |buffer| buffer.extend_from_slice(payload));
    }

    /// Appends a record that `encode` writes straight behind what the buffer holds. It must only add bytes.
    pub fn append_with(&mut self, stream: StreamId, encode: impl FnOnce(&mut Vec<u8>)) {
        self.records += 1;
        self.push(Kind::Append, stream, Seq::ZERO, encode);
    }

    /// Sets a register. Its value is at most 64 KiB, its name 512 bytes.
    pub fn set(&mut self, register: &str, value: &[u8]) {
        self.check_name(register);
        if value.len() > REGISTER_BYTES_MAX {
            let error = AppendError::RegisterTooLarge {
                bytes: value.len(),
                max: REGISTER_BYTES_MAX,
            };
            self.fault.get_or_insert(error);
            return;
        }
        self.push(Kind::Set, StreamId(0), Seq::ZERO, |buffer| {
            buffer.extend_from_slice(&(register.len() as u16).to_le_bytes());
            buffer.extend_from_slice(register.as_bytes());
            buffer.extend_from_slice(value);
        });
    }

    /// Removes a register; one that is not there is left alone.
    pub fn unset(&mut self, register: &str) {
        self.check_name(register);
        self.push(Kind::Unset, StreamId(0), Seq::ZERO, |buffer| {
            buffer.extend_from_slice(register.as_bytes());
        });
    }

    /// Drops the stream's records below `below`. Beyond the end it empties the stream and moves its next number forward.
    pub fn trim(&mut self, stream: StreamId, below: Seq) {
        self.push(Kind::Trim, stream, below, |_| {});
    }

    /// Cuts the stream back: its next number becomes `to`, but not less than its first. A `to` at or beyond the end changes nothing.
    pub fn rewind(&mut self, stream: StreamId, to: Seq) {
        self.push(Kind::Rewind, stream, to, |_| {});
    }

    /// Lets an empty stream begin at `seq`.
    pub fn start_at(&mut self, stream: StreamId, seq: Seq) {
        self.push(Kind::Start, stream, seq, |_| {});
    }

    /// Removes a stream with all it holds. Its number is not used again.
    pub fn remove(&mut self, stream: StreamId) {
        self.push(Kind::Remove, stream, Seq::ZERO, |_| {});
    }

    /// Lets the batch use the room kept for what must go through when the log is full.
    pub fn reserved(&mut self) {
        self.reserved = true;
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether the batch does nothing at all.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Bytes that the batch takes on disk.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// A batch that declares a new stream.
    pub(crate) fn declare(stream: StreamId, name: &str) -> Self {
        let mut batch = Self::with_capacity(OP_BYTES + align8(name.len()));
        batch.reserved = true;
        batch.push(Kind::Declare, stream, Seq::ZERO, |buffer| {
            buffer.extend_from_slice(name.as_bytes());
        });
        batch
    }

    /// The mark of a clean close, or an empty frame that only says what is durable.
    pub(crate) fn mark(close: bool) -> Self {
        let mut batch = Self::with_capacity(OP_BYTES);
        if close {
            batch.push(Kind::Close, StreamId(0), Seq::ZERO, |_| {});
        }
        batch
    }

    fn push(&mut self, kind: Kind, stream: StreamId, seq: Seq, encode: impl FnOnce(&mut Vec<u8>)) {
        let at = self.buffer.len();
        self.buffer.resize(at + OP_BYTES, 0);
        encode(&mut self.buffer);
        let Some(payload_bytes) = self.buffer.len().checked_sub(at + OP_BYTES) else {
            self.fault.get_or_insert(AppendError::Shortened);
            self.buffer.resize(at, 0);
            return;
        };
        self.buffer.resize(align8(self.buffer.len()), 0);
        if u32::try_from(self.buffer.len()).is_err() {
            // Far beyond any segment: `append` refuses it by its size.
            return;
        }
        put_op(
            &mut self.buffer,
            Op {
                kind,
                stream,
                seq,
                at,
                payload_bytes,
            },
        );
        let (at, end) = (at as u32, self.buffer.len() as u32);
        match self.steps.last_mut() {
            Some(last) if kind == Kind::Append && last.kind == kind && last.stream == stream => {
                last.count += 1;
                last.end = end;
            }
            _ => {
                let count = u32::from(kind == Kind::Append);
                self.steps.push(Step {
                    kind,
                    stream,
                    seq,
                    count,
                    at,
                    end,
                });
            }
        }
    }

    fn check_name(&mut self, name: &str) {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let error = AppendError::BadName {
                bytes: name.len(),
                max: NAME_BYTES_MAX,
            };
            self.fault.get_or_insert(error);
        }
    }
}
