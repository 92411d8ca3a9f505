//! The handle on an open log.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use crate::batch::Batch;
use crate::disk::{Disk, Held, Native};
use crate::error::{AppendError, CloseError, OpenError, ReadError};
use crate::format::TABLE_OFFSET;
use crate::ledger::{Ledger, Limits, Phase};
use crate::options::Options;
use crate::pool::{self, Pool, Spare};
use crate::quarantine::Quarantine;
use crate::reader::{ReadLimit, Reader, Record, Visibility, read_once};
use crate::recovery::{End, Last, Listing, Recovery, recover};
use crate::segment::{Active, LOCK, Name, Pin, Position, begin};
use crate::shared::{Shared, lock};
use crate::stats::{Bounds, State, Stats, StreamInfo};
use crate::ticket::Ticket;
use crate::waits::{Arrival, Room};
use crate::writer::{MARK_BYTES, Writer};
use crate::{Seq, StreamId};

/// An open log. Clones are handles on the same one; when the last is dropped it is closed, best effort.
#[derive(Clone, Debug)]
pub struct Log(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    writer: JoinHandle<()>,
    keeper: JoinHandle<()>,
    /// Released last.
    lock: Box<dyn Held>,
}

impl Log {
    /// Opens a log, or makes one. The directory is locked, and what a crash left is put in order.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_on(options, Arc::new(Native))
    }

    /// Opens a log on another disk than the operating system's.
    #[expect(clippy::needless_pass_by_value, reason = "the same as `open`")]
    pub fn open_on(options: Options, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let dir = &options.dir;
        disk.create_dir(dir).map_err(OpenError::io(dir))?;
        let lock_path = dir.join(LOCK);
        let held = disk.lock(&lock_path).map_err(OpenError::io(&lock_path))?;
        let held = held.ok_or_else(|| OpenError::Locked { dir: dir.clone() })?;
        let listing = Listing::read(disk.as_ref(), dir)?;
        let end = recover(disk.as_ref(), dir, &listing)?;
        // A name that a crash left in memory only becomes durable before anything builds on it.
        disk.sync_dir(dir).map_err(OpenError::io(dir))?;
        let (shared, active, next_frame) = start(&options, disk, &listing, end)?;
        let shared = Arc::new(shared);
        let writer = Writer::new(
            Arc::clone(&shared),
            active,
            next_frame,
            options.sync,
            options.group_bytes_max,
        );
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.into())
                .spawn(run)
                .map_err(OpenError::io(dir))
        };
        let keeper = {
            let shared = Arc::clone(&shared);
            spawn("wal-room", Box::new(move || pool::run(&shared)))?
        };
        let writer = match spawn("wal-writer", Box::new(move || writer.run())) {
            Ok(writer) => writer,
            Err(error) => {
                shared.pool.stop();
                return Err(error);
            }
        };
        let running = Mutex::new(Some(Running {
            writer,
            keeper,
            lock: held,
        }));
        Ok(Self(Arc::new(Handle { shared, running })))
    }

    /// What opening found.
    pub fn recovery(&self) -> &Recovery {
        &self.0.shared.recovery
    }

    /// Finds or creates a stream.
    ///
    /// # Durability
    /// A new stream is durable with the first batch that touches it, or any later one.
    pub fn stream(&self, name: &str) -> Result<StreamId, AppendError> {
        self.0.shared.ledger().create(name)
    }

    /// Finds a stream.
    pub fn find_stream(&self, name: &str) -> Option<StreamId> {
        self.0.shared.ledger().find(name)
    }

    /// All streams, by number.
    pub fn streams(&self) -> Vec<StreamInfo> {
        let ledger = self.0.shared.ledger();
        let streams = ledger.streams.iter().filter(|(_, stream)| stream.exists);
        let mut infos: Vec<_> = streams
            .map(|(id, stream)| StreamInfo {
                id: *id,
                name: stream.name.to_string(),
                first: stream.appended.first,
                next: stream.appended.next,
            })
            .collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }

    /// What a stream holds.
    pub fn bounds(&self, stream: StreamId) -> Option<Bounds> {
        let ledger = self.0.shared.ledger();
        let stream = ledger.stream(stream)?;
        Some(Bounds {
            first: stream.appended.first,
            next: stream.appended.next,
            durable: stream.durable.next,
        })
    }

    /// The latest appended value of a register.
    pub fn register(&self, name: &str) -> Option<Bytes> {
        self.0.shared.ledger().register(name)
    }

    /// The latest appended values of the registers whose names begin with `prefix`, by name.
    pub fn registers(&self, prefix: &str) -> Vec<(String, Bytes)> {
        self.0.shared.ledger().registers(prefix)
    }

    /// Appends a batch: gives its records their numbers and hands it to the writer. Never waits for the disk.
    ///
    /// # Durability
    /// None yet: the ticket is ready once the batch is durable.
    ///
    /// # Errors
    /// After an error nothing of the batch was or will be written.
    pub fn append(&self, batch: Batch) -> Result<Ticket, AppendError> {
        let shared = &self.0.shared;
        let accepted = shared.ledger().append(batch)?;
        if accepted.wake_writer {
            shared.work.notify_one();
        }
        Ok(Ticket::new(
            Arc::clone(shared),
            accepted.lsn,
            accepted.first,
            accepted.firsts,
        ))
    }

    /// Waits for room after `Busy` or `Full`.
    pub fn room(&self) -> Room {
        Room::new(Arc::clone(&self.0.shared))
    }

    /// Reads records from `from` on: at least one if there is one, whatever its size.
    pub fn read(
        &self,
        stream: StreamId,
        from: Seq,
        limit: ReadLimit,
        visibility: Visibility,
    ) -> Result<Vec<Record>, ReadError> {
        read_once(&self.0.shared, stream, from, limit, visibility)
    }

    /// Reads a stream in order, from `from` on; durable records only.
    pub fn reader(&self, stream: StreamId, from: Seq) -> Reader {
        Reader::new(Arc::clone(&self.0.shared), stream, from)
    }

    /// Waits until the next durable number of a stream is above `beyond`.
    pub fn arrival(&self, stream: StreamId, beyond: Seq) -> Arrival {
        Arrival::new(Arc::clone(&self.0.shared), stream, beyond)
    }

    /// Whether the log takes batches.
    pub fn state(&self) -> State {
        let (phase, files) = {
            let ledger = self.0.shared.ledger();
            (ledger.phase, ledger.counts.poisoned_files)
        };
        match phase {
            Phase::Open => State::Open,
            Phase::Full => State::Full {
                disk_bytes: self.0.shared.disk_bytes(),
            },
            Phase::Poisoned => State::Poisoned { files },
            Phase::Closing | Phase::Closed => State::Closed,
        }
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        let disk_bytes = self.0.shared.disk_bytes();
        let ledger = self.0.shared.ledger();
        let counts = ledger.counts;
        Stats {
            groups: counts.groups,
            syncs: counts.syncs,
            batches: counts.batches,
            records: counts.records,
            bytes: counts.bytes,
            failed_batches: counts.failed_batches,
            poisoned_files: counts.poisoned_files,
            damage: counts.damage,
            segments: ledger.live.len() as u64,
            disk_bytes,
            pending_bytes: ledger.pending_bytes() as u64,
        }
    }

    /// Writes what waits, marks the log as cleanly closed and ends its threads. Closing again does nothing.
    ///
    /// # Durability
    /// Everything appended before is durable, or its ticket says that it is not.
    pub fn close(&self) -> Result<(), CloseError> {
        self.0.close()
    }
}

impl Handle {
    fn close(&self) -> Result<(), CloseError> {
        let Some(Running {
            writer,
            keeper,
            lock: held,
        }) = lock(&self.running).take()
        else {
            return Ok(());
        };
        let failed_before = {
            let mut ledger = self.shared.ledger();
            if matches!(ledger.phase, Phase::Open | Phase::Full) {
                ledger.phase = Phase::Closing;
            }
            ledger.counts.failed_batches
        };
        self.shared.work.notify_all();
        self.shared.pool.stop();
        let here = thread::current().id();
        let mut panicked = false;
        for joined in [writer, keeper] {
            // The last handle may be dropped by a callback on the writer's own thread.
            if joined.thread().id() != here {
                panicked |= joined.join().is_err();
            }
        }
        drop(held);
        let ledger = self.shared.ledger();
        match ledger.phase {
            Phase::Poisoned => Err(CloseError::Poisoned),
            _ if panicked || ledger.counts.failed_batches > failed_before => {
                Err(CloseError::Unwritten)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(dir = %self.shared.dir.display(), %error, "the log was not closed cleanly");
        }
    }
}

/// Puts recovered state in memory and finds or makes the segment to write on.
fn start(
    options: &Options,
    disk: Arc<dyn Disk>,
    listing: &Listing,
    end: End,
) -> Result<(Shared, Active, u64), OpenError> {
    let segment_bytes = options.effective_segment_bytes(disk.as_ref());
    let reserve = options.reserve_files(disk.as_ref(), segment_bytes);
    let pool = Pool::new(
        segment_bytes,
        reserve,
        options.spare_segments,
        options.quota_bytes,
    );
    let End {
        table,
        report,
        last,
        next_frame,
    } = end;
    let mut ledger = Ledger::new(&table, limits(options, segment_bytes));
    for (number, bytes) in &listing.live {
        ledger.live.insert(*number, Arc::new(Pin { bytes: *bytes }));
    }
    let met = report.damage.clone();
    let shared = Shared::new(
        options.dir.clone(),
        disk,
        report,
        segment_bytes,
        ledger,
        pool,
        Quarantine::of(listing.damaged.iter().copied()),
    );
    for damage in &met {
        // I6: reported when it is met.
        shared.damaged(damage.segment, damage.offset);
        tracing::error!(segment = damage.segment, offset = damage.offset, bytes = damage.bytes,
            part = ?damage.part, lost = ?damage.lost, "damage in the log");
    }
    let damaged = !met.is_empty();
    tidy(&shared, listing)?;
    let newest = listing.live.keys().next_back().copied().unwrap_or(0);
    let active = match last {
        Some(last) if !damaged => continue_on(&shared, last)?,
        // A damaged segment is left as it is; the log goes on in a new one.
        last => {
            let position = Position {
                number: newest + 1,
                previous: newest,
                previous_end: last.map_or(0, |last| last.end),
                first_frame: next_frame,
            };
            let active = first_segment(&shared, position)?;
            drop(shared.ledger().begin_segment(active.clone()));
            active
        }
    };
    Ok((shared, active, next_frame))
}

fn limits(options: &Options, segment_bytes: u32) -> Limits {
    let table = segment_bytes as usize / 8;
    Limits {
        batch: segment_bytes as usize - TABLE_OFFSET - table - 2 * MARK_BYTES,
        pending: options.pending_bytes_max,
        tail: options.tail_bytes_max,
        table,
    }
}

/// Goes on writing in the newest segment.
fn continue_on(shared: &Shared, last: Last) -> Result<Active, OpenError> {
    let file = last
        .mend(shared.disk.as_ref())
        .map_err(OpenError::io(&last.path))?;
    let mut ledger = shared.ledger();
    let bytes = u64::from(last.header.capacity);
    let pin = ledger
        .live
        .entry(last.header.number)
        .or_insert_with(|| Arc::new(Pin { bytes }));
    let active = Active {
        header: last.header,
        file,
        pin: Arc::clone(pin),
        end: last.end,
    };
    ledger.active = Some(active.clone());
    ledger.index = last.index;
    Ok(active)
}

/// Takes over spare files and removes unfinished ones.
fn tidy(shared: &Shared, listing: &Listing) -> Result<(), OpenError> {
    let remove = |path: &std::path::Path| shared.disk.remove(path).map_err(OpenError::io(path));
    for path in &listing.fillings {
        remove(path)?;
    }
    for (path, bytes) in &listing.spares {
        let number = path
            .file_name()
            .and_then(|name| Name::parse(name.to_str()?));
        let Some(Name::Spare(number)) = number else {
            continue;
        };
        let spare = Spare {
            path: path.clone(),
            capacity: u32::try_from(*bytes).unwrap_or(0),
        };
        if !shared.pool.adopt(spare, number) {
            remove(path)?;
        }
    }
    Ok(())
}

fn first_segment(shared: &Shared, position: Position) -> Result<Active, OpenError> {
    let dir = &shared.dir;
    let table = shared.ledger().durable_table().encode();
    let need = (TABLE_OFFSET + table.len() + 4 * MARK_BYTES) as u64;
    let capacity = pool::FIRST_BYTES
        .min(shared.segment_bytes)
        .max(need.next_multiple_of(4096) as u32);
    let made = match shared.pool.take(need, true) {
        Some(spare) => spare,
        None => pool::fill(shared, capacity, pool::Use::Now).map_err(OpenError::io(dir))?,
    };
    begin(
        shared.disk.as_ref(),
        dir,
        &made.path,
        made.capacity,
        position,
        &table,
    )
    .map_err(OpenError::io(&made.path))
}
