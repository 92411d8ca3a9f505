//! The reference's group commit: one thread writes and syncs what has gathered meanwhile.

use std::{
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle, Thread},
};

use super::{Raw, frame};

/// The committing thread; ended and joined by [`Grouped::finish`].
pub(crate) struct Grouped {
    shared: Arc<Shared>,
    writer: JoinHandle<io::Result<Raw>>,
}

/// A handle through which records are appended.
#[derive(Clone)]
pub(crate) struct Submitter {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    frames: Vec<u8>,
    /// Records that were appended since the start.
    appended: u64,
    /// Records of them that are durable.
    durable: u64,
    waiting: Vec<Thread>,
    writer_waits: bool,
    closed: bool,
    failed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grouped {
    pub(crate) fn start(raw: Raw) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
        });
        let inner = shared.clone();
        let writer = thread::spawn(move || inner.commit(raw));
        Self { shared, writer }
    }

    pub(crate) fn submitter(&self) -> Submitter {
        Submitter {
            shared: self.shared.clone(),
        }
    }

    /// Ends the thread and returns the file.
    pub(crate) fn finish(self) -> anyhow::Result<Raw> {
        self.shared.state().closed = true;
        self.shared.work.notify_one();
        let ended = self
            .writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        Ok(ended?)
    }
}

impl Submitter {
    /// Appends a record and returns how many were appended up to it. It is not durable yet.
    pub(crate) fn append(&self, payload: &[u8]) -> u64 {
        let mut state = self.shared.state();
        frame(&mut state.frames, payload);
        state.appended += 1;
        let appended = state.appended;
        let wakes = mem::take(&mut state.writer_waits);
        drop(state);
        if wakes {
            self.shared.work.notify_one();
        }
        appended
    }

    /// Blocks until `count` records are durable; returns how many are.
    pub(crate) fn wait(&self, count: u64) -> u64 {
        loop {
            let mut state = self.shared.state();
            if state.durable >= count {
                return state.durable;
            }
            assert!(!state.failed, "the reference cannot be written");
            state.waiting.push(thread::current());
            drop(state);
            thread::park();
        }
    }
}

impl Shared {
    fn commit(&self, raw: Raw) -> io::Result<Raw> {
        let ended = self.commit_groups(raw);
        if ended.is_err() {
            let mut state = self.state();
            state.failed = true;
            state.waiting.drain(..).for_each(|thread| thread.unpark());
        }
        ended
    }

    fn commit_groups(&self, mut raw: Raw) -> io::Result<Raw> {
        let (mut group, mut wake) = (Vec::new(), Vec::new());
        loop {
            let mut state = self.state();
            while state.frames.is_empty() {
                if state.closed {
                    return Ok(raw);
                }
                state.writer_waits = true;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.writer_waits = false;
            mem::swap(&mut group, &mut state.frames);
            let appended = state.appended;
            drop(state);
            raw.write(&group)?;
            raw.sync()?;
            group.clear();
            let mut state = self.state();
            state.durable = appended;
            mem::swap(&mut wake, &mut state.waiting);
            drop(state);
            wake.drain(..).for_each(|thread| thread.unpark());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_producers_append_is_durable_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let grouped = Grouped::start(Raw::sized(dir.path(), 4 << 20).unwrap());
        thread::scope(|scope| {
            for n in 0..8_u8 {
                let submitter = grouped.submitter();
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mine = submitter.append(&[n; 100]);
                        assert!(submitter.wait(mine) >= mine);
                    }
                });
            }
        });
        assert_eq!(grouped.finish().unwrap().scan().unwrap(), 400);
    }
}
