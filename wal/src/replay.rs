//! Replays segments: how frames change the table, what is damaged, and where a torn tail begins.

use std::collections::VecDeque;
use std::io;

use crate::disk::File;
use crate::format::Header;
use crate::frame::{FRAME_BYTES, Frame, Kind, ops};
use crate::index::Index;
use crate::recovery::{Damage, Lost, Part};
use crate::scan::{Event, Salvaged, Scan, salvage};
use crate::table::{Gap, Table};

/// Replays segments in order.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) table: Table,
    pub(crate) damage: Vec<Damage>,
    pub(crate) next_frame: u64,
}

/// Where the replay of one segment ended.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) end: u32,
    /// Frames of a torn tail reach up to here.
    pub(crate) dirty_end: u32,
    /// Frames from here on are not known to have been synced.
    pub(crate) unsynced: u32,
    pub(crate) closed: bool,
    pub(crate) torn_bytes: u64,
    pub(crate) index: Index,
    pub(crate) frames: u64,
    pub(crate) records: u64,
}

/// The replay of one segment.
struct Pass<'a> {
    replay: &'a mut Replay,
    header: &'a Header,
    newest: bool,
    walk: Replayed,
    /// Frames that are not known to have been synced: number and place.
    unsynced: VecDeque<(u64, u32)>,
    doubt: Option<Doubt>,
}

/// State to go back to if what follows turns out to be a torn tail.
struct Doubt {
    table: Table,
    index: Index,
    damage: usize,
    at: u32,
    expected: u64,
    closed: bool,
    unsynced: u32,
    counts: (u64, u64),
}

impl Replay {
    /// Begins with nothing.
    pub(crate) fn new() -> Self {
        Self {
            table: Table::default(),
            damage: Vec::new(),
            next_frame: 1,
        }
    }

    pub(crate) fn note(
        &mut self,
        segment: u64,
        (offset, bytes): (u64, u64),
        part: Part,
        lost: Vec<Lost>,
    ) {
        self.damage.push(Damage {
            segment,
            offset,
            bytes,
            part,
            lost,
        });
    }

    /// Applies a segment to the table. In the newest one, invalid bytes may be a torn tail.
    pub(crate) fn segment(
        &mut self,
        file: &dyn File,
        header: &Header,
        known_end: Option<u32>,
        newest: bool,
    ) -> io::Result<Replayed> {
        let from = header.frames_offset();
        let limits = (header.capacity, known_end);
        let mut scan = Scan::new(file, header.seed(), from, header.first_frame, limits);
        let mut pass = Pass::new(self, header, newest);
        loop {
            let expected = scan.expected();
            match scan.next()? {
                Event::Whole { at, frame } => {
                    let bytes = scan.bytes(at, at + frame.bytes)?;
                    pass.whole(bytes, &frame, at);
                }
                Event::Invalid { at, end } => {
                    let region = scan.bytes(at, end)?;
                    pass.invalid(region, at, expected);
                }
                Event::End { at, dirty_end } => return pass.end(file, at, dirty_end),
            }
        }
    }

    /// Adds lost records to the damage that took them.
    pub(crate) fn name_lost(&mut self, gaps: &[Gap], segment: u64, at: u32) {
        for gap in gaps {
            let name = self
                .table
                .streams
                .get(&gap.stream)
                .map(|entry| entry.name.to_string());
            let lost = Lost {
                stream: gap.stream,
                name: name.unwrap_or_default(),
                from: gap.from,
                to: gap.to,
            };
            match self.damage.last_mut() {
                Some(damage) if damage.segment == segment => damage.lost.push(lost),
                _ => self.note(segment, (u64::from(at), 0), Part::Frames, vec![lost]),
            }
        }
    }
}

impl<'a> Pass<'a> {
    fn new(replay: &'a mut Replay, header: &'a Header, newest: bool) -> Self {
        let from = header.frames_offset();
        let walk = Replayed {
            end: from,
            dirty_end: from,
            unsynced: from,
            closed: false,
            torn_bytes: 0,
            index: Index::default(),
            frames: 0,
            records: 0,
        };
        Self {
            replay,
            header,
            newest,
            walk,
            unsynced: VecDeque::new(),
            doubt: None,
        }
    }

    fn whole(&mut self, bytes: &[u8], frame: &Frame, at: u32) {
        // Every frame below `durable` was synced before this one was written: what is invalid there is damage.
        if self
            .doubt
            .as_ref()
            .is_some_and(|doubt| frame.durable > doubt.expected)
        {
            self.doubt = None;
        }
        while self
            .unsynced
            .front()
            .is_some_and(|(number, _)| *number < frame.durable)
        {
            self.unsynced.pop_front();
        }
        self.unsynced.push_back((frame.number, at));
        let walk = &mut self.walk;
        walk.closed = false;
        walk.frames += 1;
        let mut gaps = Vec::new();
        for op in ops(bytes, FRAME_BYTES, frame.bytes as usize) {
            walk.records += u64::from(op.kind == Kind::Append);
            walk.closed |= op.kind == Kind::Close;
            gaps.extend(self.replay.table.apply(op, bytes, self.header.number));
        }
        walk.index.add_frame(bytes, at);
        walk.end = at + frame.bytes;
        self.replay.next_frame = frame.number + 1;
        self.replay.name_lost(&gaps, self.header.number, at);
    }

    /// Takes what is healthy from a region that is not valid.
    fn invalid(&mut self, region: &[u8], at: u32, expected: u64) {
        let walk = &mut self.walk;
        if self.newest && self.doubt.is_none() {
            self.doubt = Some(Doubt {
                table: self.replay.table.clone(),
                index: std::mem::take(&mut walk.index),
                damage: self.replay.damage.len(),
                at,
                expected,
                closed: walk.closed,
                unsynced: self.unsynced.front().map_or(at, |(_, at)| *at),
                counts: (walk.frames, walk.records),
            });
        }
        walk.closed = false;
        walk.end = at + region.len() as u32;
        let number = self.header.number;
        let extent = (u64::from(at), region.len() as u64);
        self.replay.note(number, extent, Part::Frames, Vec::new());
        let mut gaps: Vec<Gap> = Vec::new();
        for Salvaged { op, valid } in salvage(self.header.seed(), region) {
            let table = &mut self.replay.table;
            if valid {
                gaps.extend(table.apply(op, region, number));
            } else {
                gaps.extend(table.lose(op));
            }
        }
        self.replay.name_lost(&gaps, number, at);
    }

    fn end(mut self, file: &dyn File, at: u32, dirty_end: u32) -> io::Result<Replayed> {
        self.walk.unsynced = self.unsynced.front().map_or(at, |(_, at)| *at);
        self.walk.dirty_end = dirty_end;
        match self.doubt.take() {
            Some(doubt) => self.go_back(doubt),
            // The index from before the damage was set aside with the doubt: begin anew, damage included.
            None if self.newest && !self.replay.damage.is_empty() => {
                self.walk.index = Index::build(file, self.header, Some(self.walk.end))?;
            }
            None => {}
        }
        let mut walk = self.walk;
        if self.newest {
            walk.torn_bytes = u64::from(walk.dirty_end.saturating_sub(walk.end));
        }
        Ok(walk)
    }

    /// What was invalid is a torn tail: forgets all that came from it and behind it.
    fn go_back(&mut self, doubt: Doubt) {
        let walk = &mut self.walk;
        walk.dirty_end = walk.dirty_end.max(walk.end);
        walk.index = doubt.index;
        walk.end = doubt.at;
        walk.closed = doubt.closed;
        walk.unsynced = doubt.unsynced;
        (walk.frames, walk.records) = doubt.counts;
        self.replay.table = doubt.table;
        self.replay.damage.truncate(doubt.damage);
        self.replay.next_frame = doubt.expected;
    }
}
