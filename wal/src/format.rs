//! Layout of a segment file, format version 1. All numbers are little-endian.
//!
//! ```text
//! 0        header (64 bytes)            4096     copy of the header
//! 8192     table of streams and registers, as they stood when the segment was opened
//! then     frames, one behind the other, each 8-aligned; behind the last: zeros or old bytes
//! ```
//!
//! **Header**
//! ```text
//! 0   8  magic "HRMDSEG\0"              32  4  capacity: size of the file
//! 8   2  format version                 36  4  bytes of the table
//! 10  2  zero                           40  4  check of the table
//! 12  4  check: crc32 of the 64 bytes   44  4  end of the previous segment: what lies behind is void
//!        with this field zero           48  8  number of the previous segment, 0 if there is none
//! 16  8  number of the segment, from 1  56  8  number of the first frame
//! 24  8  salt, new for each use
//! ```
//! Every other check is seeded by the salt, so that bytes of an earlier use of the file cannot pass: the state of
//! the crc begins as the two halves of the salt, xored, instead of 0.
//!
//! **Table**: `u32` streams, `u32` registers, `u32` number for the next new stream, `u32` zero; then
//! ```text
//! stream    u32 number, u16 bytes of the name, u16 zero, u64 first, u64 next, u64 lowest `next` in the
//!           previous segment, u64 last segment in which `next` moved back (0: none), name
//! register  u16 bytes of the name, u16 zero, u32 bytes of the value, name, value
//! ```
//!
//! **Frame**: one batch, all of it or nothing.
//! ```text
//! 0   4  magic "HFRM"                   24  4  number of operations
//! 4   4  bytes, a multiple of 8         28  4  zero
//! 8   8  number: one more than the      32  4  check of the body: crc32 of the operations' checks
//!        frame before, over segments    36  4  check of the header: crc32 of bytes 0 to 36
//! 16  8  durable: every frame with a    40     operations
//!        smaller number was synced
//!        when this one was written
//! ```
//! **Operation** (24 bytes, then the payload, then zeros up to a multiple of 8)
//! ```text
//! 0   1  kind                           16  4  stream, 0 where there is none
//! 1   3  zero                           20  4  check: crc32 of bytes 0 to 20 and of the (unseeded)
//! 4   4  bytes of the payload                  crc32 of the payload
//! 8   8  sequence, 0 where there is none
//! ```
//! | kind | | stream | sequence | payload |
//! |---|---|---|---|---|
//! | 1 | append | yes | of the record | the record |
//! | 2 | declare | number of the new stream | – | its name |
//! | 3 | remove | yes | – | – |
//! | 4 | trim | yes | first that stays | – |
//! | 5 | rewind | yes | next from now on | – |
//! | 6 | start | yes (empty) | first and next from now on | – |
//! | 7 | set | – | – | `u16` bytes of the register's name, name, value |
//! | 8 | unset | – | – | name of the register |
//! | 9 | close | – | – | – (alone in its frame: the log was closed cleanly) |
//!
//! # What a check covers
//! A record's check covers its header and payload; the body check ties the operations of a batch together; the padding is
//! covered by nothing and means nothing. A frame is valid if its checks hold and its number is the expected one.
//!
//! # Torn or damaged
//! With `SyncPolicy::Always` a group is written only after the one before it was synced, and every frame says up to where
//! that holds (`durable`). So, in the newest segment, invalid bytes are
//! - *damage*, if a valid frame behind them has a `durable` above the number expected at their place (a close mark is such a
//!   frame for all before it);
//! - a *torn tail* otherwise, which was never acknowledged as synced, and is cut: the frames found in it are overwritten
//!   with zeros, so that they cannot be taken for later ones.
//!
//! In an older segment all bytes before its end, which the next header names, were synced: there, invalid bytes are damage.
//! What remains undetectable: damage to the very last group after an unclean stop, which looks like a torn write of that
//! group. A mark written behind it once the log is idle narrows this to groups younger than that moment.

use crate::seq::Seq;

/// Size of a page: the unit in which headers and the ends of writes are placed.
pub(crate) const PAGE: u32 = 4096;
/// Size of the header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Where the copy of the header lies: another page, so that one bad sector does not take both.
pub(crate) const COPY_OFFSET: usize = 4096;
/// Where the table lies.
pub(crate) const TABLE_OFFSET: usize = 8192;
/// Largest value of a register.
pub(crate) const REGISTER_BYTES_MAX: usize = 64 << 10;
/// Longest name of a stream or register.
pub(crate) const NAME_BYTES_MAX: usize = 512;

const MAGIC: [u8; 8] = *b"HRMDSEG\0";

/// Every version of the format there has been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Version {
    V1 = 1,
}

/// The version that new segments are written in.
pub(crate) const VERSION: Version = Version::V1;

/// Start of every check within a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of_salt(salt: u64) -> Self {
        Self((salt ^ (salt >> 32)) as u32)
    }

    pub(crate) fn check(self, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// Rounds up to a multiple of 8.
pub(crate) const fn align8(bytes: usize) -> usize {
    bytes.div_ceil(8) * 8
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

pub(crate) fn seq_at(bytes: &[u8], at: usize) -> Seq {
    Seq(u64_at(bytes, at))
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Header of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) salt: u64,
    pub(crate) capacity: u32,
    pub(crate) table_bytes: u32,
    pub(crate) table_check: u32,
    pub(crate) previous_end: u32,
    pub(crate) previous: u64,
    pub(crate) first_frame: u64,
}

/// What the first bytes of a file turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Header(Header),
    Newer(u16),
    Damaged,
}

impl Header {
    pub(crate) fn seed(&self) -> Seed {
        Seed::of_salt(self.salt)
    }

    /// Where the frames begin.
    pub(crate) fn frames_offset(&self) -> u32 {
        align8(TABLE_OFFSET + self.table_bytes as usize) as u32
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&(VERSION as u16).to_le_bytes());
        put_u64(&mut bytes, 16, self.number);
        put_u64(&mut bytes, 24, self.salt);
        put_u32(&mut bytes, 32, self.capacity);
        put_u32(&mut bytes, 36, self.table_bytes);
        put_u32(&mut bytes, 40, self.table_check);
        put_u32(&mut bytes, 44, self.previous_end);
        put_u64(&mut bytes, 48, self.previous);
        put_u64(&mut bytes, 56, self.first_frame);
        let check = crc32fast::hash(&bytes);
        put_u32(&mut bytes, 12, check);
        bytes
    }

    /// Reads the header from the first bytes of a file, or its copy if the header is damaged.
    pub(crate) fn find(start: &[u8]) -> Found {
        let at = |offset: usize| start.get(offset..offset + HEADER_BYTES).map(Self::decode);
        match (at(0), at(COPY_OFFSET)) {
            (Some(Found::Header(header)), _) | (_, Some(Found::Header(header))) => {
                Found::Header(header)
            }
            // A flipped bit in one version field leaves the copy valid; a newer program writes both alike.
            (Some(Found::Newer(version)), Some(Found::Newer(_)) | None)
            | (None, Some(Found::Newer(version))) => Found::Newer(version),
            _ => Found::Damaged,
        }
    }

    /// Tells where the header or its copy differs from this header, which was read from the other: offset and bytes.
    pub(crate) fn differing(&self, start: &[u8]) -> Option<(u64, u64)> {
        let whole = self.encode();
        [0, COPY_OFFSET].into_iter().find_map(|offset| {
            let differs = |at: &usize| start.get(offset + at) != whole.get(*at);
            let first = (0..HEADER_BYTES).find(differs)?;
            let last = (first..HEADER_BYTES).rfind(differs)?;
            Some(((offset + first) as u64, (last - first + 1) as u64))
        })
    }

    fn decode(bytes: &[u8]) -> Found {
        if bytes[..8] != MAGIC {
            return Found::Damaged;
        }
        let mut unchecked = [0; HEADER_BYTES];
        unchecked.copy_from_slice(bytes);
        put_u32(&mut unchecked, 12, 0);
        let version = u16_at(bytes, 8);
        if version != Version::V1 as u16 || crc32fast::hash(&unchecked) != u32_at(bytes, 12) {
            return if version > VERSION as u16 {
                Found::Newer(version)
            } else {
                Found::Damaged
            };
        }
        let header = Self {
            number: u64_at(bytes, 16),
            salt: u64_at(bytes, 24),
            capacity: u32_at(bytes, 32),
            table_bytes: u32_at(bytes, 36),
            table_check: u32_at(bytes, 40),
            previous_end: u32_at(bytes, 44),
            previous: u64_at(bytes, 48),
            first_frame: u64_at(bytes, 56),
        };
        let sane =
            u64::from(header.table_bytes) + TABLE_OFFSET as u64 <= u64::from(header.capacity);
        if sane {
            Found::Header(header)
        } else {
            Found::Damaged
        }
    }
}
