//! Walks the frames of a segment, telling whole ones from damaged regions.

use std::io;

use crate::disk::File;
use crate::format::Seed;
use crate::frame::{FRAME_BYTES, Frame, Kind, Op, is_frame, ops};

const WINDOW_BYTES: usize = 512 << 10;

/// A part of a file in memory.
#[derive(Debug)]
struct Window<'a> {
    file: &'a dyn File,
    start: u64,
    buffer: Vec<u8>,
    end: u64,
}

impl Window<'_> {
    /// The bytes from `from` on: at least `bytes`, unless the end comes first.
    fn bytes(&mut self, from: u64, bytes: usize) -> io::Result<&[u8]> {
        let want = from.saturating_add(bytes as u64).min(self.end);
        let have = self.start + self.buffer.len() as u64;
        if from < self.start || want > have {
            let keep = if (self.start..have).contains(&from) {
                self.buffer.drain(..(from - self.start) as usize);
                self.buffer.len()
            } else {
                self.buffer.clear();
                0
            };
            self.start = from;
            let load = bytes
                .max(WINDOW_BYTES)
                .min(self.end.saturating_sub(from) as usize);
            self.buffer.resize(load.max(keep), 0);
            let read = self
                .file
                .read_at(&mut self.buffer[keep..], from + keep as u64)?;
            self.buffer.truncate(keep + read);
            if (keep + read) < load {
                self.end = from + (keep + read) as u64;
            }
        }
        let at = ((from - self.start) as usize).min(self.buffer.len());
        Ok(&self.buffer[at..])
    }
}

/// What comes next in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A whole frame.
    Whole { at: u32, frame: Frame },
    /// Bytes that are no valid frame, with a whole frame or the known end of the segment behind them.
    Invalid { at: u32, end: u32 },
    /// Nothing valid comes any more. Frames whose header is valid, but not the rest, reach up to `dirty_end`.
    End { at: u32, dirty_end: u32 },
}

/// Walks the frames of a segment.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    window: Window<'a>,
    seed: Seed,
    at: u32,
    /// Where the segment ends, if that is known from the next one.
    known_end: Option<u32>,
    /// Number that the next frame must have; after damage, at least.
    expected: u64,
    dirty_end: u32,
}

impl<'a> Scan<'a> {
    /// Walks from `at`, where the frame numbered `expected` begins.
    pub(crate) fn new(
        file: &'a dyn File,
        seed: Seed,
        at: u32,
        expected: u64,
        (capacity, known_end): (u32, Option<u32>),
    ) -> Self {
        let end = u64::from(known_end.unwrap_or(capacity));
        let window = Window {
            file,
            start: 0,
            buffer: Vec::new(),
            end,
        };
        Self {
            window,
            seed,
            at,
            known_end,
            expected,
            dirty_end: 0,
        }
    }

    /// Number that the next frame must have.
    pub(crate) fn expected(&self) -> u64 {
        self.expected
    }

    /// The bytes of a frame or region that was returned last.
    pub(crate) fn bytes(&mut self, at: u32, end: u32) -> io::Result<&[u8]> {
        let length = (end - at) as usize;
        let bytes = self.window.bytes(u64::from(at), length)?;
        Ok(&bytes[..length.min(bytes.len())])
    }

    pub(crate) fn next(&mut self) -> io::Result<Event> {
        let at = self.at;
        if let Some(frame) = self.whole(at, self.expected, self.expected)? {
            return Ok(self.take(at, frame));
        }
        if self.known_end == Some(at) {
            return Ok(Event::End { at, dirty_end: at });
        }
        let (end, found) = self.search(at)?;
        match (found, self.known_end) {
            (Some(_), _) => {
                self.at = end;
                // The frame behind the damage is known to be whole; the next call returns it.
                self.expected = found.unwrap_or(self.expected);
                Ok(Event::Invalid { at, end })
            }
            (None, Some(end)) => {
                self.at = end;
                Ok(Event::Invalid { at, end })
            }
            (None, None) => Ok(Event::End {
                at,
                dirty_end: self.dirty_end.max(at),
            }),
        }
    }

    fn take(&mut self, at: u32, frame: Frame) -> Event {
        self.at = at + frame.bytes;
        self.expected = frame.number + 1;
        Event::Whole { at, frame }
    }

    /// The frame at `at`, if it is whole and its number lies between the two.
    fn whole(&mut self, at: u32, least: u64, most: u64) -> io::Result<Option<Frame>> {
        let end = self.window.end;
        let seed = self.seed;
        let bytes = self.window.bytes(u64::from(at), FRAME_BYTES)?;
        let Some(frame) = Frame::decode(seed, bytes) else {
            return Ok(None);
        };
        let frame_end = u64::from(at) + u64::from(frame.bytes);
        if frame_end > end {
            return Ok(None);
        }
        self.dirty_end = self.dirty_end.max(frame_end as u32);
        if !(least..=most).contains(&frame.number) {
            return Ok(None);
        }
        let bytes = self.window.bytes(u64::from(at), frame.bytes as usize)?;
        let whole = bytes
            .get(..frame.bytes as usize)
            .is_some_and(|b| frame.is_whole(seed, b));
        Ok(whole.then_some(frame))
    }

    /// Looks for the next whole frame behind `at`: where the search ended, and the frame's number.
    fn search(&mut self, at: u32) -> io::Result<(u32, Option<u64>)> {
        let mut at = u64::from(at) + 8;
        loop {
            let bytes = self.window.bytes(at, FRAME_BYTES)?;
            if bytes.len() < FRAME_BYTES {
                return Ok((at as u32, None));
            }
            // Most of what is searched is zeros, payload or old frames: look for the magic in what is in memory.
            let Some(hit) = bytes.chunks_exact(8).position(is_frame) else {
                at += (bytes.len() / 8 * 8) as u64;
                continue;
            };
            at += hit as u64 * 8;
            if let Some(frame) = self.whole(at as u32, self.expected, u64::MAX)? {
                return Ok((at as u32, Some(frame.number)));
            }
            at += 8;
        }
    }
}

/// An operation found in a damaged region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Salvaged {
    pub(crate) op: Op,
    /// Its own check holds. If not, its header is what an otherwise intact frame has at its place.
    pub(crate) valid: bool,
}

/// The operations in a damaged region: the healthy rest of frames that are not whole.
pub(crate) fn salvage(seed: Seed, region: &[u8]) -> Vec<Salvaged> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 8 <= region.len() {
        if let Some(end) = salvage_frame(seed, region, at, &mut found) {
            at = end;
            continue;
        }
        match Op::decode(region, at) {
            Some(op) if op.is_valid(seed, region) => {
                found.push(Salvaged { op, valid: true });
                at = op.end();
            }
            _ => at += 8,
        }
    }
    found.retain(|salvaged| salvaged.op.kind != Kind::Close);
    found
}

/// The operations of a frame whose header is valid, and in which they follow each other as they should.
fn salvage_frame(seed: Seed, region: &[u8], at: usize, found: &mut Vec<Salvaged>) -> Option<usize> {
    let frame = Frame::decode(seed, &region[at..])?;
    let end = at + frame.bytes as usize;
    let bytes = region.get(..end)?;
    let ops: Vec<Op> = ops(bytes, at + FRAME_BYTES, end).collect();
    let intact = ops.len() == frame.ops as usize
        && ops.last().map_or(at + FRAME_BYTES, |last| last.end()) == end;
    if !intact {
        return None;
    }
    found.extend(ops.into_iter().map(|op| Salvaged {
        op,
        valid: op.is_valid(seed, region),
    }));
    Some(end)
}

#[cfg(test)]
mod tests;
