//! The writer: the one thread that writes segments. While one sync is in flight the next group gathers.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::disk::is_no_room;
use crate::format::PAGE;
use crate::frame::{FRAME_BYTES, Kind, seal};
use crate::ledger::{Ledger, Parcel, Phase};
use crate::options::SyncPolicy;
use crate::pool::{Spare, make_now, settle};
use crate::segment::{Active, Position, begin};
use crate::shared::Shared;
use crate::signal::wake_all;
use crate::{AppendError, Seq};

/// Kept free at the end of a segment: for marks.
pub(crate) const MARK_BYTES: usize = 256;
/// Once the log was idle for so long, a mark says that the last group is durable.
const IDLE: Duration = Duration::from_millis(100);

/// How often the writer gives way before a group.
const YIELDS: u32 = 2;
/// A group that does not fit is cut in two only if more than this part of the segment would be left empty.
const WASTE: usize = 32;

/// The thread that writes segments.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    /// The file of `active` failed: it is not written again (I7).
    poisoned: bool,
    policy: SyncPolicy,
    group_bytes_max: usize,
    next_frame: u64,
    /// All frames below were synced.
    synced_frame: u64,
    last_sync: Instant,
    /// A mark stands behind the last group.
    marked: bool,
    /// Writes that failed since the last that succeeded.
    failures: u32,
    /// Batches in the last group.
    last_batches: u64,
    group: Vec<(u64, Parcel)>,
    places: Vec<(u64, u32)>,
    buffer: Vec<u8>,
    checks: Vec<u8>,
}

enum Task {
    Group,
    Sync,
    Mark,
    Close,
    Stop,
}

/// Why no new segment was begun.
enum NoSegment {
    NoRoom,
    Failed(io::Error),
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        active: Active,
        next_frame: u64,
        policy: SyncPolicy,
        group_bytes_max: usize,
    ) -> Self {
        Self {
            shared,
            active,
            poisoned: false,
            policy,
            group_bytes_max,
            next_frame,
            synced_frame: next_frame,
            last_sync: Instant::now(),
            marked: true,
            failures: 0,
            last_batches: 0,
            group: Vec::new(),
            places: Vec::new(),
            buffer: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Writes until the log is closed or poisoned.
    pub(crate) fn run(mut self) {
        loop {
            match self.wait() {
                Task::Group => self.write_next(),
                Task::Sync => self.sync_late(),
                Task::Mark => self.mark(false),
                Task::Close => {
                    self.mark(true);
                    let signals = self.shared.end(Phase::Closed, AppendError::Closed);
                    wake_all(signals);
                    return;
                }
                Task::Stop => return,
            }
        }
    }

    fn wait(&mut self) -> Task {
        let shared = Arc::clone(&self.shared);
        let mut ledger = shared.ledger();
        let idle_since = Instant::now();
        loop {
            if ledger.phase == Phase::Poisoned {
                return Task::Stop;
            }
            if ledger.next_pending().is_some() {
                return Task::Group;
            }
            if ledger.phase == Phase::Closing {
                return Task::Close;
            }
            let due = match self.policy {
                SyncPolicy::Interval(interval) if self.synced_frame < self.next_frame => {
                    Some((self.last_sync + interval, Task::Sync))
                }
                SyncPolicy::Always if !self.marked => Some((idle_since + IDLE, Task::Mark)),
                _ => None,
            };
            ledger.writer_sleeps = true;
            let poisoned = std::sync::PoisonError::into_inner;
            ledger = match due {
                None => shared.work.wait(ledger).unwrap_or_else(poisoned),
                Some((at, task)) => {
                    let left = at.saturating_duration_since(Instant::now());
                    if left == Duration::ZERO {
                        ledger.writer_sleeps = false;
                        return task;
                    }
                    let waited = shared.work.wait_timeout(ledger, left);
                    waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
            };
            ledger.writer_sleeps = false;
        }
    }

    /// Writes the next group, into a new segment if it does not fit in this one.
    fn write_next(&mut self) {
        if let SyncPolicy::Interval(interval) = self.policy
            && self.synced_frame < self.next_frame
            && self.last_sync.elapsed() >= interval
        {
            self.sync_late();
        }
        self.group.clear();
        self.buffer.clear();
        // One large batch does not keep its room for ever.
        self.buffer.shrink_to(2 * self.group_bytes_max);
        self.places.clear();
        let room = if self.poisoned { 0 } else { self.room() };
        let (need, reserved) = {
            let mut ledger = self.shared.ledger();
            // Half a group now would make two syncs of one, and of all that follow: what came back late shares no sync.
            let whole = ledger.pending_bytes().min(self.group_bytes_max);
            if room >= whole || room > self.active.header.capacity as usize / WASTE {
                ledger.take_group(0, self.group_bytes_max, room, &mut self.group);
            }
            let next = ledger.next_pending();
            next.map_or((0, true), |parcel| (parcel.bytes.len(), parcel.reserved))
        };
        if !self.group.is_empty() {
            self.gather(room);
            self.write_group();
        } else if need > 0 {
            match self.roll(need, reserved) {
                Ok(()) => {}
                Err(NoSegment::NoRoom) => self.become_full(reserved),
                Err(NoSegment::Failed(error)) => self.poison_log(&error),
            }
        }
    }

    /// Puts the frames of the group in the buffer, and of whatever was appended meanwhile. Where several were told together
    /// by the last group they come back together: gives way a few times so that they share the sync. A lone producer
    /// is not waited for.
    fn gather(&mut self, room: usize) {
        let mut yields = if self.last_batches > 1 { YIELDS } else { 0 };
        let mut from = 0;
        loop {
            self.seal_from(from);
            from = self.group.len();
            self.shared.ledger().take_group(
                self.buffer.len(),
                self.group_bytes_max,
                room,
                &mut self.group,
            );
            if self.group.len() > from {
                continue;
            }
            if yields == 0 || from as u64 >= self.last_batches {
                return;
            }
            yields -= 1;
            thread::yield_now();
        }
    }

    fn room(&self) -> usize {
        self.active.room().saturating_sub(MARK_BYTES)
    }

    /// Writes and syncs the group that was taken, then wakes who waits for it.
    fn write_group(&mut self) {
        let end = self.active.end + self.buffer.len() as u32;
        let frames = self.group.len() as u64;
        let sync = self.policy == SyncPolicy::Always;
        if let Err(error) = self.write_buffer(sync) {
            self.fail_group(&error);
            return;
        }
        self.active.end = end;
        self.next_frame += frames;
        if sync {
            self.note_sync();
        }
        self.marked = false;
        self.failures = 0;
        self.last_batches = frames;
        let (published, starved) = {
            let mut ledger = self.shared.ledger();
            // I1: only now, behind the sync, is any of it visible as durable.
            let published = ledger.publish(&self.group, &self.places, end);
            ledger.counts.syncs += u64::from(sync);
            (published, ledger.known_room.is_some())
        };
        self.group.clear();
        self.shared.announce(published.decided);
        wake_all(published.signals);
        if starved {
            settle(&self.shared);
        }
        if self.shared.ledger().trimmed {
            self.shared.pool.kick();
        }
        if self.active.end > self.active.header.capacity / 4 {
            self.shared.pool.go_ahead();
        }
    }

    /// Puts frames behind each other, with their numbers and checks.
    fn seal_from(&mut self, from: usize) {
        let seed = self.active.header.seed();
        for (at, (lsn, parcel)) in self.group.iter().enumerate().skip(from) {
            let start = self.buffer.len();
            self.buffer.extend_from_slice(&parcel.bytes);
            let numbers = (self.next_frame + at as u64, self.synced_frame);
            let appends = parcel.steps.iter().filter(|step| step.kind == Kind::Append);
            let mut seqs = appends.flat_map(|step| step.seq.0..step.next().0);
            let frame = &mut self.buffer[start..];
            seal(seed, frame, numbers, &mut self.checks, |_| {
                Seq(seqs.next().unwrap_or_default())
            });
            self.places.push((*lsn, self.active.end + start as u32));
        }
    }

    /// Writes the buffer at the end of the segment, filled up with zeros to the end of the page: a page that is written
    /// whole need not be read first.
    fn write_buffer(&mut self, sync: bool) -> io::Result<()> {
        let frames = self.buffer.len();
        let end = self.active.end as usize + frames;
        let padded = end
            .next_multiple_of(PAGE as usize)
            .min(self.active.header.capacity as usize);
        self.buffer.resize(frames + padded - end, 0);
        self.active
            .file
            .write_at(&self.buffer, u64::from(self.active.end))?;
        // I1: before anybody is told.
        if sync {
            self.active.file.sync_data()
        } else {
            Ok(())
        }
    }

    fn note_sync(&mut self) {
        self.synced_frame = self.next_frame;
        self.last_sync = Instant::now();
    }

    /// Syncs what was written without a sync.
    fn sync_late(&mut self) {
        match self.active.file.sync_data() {
            Ok(()) => {
                self.note_sync();
                self.shared.ledger().counts.syncs += 1;
            }
            Err(error) => {
                self.group.clear();
                self.fail_group(&error);
            }
        }
    }

    /// Writes a frame without a batch of anybody: that all before it is durable, or that the log is closed.
    fn mark(&mut self, close: bool) {
        self.marked = true;
        if self.poisoned || self.active.room() < MARK_BYTES / 2 {
            return;
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(&Batch::mark(close).buffer);
        let seed = self.active.header.seed();
        let numbers = (self.next_frame, self.synced_frame);
        seal(seed, &mut self.buffer, numbers, &mut self.checks, |_| {
            Seq::ZERO
        });
        debug_assert!(self.buffer.len() >= FRAME_BYTES);
        let end = self.active.end + self.buffer.len() as u32;
        match self.write_buffer(close) {
            Ok(()) => {
                self.active.end = end;
                self.next_frame += 1;
                if close {
                    self.note_sync();
                }
                if let Some(active) = &mut self.shared.ledger().active {
                    active.end = end;
                }
            }
            Err(error) => self.fail_group(&error),
        }
    }

    /// I7: nobody of the group is told that it is durable, the file is never touched again, and what does not
    /// follow on the group goes on in a new file.
    fn fail_group(&mut self, error: &io::Error) {
        let no_room = is_no_room(error);
        self.poisoned = true;
        self.failures += u32::from(!no_room);
        let number = self.active.header.number;
        self.shared.poison_file(number);
        tracing::error!(segment = number, %error, batches = self.group.len(), "cannot write the log");
        if no_room {
            // Before the state is full, or the room keeper, who knows of nothing, ends it at once.
            self.shared.pool.starve();
        }
        let failed = {
            let mut ledger = self.shared.ledger();
            ledger.counts.poisoned_files += 1;
            if no_room && ledger.phase == Phase::Open {
                // Before anybody is told: whoever is refused finds no room until there is some.
                ledger.phase = Phase::Full;
            }
            let taken = ledger.tail().taken;
            ledger.fail(|lsn, _| lsn < taken)
        };
        self.group.clear();
        let reason = if no_room {
            AppendError::Full
        } else {
            AppendError::Failed
        };
        self.tell_failed(&failed, reason);
        if self.failures > 1 {
            self.poison_log(error);
            return;
        }
        match self.roll(0, true) {
            Ok(()) => {}
            Err(NoSegment::NoRoom) => self.become_full(false),
            Err(NoSegment::Failed(error)) => self.poison_log(&error),
        }
    }

    fn tell_failed(&self, failed: &[u64], reason: AppendError) {
        self.shared.announce_failed(failed, reason);
        let (decided, signals) = {
            let mut ledger = self.shared.ledger();
            let signals = if ledger.has_room() {
                ledger.take_rooms()
            } else {
                Vec::new()
            };
            (ledger.tail().decided, signals)
        };
        self.shared.announce(decided);
        wake_all(signals);
    }

    /// I8: no file can be had. What waits is refused; with `reserved`, even what may use the reserve.
    fn become_full(&mut self, reserved: bool) {
        self.shared.pool.starve();
        let failed = {
            let mut ledger = self.shared.ledger();
            if self.shared.pool.ready_room() > 0 {
                // A file was made ready meanwhile, and whoever waits for room may have been told.
                return;
            }
            if ledger.phase == Phase::Open {
                ledger.phase = Phase::Full;
            }
            ledger.fail(|_, parcel| reserved && !is_declaration(parcel) || !parcel.reserved)
        };
        tracing::warn!(dir = %self.shared.dir.display(), batches = failed.len(), "the log is full");
        self.tell_failed(&failed, AppendError::Full);
        if reserved {
            // Declarations of streams wait for room without anybody to tell.
            let ledger = self.shared.ledger();
            if ledger.next_pending().is_some() && ledger.phase != Phase::Closing {
                drop(self.shared.work.wait_timeout(ledger, IDLE));
            } else if ledger.phase == Phase::Closing {
                drop(ledger);
                wake_all(self.shared.end(Phase::Closing, AppendError::Full));
            }
        }
    }

    fn poison_log(&mut self, error: &io::Error) {
        tracing::error!(dir = %self.shared.dir.display(), %error, "the log is poisoned");
        wake_all(self.shared.end(Phase::Poisoned, AppendError::Poisoned));
    }

    /// Begins a new segment that holds at least `need` bytes of frames.
    fn roll(&mut self, need: usize, reserved: bool) -> Result<(), NoSegment> {
        if !self.poisoned && self.synced_frame < self.next_frame {
            // A segment is synced whole before the next one says where it ends.
            if let Err(error) = self.active.file.sync_data() {
                self.poisoned = true;
                self.shared.poison_file(self.active.header.number);
                tracing::error!(segment = self.active.header.number, %error, "cannot sync the log");
            }
        }
        let table = self.shared.ledger().durable_table().encode();
        let mut last = None;
        for _ in 0..2 {
            match self.roll_once(need, reserved, &table) {
                Ok(active) => {
                    self.adopt(active);
                    return Ok(());
                }
                Err(NoSegment::NoRoom) => return Err(NoSegment::NoRoom),
                Err(NoSegment::Failed(error)) => {
                    tracing::error!(%error, "cannot begin a segment");
                    last = Some(error);
                }
            }
        }
        Err(NoSegment::Failed(
            last.unwrap_or_else(|| io::ErrorKind::Other.into()),
        ))
    }

    fn roll_once(&self, need: usize, reserved: bool, table: &[u8]) -> Result<Active, NoSegment> {
        let bytes_min = (crate::format::TABLE_OFFSET + table.len() + need + MARK_BYTES + 8) as u64;
        let spare = self.spare(bytes_min, reserved)?;
        let position = Position {
            number: self.active.header.number + 1,
            previous: self.active.header.number,
            previous_end: self.active.end,
            first_frame: self.next_frame,
        };
        let (disk, dir) = (self.shared.disk.as_ref(), &self.shared.dir);
        begin(disk, dir, &spare.path, spare.capacity, position, table).map_err(|error| {
            // I7: the file failed; it is not used again, only removed if that works.
            drop(disk.remove(&spare.path));
            self.shared.pool.put_down();
            if is_no_room(&error) {
                NoSegment::NoRoom
            } else {
                NoSegment::Failed(error)
            }
        })
    }

    /// A file for the next segment: one that is ready, or one made now, or one of the reserve.
    fn spare(&self, bytes_min: u64, reserved: bool) -> Result<Spare, NoSegment> {
        let pool = &self.shared.pool;
        pool.go_ahead();
        loop {
            if let Some(spare) = pool.take(bytes_min, false) {
                return Ok(spare);
            }
            match make_now(&self.shared, bytes_min, false) {
                Ok(spare) => return Ok(spare),
                Err(error) if !is_no_room(&error) => return Err(NoSegment::Failed(error)),
                // The room keeper may be filling what is missing here: it is not full before that is known.
                Err(_) if pool.wait_made() => {}
                Err(_) => break,
            }
        }
        if !reserved {
            return Err(NoSegment::NoRoom);
        }
        if let Some(spare) = pool.take(bytes_min, true) {
            return Ok(spare);
        }
        make_now(&self.shared, bytes_min, true).map_err(|error| {
            if is_no_room(&error) {
                NoSegment::NoRoom
            } else {
                NoSegment::Failed(error)
            }
        })
    }

    fn adopt(&mut self, active: Active) {
        self.active = active.clone();
        self.poisoned = false;
        self.note_sync();
        let mut ledger: std::sync::MutexGuard<'_, Ledger> = self.shared.ledger();
        drop(ledger.begin_segment(active));
        ledger.trimmed = true;
        drop(ledger);
        self.shared.pool.put_down();
        self.shared.pool.kick();
    }
}

fn is_declaration(parcel: &Parcel) -> bool {
    parcel.steps.iter().all(|step| step.kind == Kind::Declare)
}
