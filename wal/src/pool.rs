//! The room keeper: files made ready for the writer, and segments that nobody needs any more.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::{Access, Disk, is_no_room};
use crate::ledger::Phase;
use crate::reclaim::Reclaim;
use crate::segment::Name;
use crate::shared::{Shared, lock};
use crate::signal::wake_all;

/// Bytes filled at a time: with 256 KiB, direct and paced, the syncs of a neighbour are not held up.
const STEP_BYTES: usize = 256 << 10;
/// The first segment of a log, so that opening one does not take long.
pub(crate) const FIRST_BYTES: u32 = 1 << 20;
/// A segment made while the writer waits for it.
const HASTY_BYTES: u32 = 4 << 20;
/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Aligned for direct writes.
#[repr(C, align(4096))]
struct Zeros([u8; STEP_BYTES]);
static ZEROS: Zeros = Zeros([0; STEP_BYTES]);

/// A file of zeros or old bytes, ready to become a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spare {
    pub(crate) path: PathBuf,
    pub(crate) capacity: u32,
}

/// Files ready for the writer.
#[derive(Debug)]
pub(crate) struct Pool {
    spares: Mutex<Spares>,
    /// Wakes the room keeper.
    kick: Condvar,
    /// Wakes who waits for it to have made a file.
    made: Condvar,
    /// The last attempt to make a file found no room.
    starved: AtomicBool,
    segment_bytes: u32,
    /// Size and number of the files that make up the reserve.
    reserve_bytes: u32,
    reserve_max: usize,
    ready_max: usize,
    quota_bytes: Option<u64>,
}

#[derive(Debug, Default)]
struct Spares {
    ready: Vec<Spare>,
    /// Files that only reserved batches may use.
    reserve: Vec<Spare>,
    /// Bytes of the file that the writer is about to begin.
    in_hand: u64,
    /// Bytes of the file that the room keeper is at.
    making: u64,
    next_file: u64,
    kicked: bool,
    stop: bool,
    /// Files are to be made ahead of the writer. Not before it has written something worth it.
    ahead: bool,
}

impl Pool {
    pub(crate) fn new(
        segment_bytes: u32,
        (reserve_bytes, reserve_max): (u32, usize),
        ready_max: usize,
        quota_bytes: Option<u64>,
    ) -> Self {
        Self {
            spares: Mutex::default(),
            kick: Condvar::new(),
            made: Condvar::new(),
            starved: AtomicBool::new(false),
            segment_bytes,
            reserve_bytes,
            reserve_max,
            ready_max: ready_max.max(1),
            quota_bytes,
        }
    }

    /// Takes over the files that an earlier run left: whether there is a place for it.
    pub(crate) fn adopt(&self, spare: Spare, number: u64) -> bool {
        let mut spares = lock(&self.spares);
        spares.next_file = spares.next_file.max(number + 1);
        self.give(&mut spares, spare)
    }

    fn give(&self, spares: &mut Spares, spare: Spare) -> bool {
        if !self.is_of_use(spares, spare.capacity) {
            return false;
        }
        // I8: the reserve first, so that it is there when the disk is full.
        if spares.reserve.len() < self.reserve_max {
            spares.reserve.push(spare);
        } else if spares.ready.len() < self.ready_max {
            spares.ready.push(spare);
        } else {
            return false;
        }
        true
    }

    /// Whether there is a place for a file of this size.
    fn is_of_use(&self, spares: &Spares, capacity: u32) -> bool {
        let lacks = spares.reserve.len() < self.reserve_max;
        (capacity == self.segment_bytes && (lacks || spares.ready.len() < self.ready_max))
            || (capacity == self.reserve_bytes && lacks)
    }

    /// Takes a file that holds `bytes_min`, from the reserve if allowed.
    pub(crate) fn take(&self, bytes_min: u64, reserved: bool) -> Option<Spare> {
        let mut spares = lock(&self.spares);
        let fits = |spare: &Spare| u64::from(spare.capacity) >= bytes_min;
        let taken = match spares.ready.iter().rposition(fits) {
            Some(at) => Some(spares.ready.remove(at)),
            None if reserved => {
                let at = spares.reserve.iter().rposition(fits);
                at.map(|at| spares.reserve.remove(at))
            }
            None => None,
        };
        spares.in_hand = taken.as_ref().map_or(0, |spare| u64::from(spare.capacity));
        taken
    }

    /// The file that was taken is a segment now, or gone.
    pub(crate) fn put_down(&self) {
        lock(&self.spares).in_hand = 0;
    }

    /// Waits until the room keeper has made the file it is at, or failed to; `false` if it is at none.
    pub(crate) fn wait_made(&self) -> bool {
        let mut spares = lock(&self.spares);
        let waits = spares.making > 0;
        while spares.making > 0 && !spares.stop {
            let poisoned = std::sync::PoisonError::into_inner;
            spares = self.made.wait(spares).unwrap_or_else(poisoned);
        }
        waits
    }

    /// Wakes the room keeper.
    pub(crate) fn kick(&self) {
        lock(&self.spares).kicked = true;
        self.kick.notify_one();
    }

    /// Has files made ahead of the writer from now on.
    pub(crate) fn go_ahead(&self) {
        let mut spares = lock(&self.spares);
        if !spares.ahead {
            spares.ahead = true;
            spares.kicked = true;
            self.kick.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        lock(&self.spares).stop = true;
        self.kick.notify_one();
        self.made.notify_all();
    }

    /// The writer found no room: nothing but a file that was made says that there is some again.
    pub(crate) fn starve(&self) {
        self.starved.store(true, Ordering::Release);
        self.kick();
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Acquire)
    }

    /// Bytes that the files take, those included that are on their way.
    pub(crate) fn bytes(&self) -> u64 {
        let spares = lock(&self.spares);
        let files = spares.ready.iter().chain(&spares.reserve);
        let files: u64 = files.map(|spare| u64::from(spare.capacity)).sum();
        files + spares.in_hand + spares.making
    }

    /// Room in the files that are ready for anybody.
    pub(crate) fn ready_room(&self) -> u64 {
        lock(&self.spares)
            .ready
            .iter()
            .map(|spare| u64::from(spare.capacity))
            .sum()
    }

    /// Bytes that the reserve lacks.
    fn missing_reserve_bytes(&self) -> u64 {
        let missing = self.reserve_max - lock(&self.spares).reserve.len().min(self.reserve_max);
        missing as u64 * u64::from(self.reserve_bytes)
    }

    fn is_stopping(&self) -> bool {
        lock(&self.spares).stop
    }

    /// Puts the file of a dead segment back, if there is a place for it.
    pub(crate) fn recycle(
        &self,
        disk: &dyn Disk,
        dir: &std::path::Path,
        file: &Spare,
    ) -> io::Result<bool> {
        let path = {
            let mut spares = lock(&self.spares);
            if !self.is_of_use(&spares, file.capacity) {
                return Ok(false);
            }
            spares.next_file += 1;
            Name::Spare(spares.next_file).path(dir)
        };
        disk.rename(&file.path, &path)?;
        disk.sync_dir(dir)?;
        Ok(self.give(
            &mut lock(&self.spares),
            Spare {
                path,
                capacity: file.capacity,
            },
        ))
    }
}

/// What a file is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// The writer waits for it.
    Now,
    /// The writer waits for it, for a batch that may use the reserve.
    NowReserved,
    /// The writer will need it.
    Ahead,
    Reserve,
}

/// Makes a file while the writer waits for it: of 4 MiB, or what is needed if that is more. With `reserved` it may take the
/// room that is kept for the reserve.
pub(crate) fn make_now(shared: &Shared, bytes_min: u64, reserved: bool) -> io::Result<Spare> {
    let least = u32::try_from(bytes_min)
        .unwrap_or(u32::MAX)
        .next_multiple_of(4096);
    let capacity = HASTY_BYTES.min(shared.segment_bytes).max(least);
    let spare = fill(
        shared,
        capacity,
        if reserved { Use::NowReserved } else { Use::Now },
    )?;
    lock(&shared.pool.spares).in_hand = u64::from(spare.capacity);
    Ok(spare)
}

/// Makes a zero-filled file. An error of which `is_no_room` holds means that disk or quota are full.
pub(crate) fn fill(shared: &Shared, capacity: u32, use_as: Use) -> io::Result<Spare> {
    let for_reserve = matches!(use_as, Use::Reserve | Use::NowReserved);
    let paced = matches!(use_as, Use::Ahead | Use::Reserve);
    let pool = &shared.pool;
    let number = {
        let mut spares = lock(&pool.spares);
        spares.next_file += 1;
        spares.next_file
    };
    // I8: what the reserve still lacks is kept free.
    let kept = if for_reserve {
        0
    } else {
        pool.missing_reserve_bytes()
    };
    if let Some(quota) = pool.quota_bytes
        && shared.disk_bytes() + u64::from(capacity) + kept > quota
    {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    if paced {
        lock(&pool.spares).making = u64::from(capacity);
    }
    let filling = Name::Filling(number).path(&shared.dir);
    let filled = fill_file(shared, &filling, capacity, paced).and_then(|()| {
        let path = Name::Spare(number).path(&shared.dir);
        shared.disk.rename(&filling, &path)?;
        shared.disk.sync_dir(&shared.dir)?;
        Ok(Spare { path, capacity })
    });
    if filled.is_err() {
        // What was filled must not take the room that is short; an unfinished file is removed on opening too.
        drop(shared.disk.remove(&filling));
    }
    filled
}

fn fill_file(
    shared: &Shared,
    path: &std::path::Path,
    capacity: u32,
    paced: bool,
) -> io::Result<()> {
    let file = shared.disk.open(path, Access::Fill)?;
    let mut at = 0;
    while at < capacity {
        let step = STEP_BYTES.min((capacity - at) as usize);
        let began = Instant::now();
        file.write_at(&ZEROS.0[..step], u64::from(at))?;
        at += step as u32;
        if paced {
            if shared.pool.is_stopping() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // As long as the step took: never more than half of the disk's time, or the syncs of the writer wait for it.
            thread::sleep(began.elapsed().min(Duration::from_millis(20)));
        }
    }
    file.sync_data()
}

/// The room keeper's thread.
pub(crate) fn run(shared: &Arc<Shared>) {
    let mut reclaim = Reclaim::default();
    while !shared.pool.is_stopping() {
        let held = reclaim.run(shared);
        let fed = top_up(shared);
        settle(shared);
        let wait = match (fed, held) {
            (false, _) => Some(RETRY),
            // A reader holds a segment that could go; it does not tell when it lets go.
            (true, true) => Some(Duration::from_secs(1)),
            (true, false) => None,
        };
        let mut spares = lock(&shared.pool.spares);
        let until = wait.map(|wait| Instant::now() + wait);
        while !spares.kicked && !spares.stop {
            spares = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => shared
                    .pool
                    .kick
                    .wait(spares)
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    shared
                        .pool
                        .kick
                        .wait_timeout(spares, left)
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .0
                }
            };
        }
        spares.kicked = false;
    }
}

/// Makes files ahead of the writer; `false` if there was no room or it failed.
fn top_up(shared: &Shared) -> bool {
    let pool = &shared.pool;
    loop {
        let (missing, wanted) = {
            let spares = lock(&pool.spares);
            let missing = spares.ready.is_empty() || spares.reserve.len() < pool.reserve_max;
            (missing, (spares.ahead || pool.is_starved()) && !spares.stop)
        };
        if !missing {
            pool.starved.store(false, Ordering::Release);
        }
        if !missing || !wanted {
            return true;
        }
        let lacking = pool.missing_reserve_bytes() > 0;
        let (use_as, capacity) = if lacking {
            (Use::Reserve, pool.reserve_bytes)
        } else {
            (Use::Ahead, pool.segment_bytes)
        };
        let filled = fill(shared, capacity, use_as);
        let mut spares = lock(&pool.spares);
        spares.making = 0;
        pool.made.notify_all();
        match filled {
            Ok(spare) => {
                let path = spare.path.clone();
                if !pool.give(&mut spares, spare) {
                    drop(spares);
                    // A recycled file took its place meanwhile.
                    drop(shared.disk.remove(&path));
                }
            }
            Err(error) => {
                let no_room = is_no_room(&error);
                if no_room && !pool.starved.swap(true, Ordering::AcqRel) {
                    tracing::warn!(dir = %shared.dir.display(), "no room for another segment");
                } else if !no_room && error.kind() != io::ErrorKind::Interrupted {
                    tracing::error!(dir = %shared.dir.display(), %error, "cannot make a segment ready");
                }
                return false;
            }
        }
    }
}

/// I8: tells the ledger how much room is left, and ends a full state once a file is ready.
pub(crate) fn settle(shared: &Shared) {
    let ready = shared.pool.ready_room();
    let starved = shared.pool.is_starved();
    let signals = {
        let mut ledger = shared.ledger();
        let active = ledger
            .active
            .as_ref()
            .map_or(0, |active| active.room() as u64);
        ledger.known_room = starved.then_some(active + ready);
        if ledger.phase == Phase::Full && (ready > 0 || !starved) {
            ledger.phase = Phase::Open;
            tracing::info!(dir = %shared.dir.display(), "there is room again");
        }
        if ledger.has_room() {
            ledger.take_rooms()
        } else {
            Vec::new()
        }
    };
    wake_all(signals);
    // The writer may wait for a file.
    shared.work.notify_one();
}
