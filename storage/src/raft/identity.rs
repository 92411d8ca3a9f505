//! Who a node is: made once with its directory, and kept in it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{RaftError, codec, group::Peer, machine};

const FILE: &str = "identity";

/// A member of the first list: its id, and what it is called.
pub(crate) type Founder = (u64, Peer);

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// A random number, never given to another directory: a wiped disk is another member.
    pub(crate) node: u64,
    /// The cluster that it belongs to; 0 for none yet.
    pub(crate) cluster: u64,
    /// The list with which it founded that cluster; empty if it joined it.
    pub(crate) founders: Vec<Founder>,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Identity {
    dir: PathBuf,
    facts: Mutex<Facts>,
}

impl Identity {
    /// Reads it, or makes it. When it returns, it is durable.
    pub(crate) fn open(dir: &Path) -> Result<Self, RaftError> {
        let path = dir.join(FILE);
        let (facts, new) = match fs::read(&path) {
            Ok(bytes) => (parse(&path, &bytes)?, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let facts = Facts {
                    // 0 means nobody in a call.
                    node: rand::random::<u64>().max(1),
                    cluster: 0,
                    founders: Vec::new(),
                };
                (facts, true)
            }
            Err(source) => return Err(RaftError::Io { path, source }),
        };
        let identity = Self {
            dir: dir.into(),
            facts: Mutex::new(facts.clone()),
        };
        if new {
            identity.write(&facts)?;
        }
        Ok(identity)
    }

    pub(crate) fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// Makes it a member of a cluster. When it returns, that is durable.
    pub(crate) fn belong(&self, cluster: u64, founders: Vec<Founder>) -> Result<(), RaftError> {
        let mut facts = self.lock();
        let mut wanted = facts.clone();
        wanted.cluster = cluster;
        wanted.founders = founders;
        if *facts != wanted {
            self.write(&wanted)?;
            *facts = wanted;
        }
        Ok(())
    }

    fn write(&self, facts: &Facts) -> Result<(), RaftError> {
        let (path, unfinished) = (self.dir.join(FILE), self.dir.join("identity.unfinished"));
        let body = codec::encode(facts).map_err(|error| malformed(&path, &error))?;
        let io = |source| RaftError::Io {
            path: path.clone(),
            source,
        };
        let mut file = File::create(&unfinished).map_err(io)?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())
            .map_err(io)?;
        file.write_all(&body).map_err(io)?;
        file.sync_all().map_err(io)?;
        fs::rename(&unfinished, &path).map_err(io)?;
        machine::sync_dir(&self.dir).map_err(io)
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Facts, RaftError> {
    let (sum, body) = bytes
        .split_at_checked(4)
        .ok_or_else(|| malformed(path, &"it is cut short"))?;
    if sum != crc32fast::hash(body).to_le_bytes() {
        // I6: a wrong id would be a member that has promised nothing.
        return Err(malformed(path, &"its checksum is wrong"));
    }
    codec::decode(body).map_err(|error| malformed(path, &error))
}

fn malformed(path: &Path, reason: &dyn std::fmt::Display) -> RaftError {
    RaftError::Malformed {
        what: path.display().to_string(),
        reason: reason.to_string(),
    }
}

/// Returns the id of the cluster that a list founds, whatever its order.
pub(crate) fn cluster_id(founders: &[Founder]) -> u64 {
    let mut founders = founders.to_vec();
    founders.sort_unstable();
    let mut hash = Sha256::new();
    for (id, peer) in &founders {
        hash.update(id.to_be_bytes());
        update(&mut hash, peer);
    }
    first_bytes(hash)
}

/// Returns a number for a list of names and addresses, whatever its order.
pub(crate) fn list_hash(peers: &[Peer]) -> u64 {
    let mut peers = peers.to_vec();
    peers.sort_unstable();
    let mut hash = Sha256::new();
    for peer in &peers {
        update(&mut hash, peer);
    }
    first_bytes(hash)
}

fn update(hash: &mut Sha256, peer: &Peer) {
    for text in [&peer.name, &peer.address] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
}

/// 0 stands for none.
fn first_bytes(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first).max(1)
}
