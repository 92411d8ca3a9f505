//! The table of streams and registers that begins every segment, and how frames change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{seq_at, u16_at, u32_at, u64_at};
use crate::frame::{Kind, Op};
use crate::seq::Extent;
use crate::{Seq, StreamId};

const HEAD_BYTES: usize = 16;
const STREAM_BYTES: usize = 40;
const REGISTER_BYTES: usize = 8;

/// Streams and registers as they stand at one point of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Table {
    /// Number for the next new stream.
    pub(crate) next_id: u32,
    pub(crate) streams: BTreeMap<StreamId, Entry>,
    pub(crate) registers: BTreeMap<Arc<str>, Bytes>,
}

/// A stream in the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) extent: Extent,
    /// In a table on disk: the lowest `next` in the previous segment. While a segment is replayed: in that one.
    pub(crate) low: Seq,
    /// Last segment in which `next` moved back, 0 if it never did.
    pub(crate) rewound: u64,
}

/// Records that should be there and are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gap {
    pub(crate) stream: StreamId,
    pub(crate) from: Seq,
    pub(crate) to: Seq,
}

/// Bytes that a stream of this name takes in the table.
pub(crate) fn stream_cost(name: &str) -> usize {
    STREAM_BYTES + name.len()
}

/// Bytes that a register takes in the table.
pub(crate) fn register_cost(name: &str, value_bytes: usize) -> usize {
    REGISTER_BYTES + name.len() + value_bytes
}

impl Table {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        out.extend_from_slice(&(self.streams.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.registers.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.next_id.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for (id, entry) in &self.streams {
            out.extend_from_slice(&id.0.to_le_bytes());
            out.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            for number in [
                entry.extent.first.0,
                entry.extent.next.0,
                entry.low.0,
                entry.rewound,
            ] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(entry.name.as_bytes());
        }
        for (name, value) in &self.registers {
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value);
        }
        out
    }

    /// Reads a table whose check held; `None` if it is not one all the same.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD_BYTES)?;
        let (streams, registers) = (u32_at(head, 0), u32_at(head, 4));
        let mut table = Self {
            next_id: u32_at(head, 8),
            ..Self::default()
        };
        let mut rest = &bytes[HEAD_BYTES..];
        for _ in 0..streams {
            let (fixed, tail) = rest.split_at_checked(STREAM_BYTES)?;
            let (name, tail) = tail.split_at_checked(usize::from(u16_at(fixed, 4)))?;
            let entry = Entry {
                name: std::str::from_utf8(name).ok()?.into(),
                extent: Extent {
                    first: seq_at(fixed, 8),
                    next: seq_at(fixed, 16),
                },
                low: seq_at(fixed, 24),
                rewound: u64_at(fixed, 32),
            };
            table.streams.insert(StreamId(u32_at(fixed, 0)), entry);
            rest = tail;
        }
        for _ in 0..registers {
            let (fixed, tail) = rest.split_at_checked(REGISTER_BYTES)?;
            let (name, tail) = tail.split_at_checked(usize::from(u16_at(fixed, 0)))?;
            let (value, tail) = tail.split_at_checked(u32_at(fixed, 4) as usize)?;
            let name = std::str::from_utf8(name).ok()?.into();
            table.registers.insert(name, Bytes::copy_from_slice(value));
            rest = tail;
        }
        rest.is_empty().then_some(table)
    }

    /// Bytes that the table takes on disk.
    pub(crate) fn bytes(&self) -> usize {
        let streams: usize = self
            .streams
            .values()
            .map(|entry| stream_cost(&entry.name))
            .sum();
        let registers: usize = self
            .registers
            .iter()
            .map(|(name, value)| register_cost(name, value.len()))
            .sum();
        HEAD_BYTES + streams + registers
    }

    /// Makes every stream's `low` that of the segment which begins with this table.
    pub(crate) fn begin_segment(&mut self) {
        for entry in self.streams.values_mut() {
            entry.low = entry.extent.next;
        }
    }

    /// Applies an operation of a segment that holds `buffer`. Records that are missing before it, because of damage,
    /// are returned.
    pub(crate) fn apply(&mut self, op: Op, buffer: &[u8], segment: u64) -> Option<Gap> {
        match op.kind {
            Kind::Declare => {
                let name = String::from_utf8_lossy(op.payload(buffer));
                self.next_id = self.next_id.max(op.stream.0.saturating_add(1));
                self.streams
                    .insert(op.stream, Entry::new(name.as_ref().into()));
            }
            Kind::Remove => {
                self.streams.remove(&op.stream);
            }
            Kind::Append | Kind::Trim | Kind::Rewind | Kind::Start => {
                return self.apply_to_stream(op, segment);
            }
            Kind::Set => {
                if let Some((name, value)) = Op::register(op.payload(buffer)) {
                    self.registers
                        .insert(name.into(), Bytes::copy_from_slice(value));
                }
            }
            Kind::Unset => {
                if let Ok(name) = std::str::from_utf8(op.payload(buffer)) {
                    self.registers.remove(name);
                }
            }
            Kind::Close => {}
        }
        None
    }

    /// Passes over a damaged record, whose header may be damaged too: if it says what it must, its number is
    /// taken and not given again.
    pub(crate) fn lose(&mut self, op: Op) -> Option<Gap> {
        let entry = self.streams.get_mut(&op.stream)?;
        if op.kind != Kind::Append || entry.extent.next != op.seq {
            return None;
        }
        entry.extent.next = op.seq.next();
        Some(Gap {
            stream: op.stream,
            from: op.seq,
            to: op.seq.next(),
        })
    }

    fn apply_to_stream(&mut self, op: Op, segment: u64) -> Option<Gap> {
        let next_id = &mut self.next_id;
        let entry = self.streams.entry(op.stream).or_insert_with(|| {
            // Its declaration was lost to damage; the number names it.
            *next_id = (*next_id).max(op.stream.0.saturating_add(1));
            Entry::new(format!("lost-{}", op.stream).into())
        });
        let before = entry.extent.next;
        match op.kind {
            Kind::Append => {
                entry.extent.next = op.seq.next();
                if before < op.seq {
                    return Some(Gap {
                        stream: op.stream,
                        from: before,
                        to: op.seq,
                    });
                }
                // Below `before` only if a rewind was lost to damage.
                entry.note_rewind(before, op.seq, segment);
                return None;
            }
            Kind::Trim => entry.extent.trim(op.seq),
            Kind::Rewind => entry.extent.rewind(op.seq),
            _ => entry.extent.start(op.seq),
        }
        let after = entry.extent.next;
        entry.note_rewind(before, after, segment);
        None
    }
}

impl Entry {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            extent: Extent::default(),
            low: Seq::ZERO,
            rewound: 0,
        }
    }

    /// Keeps in mind that `next` moved back in a segment.
    pub(crate) fn note_rewind(&mut self, before: Seq, after: Seq, segment: u64) {
        if after < before {
            self.low = self.low.min(after);
            self.rewound = segment;
        }
    }
}

#[cfg(test)]
mod tests;
