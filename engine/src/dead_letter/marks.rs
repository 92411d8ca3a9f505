//! What became of dead letters: two bits each, 8,192 of them in a register of 2 KiB.

use hermod_wal::{Batch, Log};

use super::Fate;
use crate::keys;

/// Dead letters per register.
const CHUNK: u64 = 8192;
const BYTES: usize = (CHUNK / 4) as usize;

pub(super) fn fate(log: &Log, workflow: &str, seq: u64) -> Fate {
    let chunk = load(log, workflow, seq / CHUNK);
    at(&chunk, seq)
}

pub(super) fn count_open(log: &Log, workflow: &str, first: u64, next: u64) -> u64 {
    let mut open = 0;
    let mut seq = first;
    while seq < next {
        let end = ((seq / CHUNK + 1) * CHUNK).min(next);
        match log.register(&keys::marks(workflow, seq / CHUNK)) {
            None => open += end - seq,
            Some(chunk) => {
                open += (seq..end)
                    .filter(|seq| at(&chunk, *seq) == Fate::Open)
                    .count() as u64;
            }
        }
        seq = end;
    }
    open
}

/// Adds the marks to a batch; returns the number below which nothing is open any more.
///
/// Registers of chunks that are gone altogether are removed in the same batch.
pub(super) fn put(
    log: &Log,
    workflow: &str,
    seqs: &[u64],
    fate: Fate,
    (first, next): (u64, u64),
    batch: &mut Batch,
) -> u64 {
    let mut chunks: std::collections::BTreeMap<u64, Vec<u8>> = std::collections::BTreeMap::new();
    for seq in seqs {
        let chunk = seq / CHUNK;
        let bytes = chunks
            .entry(chunk)
            .or_insert_with(|| load(log, workflow, chunk));
        set(bytes, *seq, fate);
    }
    let state = |seq: u64| match chunks.get(&(seq / CHUNK)) {
        Some(bytes) => at(bytes, seq),
        None => self::fate(log, workflow, seq),
    };
    let kept = (first..next)
        .find(|seq| state(*seq) == Fate::Open)
        .unwrap_or(next);
    for (chunk, bytes) in &chunks {
        if *chunk >= kept / CHUNK {
            batch.set(&keys::marks(workflow, *chunk), bytes);
        }
    }
    for chunk in first / CHUNK..kept / CHUNK {
        batch.unset(&keys::marks(workflow, chunk));
    }
    kept
}

fn load(log: &Log, workflow: &str, chunk: u64) -> Vec<u8> {
    let mut bytes = log
        .register(&keys::marks(workflow, chunk))
        .map_or_else(Vec::new, |bytes| bytes.to_vec());
    bytes.resize(BYTES, 0);
    bytes
}

fn place(seq: u64) -> (usize, u32) {
    let index = seq % CHUNK;
    ((index / 4) as usize, (index % 4) as u32 * 2)
}

fn at(bytes: &[u8], seq: u64) -> Fate {
    let (byte, shift) = place(seq);
    match bytes.get(byte).map_or(0, |byte| byte >> shift & 3) {
        0 => Fate::Open,
        1 => Fate::Replayed,
        _ => Fate::Discarded,
    }
}

fn set(bytes: &mut [u8], seq: u64, fate: Fate) {
    let (byte, shift) = place(seq);
    let bits = match fate {
        Fate::Open => 0,
        Fate::Replayed => 1,
        Fate::Discarded => 2,
    };
    if let Some(byte) = bytes.get_mut(byte) {
        *byte = *byte & !(3 << shift) | bits << shift;
    }
}
