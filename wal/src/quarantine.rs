//! Damage that was met: each place counted once, and the files of the segments that hold it kept for people to look at (I6).

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Mutex;

use crate::segment::Name;
use crate::shared::{Shared, lock};

/// Places that are remembered (I9). Damage beyond it is still named to whoever reads it, but not counted.
const MET_MAX: usize = 4096;

/// Damage met since the log was opened, and the segments that hold some.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    places: HashSet<(u64, u64)>,
    /// By segment, whether its file has a second name.
    segments: HashMap<u64, bool>,
}

/// How a segment's file leaves the log.
pub(crate) enum Keep {
    /// It is whole.
    No,
    /// It has a second name; the first can go.
    Linked,
    /// It has to be renamed.
    Rename,
}

impl Quarantine {
    /// Begins with the segments that were kept before.
    pub(crate) fn of(kept: impl IntoIterator<Item = u64>) -> Self {
        let segments = kept.into_iter().map(|number| (number, true)).collect();
        Self(Mutex::new(State {
            segments,
            ..State::default()
        }))
    }

    pub(crate) fn keep(&self, segment: u64) -> Keep {
        match lock(&self.0).segments.get(&segment) {
            None => Keep::No,
            Some(true) => Keep::Linked,
            Some(false) => Keep::Rename,
        }
    }
}

impl Shared {
    /// I6: damage was met. Counts it and keeps the segment's file from being recycled; `true` the first time.
    pub(crate) fn damaged(&self, segment: u64, offset: u64) -> bool {
        let (first, unknown) = {
            let mut state = lock(&self.quarantine.0);
            let first = state.places.len() < MET_MAX && state.places.insert((segment, offset));
            (first, !state.segments.contains_key(&segment))
        };
        if unknown {
            let linked = match self.link(segment) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return first,
                Err(error) => {
                    tracing::warn!(segment, %error, "a damaged segment gets no second name; it is renamed once it is not needed");
                    false
                }
            };
            lock(&self.quarantine.0).segments.insert(segment, linked);
        }
        if first {
            self.ledger().counts.damage += 1;
        }
        first
    }

    /// Gives a segment's file a second name, under which it stays when the log lets go of it.
    fn link(&self, segment: u64) -> io::Result<()> {
        let (live, kept) = (Name::Live(segment), Name::Damaged(segment));
        self.disk
            .link(&live.path(&self.dir), &kept.path(&self.dir))?;
        self.disk.sync_dir(&self.dir)
    }
}
