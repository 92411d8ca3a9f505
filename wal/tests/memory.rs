//! A disk in memory that can lose what was not synced, fail, fill up and make syncs wait.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use hermod_wal::disk::{Access, Disk, File, Held, Listed, Space};
use hermod_wal::{Log, OpenError, Options};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    opened_gate: Condvar,
}

type Node = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
struct State {
    names: HashMap<PathBuf, Node>,
    durable_names: HashMap<PathBuf, Node>,
    /// Changes of names since the directory was synced.
    name_changes: Vec<NameChange>,
    locked: bool,
    entropy: u64,
    bytes_max: Option<u64>,
    syncs_wait: bool,
    counts: Counts,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Link(PathBuf, Node),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) syncs: u64,
    pub(crate) writes: u64,
    pub(crate) read_bytes: u64,
    /// All changes of the disk: writes, syncs, and changes of names.
    pub(crate) steps: u64,
}

/// Calls that are to fail: after how many more, and for how many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) sync: Option<(u32, u32, io::ErrorKind)>,
    pub(crate) write: Option<(u32, u32, io::ErrorKind)>,
    /// The disk is gone after so many more steps: nothing changes any more, every call fails.
    pub(crate) gone_after: Option<u64>,
}

fn due(fault: &mut Option<(u32, u32, io::ErrorKind)>) -> io::Result<()> {
    let Some((after, times, kind)) = fault else {
        return Ok(());
    };
    if *after > 0 {
        *after -= 1;
        return Ok(());
    }
    let kind = *kind;
    *times -= 1;
    if *times == 0 {
        *fault = None;
    }
    Err(kind.into())
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        self.counts.steps += 1;
        match &mut self.faults.gone_after {
            Some(0) => Err(io::Error::other("the disk is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        self.names
            .values()
            .map(|node| node.lock().unwrap().now.len() as u64)
            .sum()
    }
}

impl Memory {
    pub(crate) fn new(seed: u64) -> Self {
        let memory = Self::default();
        memory.state().entropy = seed;
        memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Limits the room for all files.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.state().bytes_max = bytes;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.state().bytes()
    }

    /// Makes syncs wait until told otherwise.
    pub(crate) fn hold_syncs(&self, hold: bool) {
        self.state().syncs_wait = hold;
        self.0.opened_gate.notify_all();
    }

    /// Paths of the segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let state = self.state();
        let is_segment = |path: &&PathBuf| path.to_string_lossy().contains("segment-");
        let mut paths: Vec<_> = state.names.keys().filter(is_segment).cloned().collect();
        paths.sort();
        paths
    }

    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        self.state().names[path].lock().unwrap().now.clone()
    }

    /// Changes a file behind the log's back.
    pub(crate) fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let state = self.state();
        let mut guard = state.names[path].lock().unwrap();
        let content = &mut *guard;
        change(&mut content.now);
        content.durable.clone_from(&content.now);
    }

    pub(crate) fn delete(&self, path: &Path) {
        let mut state = self.state();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// The disk as it is now, page cache included: what the death of the process leaves.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state();
        let copy = |node: &Node| {
            let now = node.lock().unwrap().now.clone();
            Arc::new(Mutex::new(Content {
                durable: now.clone(),
                now,
                dirty: BTreeSet::new(),
            }))
        };
        let names: HashMap<_, _> = state
            .names
            .iter()
            .map(|(path, node)| (path.clone(), copy(node)))
            .collect();
        Self::of(names, state.entropy)
    }

    fn of(names: HashMap<PathBuf, Node>, entropy: u64) -> Self {
        let memory = Self::default();
        {
            let mut state = memory.state();
            state.durable_names.clone_from(&names);
            state.names = names;
            state.entropy = entropy
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
        }
        memory
    }

    /// The disk after a power loss: of what was not synced, random sectors are there, and of the changes of names those
    /// up to a random one.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let state = self.state();
        let mut names = state.durable_names.clone();
        let kept = random.random_range(0..=state.name_changes.len());
        for change in &state.name_changes[..kept] {
            match change.clone() {
                NameChange::Create(path, node) | NameChange::Link(path, node) => {
                    drop(names.insert(path, node));
                }
                NameChange::Remove(path) => drop(names.remove(&path)),
                NameChange::Rename(from, to) => {
                    if let Some(node) = names.remove(&from) {
                        names.insert(to, node);
                    }
                }
            }
        }
        let odds = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        let mut after = HashMap::new();
        for (path, node) in names {
            let content = node.lock().unwrap();
            let mut bytes = content.durable.clone();
            for sector in &content.dirty {
                if random.random_bool(odds) {
                    let end = ((sector + 1) * SECTOR).min(content.now.len());
                    let start = (sector * SECTOR).min(end);
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[start..end].copy_from_slice(&content.now[start..end]);
                }
            }
            let content = Content {
                now: bytes.clone(),
                durable: bytes,
                dirty: BTreeSet::new(),
            };
            after.insert(path, Arc::new(Mutex::new(content)));
        }
        Self::of(after, state.entropy)
    }

    pub(crate) fn open_log(&self, options: Options) -> Result<Log, OpenError> {
        Log::open_on(options, Arc::new(self.clone()))
    }
}

/// Small files in `/log`.
pub(crate) fn small() -> Options {
    Options {
        segment_bytes: 64 << 10,
        reserve_bytes: 0,
        tail_bytes_max: 4 << 10,
        ..Options::new("/log")
    }
}

#[derive(Debug)]
struct Lock(Memory);

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

impl Disk for Memory {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        let state = self.state();
        let inside = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir));
        let listed = inside.map(|(path, node)| Listed {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            bytes: node.lock().unwrap().now.len() as u64,
        });
        Ok(listed.collect())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let was_locked = std::mem::replace(&mut self.state().locked, true);
        Ok((!was_locked).then(|| Box::new(Lock(self.clone())) as Box<dyn Held>))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        let node = if access == Access::Fill {
            state.step()?;
            let node = Node::default();
            state.names.insert(path.to_owned(), Arc::clone(&node));
            state
                .name_changes
                .push(NameChange::Create(path.to_owned(), Arc::clone(&node)));
            node
        } else {
            Arc::clone(state.names.get(path).ok_or(io::ErrorKind::NotFound)?)
        };
        Ok(Arc::new(OpenFile {
            disk: self.clone(),
            node,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), node);
        state
            .name_changes
            .push(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let node = state
            .names
            .get(from)
            .ok_or(io::ErrorKind::NotFound)?
            .clone();
        if state.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.names.insert(to.to_owned(), node.clone());
        state
            .name_changes
            .push(NameChange::Link(to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.name_changes.push(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.step()?;
        state.durable_names.clone_from(&state.names);
        state.name_changes.clear();
        Ok(())
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        Ok(Space {
            total_bytes: 1 << 40,
            available_bytes: 1 << 40,
        })
    }

    fn entropy(&self) -> u64 {
        let mut state = self.state();
        state.entropy = state
            .entropy
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.entropy ^ (state.entropy >> 29)
    }
}

#[derive(Debug)]
struct OpenFile {
    disk: Memory,
    node: Node,
}

impl File for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let content = self.node.lock().unwrap();
        let from = (offset as usize).min(content.now.len());
        let read = buffer.len().min(content.now.len() - from);
        buffer[..read].copy_from_slice(&content.now[from..from + read]);
        state.counts.read_bytes += read as u64;
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        state.counts.writes += 1;
        // Marks are written when the log was idle for a while, so that a fault might meet one on a busy machine.
        let is_mark = bytes.starts_with(b"HFRM") && bytes[24..28] == [0; 4];
        if !is_mark {
            due(&mut state.faults.write)?;
        }
        let end = offset as usize + bytes.len();
        let grows = end.saturating_sub(self.node.lock().unwrap().now.len()) as u64;
        if grows > 0
            && state
                .bytes_max
                .is_some_and(|max| state.bytes() + grows > max)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.node.lock().unwrap();
        if content.now.len() < end {
            content.now.resize(end, 0);
        }
        content.now[offset as usize..end].copy_from_slice(bytes);
        content
            .dirty
            .extend(offset as usize / SECTOR..end.div_ceil(SECTOR));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        while state.syncs_wait {
            state = self.disk.0.opened_gate.wait(state).unwrap();
        }
        state.step()?;
        state.counts.syncs += 1;
        let failed = due(&mut state.faults.sync);
        let mut guard = self.node.lock().unwrap();
        let content = &mut *guard;
        if failed.is_ok() {
            content.durable.clone_from(&content.now);
        }
        // After a failed sync the pages count as clean, though they never reached the disk.
        content.dirty.clear();
        failed
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.node.lock().unwrap().now.len() as u64)
    }
}
