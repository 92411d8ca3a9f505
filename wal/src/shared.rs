//! What the handles, the writer and the room keeper of one log share.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::AppendError;
use crate::cache::Caches;
use crate::disk::Disk;
use crate::ledger::{Ledger, Phase};
use crate::pool::Pool;
use crate::quarantine::Quarantine;
use crate::recovery::Recovery;
use crate::signal::Signal;
use crate::ticket::Waiter;

/// Ranges of failed batches that are remembered. Beyond it the oldest two are joined, batches between them included: a
/// ticket that nobody asked for so long may then say `Failed` for a batch that is durable, never the other way round.
const FAILED_RANGES_MAX: usize = 4096;

/// What the handles, the writer and the room keeper of one log share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) recovery: Recovery,
    pub(crate) segment_bytes: u32,
    ledger: Mutex<Ledger>,
    /// Wakes the writer.
    pub(crate) work: Condvar,
    pub(crate) pool: Pool,
    pub(crate) caches: Caches,
    /// All batches below are decided.
    decided: AtomicU64,
    any_failed: AtomicBool,
    failed: Mutex<Failed>,
    waiters: Mutex<BTreeMap<(u64, u64), Waiter>>,
    /// Segments whose file failed (I7).
    poisoned: Mutex<HashSet<u64>>,
    pub(crate) quarantine: Quarantine,
    next_waiter: AtomicU64,
}

/// Batches that failed, as ranges of numbers.
#[derive(Debug, Default)]
struct Failed(BTreeMap<u64, (u64, Option<AppendError>)>);

impl Failed {
    fn add(&mut self, lsn: u64, error: AppendError) {
        if let Some((_, (until, known))) = self.0.range_mut(..=lsn).next_back()
            && *until == lsn
            && *known == Some(error)
        {
            *until = lsn + 1;
            return;
        }
        self.0.insert(lsn, (lsn + 1, Some(error)));
        if self.0.len() > FAILED_RANGES_MAX
            && let Some((first, _)) = self.0.pop_first()
            && let Some((_, (until, error))) = self.0.pop_first()
        {
            self.0.insert(first, (until, error));
        }
    }

    fn get(&self, lsn: u64) -> Option<AppendError> {
        let (_, (until, error)) = self.0.range(..=lsn).next_back()?;
        if lsn < *until { *error } else { None }
    }
}

/// Locks a mutex; a panic elsewhere while it was held does not spread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        recovery: Recovery,
        segment_bytes: u32,
        ledger: Ledger,
        pool: Pool,
        quarantine: Quarantine,
    ) -> Self {
        Self {
            dir,
            disk,
            recovery,
            segment_bytes,
            ledger: Mutex::new(ledger),
            work: Condvar::new(),
            pool,
            caches: Caches::default(),
            decided: AtomicU64::new(0),
            any_failed: AtomicBool::new(false),
            failed: Mutex::default(),
            waiters: Mutex::default(),
            poisoned: Mutex::default(),
            quarantine,
            next_waiter: AtomicU64::new(0),
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Bytes that the files of the log take.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let live: u64 = self.ledger().live.values().map(|pin| pin.bytes).sum();
        live + self.pool.bytes()
    }

    /// I7: the segment's file is never written or synced again, nor recycled.
    pub(crate) fn poison_file(&self, number: u64) {
        lock(&self.poisoned).insert(number);
    }

    pub(crate) fn is_poisoned_file(&self, number: u64) -> bool {
        lock(&self.poisoned).contains(&number)
    }

    /// What became of a batch, if that is known.
    pub(crate) fn outcome(&self, lsn: u64) -> Option<Result<(), AppendError>> {
        if self.any_failed.load(Ordering::Acquire)
            && let Some(error) = lock(&self.failed).get(lsn)
        {
            return Some(Err(error));
        }
        (lsn < self.decided.load(Ordering::Acquire)).then_some(Ok(()))
    }

    pub(crate) fn new_waiter_id(&self) -> u64 {
        self.next_waiter.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers a waiter of a batch, or replaces it; gives it back if the batch is decided.
    pub(crate) fn wait_for(&self, lsn: u64, id: u64, waiter: Waiter) -> Result<(), Waiter> {
        let mut waiters = lock(&self.waiters);
        // Looked at under the lock: whoever decides takes the lock after the decision is visible.
        if self.outcome(lsn).is_some() {
            return Err(waiter);
        }
        waiters.insert((lsn, id), waiter);
        Ok(())
    }

    pub(crate) fn stop_waiting(&self, lsn: u64, id: u64) {
        let waiter = lock(&self.waiters).remove(&(lsn, id));
        drop(waiter);
    }

    /// All batches below `decided` are decided: wakes who waits for them, in bulk and outside of the locks.
    pub(crate) fn announce(&self, decided: u64) {
        // I1: the only place where a batch becomes known as durable; called after its group was synced.
        self.decided.fetch_max(decided, Ordering::AcqRel);
        let ready = {
            let mut waiters = lock(&self.waiters);
            let later = waiters.split_off(&(decided, 0));
            std::mem::replace(&mut *waiters, later)
        };
        for ((lsn, _), waiter) in ready {
            waiter.tell(lsn, self.outcome(lsn).unwrap_or(Err(AppendError::Failed)));
        }
    }

    /// Batches failed: remembers it and wakes who waits for them.
    pub(crate) fn announce_failed(&self, lsns: &[u64], error: AppendError) {
        if lsns.is_empty() {
            return;
        }
        {
            let mut failed = lock(&self.failed);
            for lsn in lsns {
                failed.add(*lsn, error);
            }
        }
        self.any_failed.store(true, Ordering::Release);
        let mut told = Vec::new();
        {
            let mut waiters = lock(&self.waiters);
            for lsn in lsns {
                let mut behind = waiters.split_off(&(*lsn, 0));
                let mut rest = behind.split_off(&(lsn + 1, 0));
                waiters.append(&mut rest);
                told.extend(behind);
            }
        }
        for ((lsn, _), waiter) in told {
            waiter.tell(lsn, Err(error));
        }
    }

    /// Ends the log: nothing more is taken, written or waited for.
    pub(crate) fn end(&self, phase: Phase, error: AppendError) -> Vec<Signal> {
        let (failed, signals, decided) = {
            let mut ledger = self.ledger();
            ledger.phase = phase;
            let failed = ledger.fail(|_, _| true);
            // The declarations that were made anew go nowhere either.
            let again = ledger.fail(|_, _| true);
            let decided = ledger.tail().decided;
            ([failed, again].concat(), ledger.take_waiters(), decided)
        };
        self.announce_failed(&failed, error);
        self.announce(decided);
        signals
    }
}
