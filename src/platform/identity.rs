//! Who this process is to leases: the node's id, and how many times its directory was opened.

use std::{fs, io, path::Path};

use hermod_api::Code;
use hermod_storage::Owner;

use crate::{data_dir::write_line, failure::Failure};

/// Name of the file in the data directory: the node's id in hexadecimal, and the number of its starts.
const FILE: &str = "NODE";

/// Counts a start, and returns who this process is. `raft` is the id that a Raft store has given the node.
///
/// # Durability
/// The number is on disk before it is used: who holds the directory's lock has the highest.
pub(super) fn begin(directory: &Path, raft: Option<u64>) -> Result<Owner, Failure> {
    let path = directory.join(FILE);
    let unusable = |error: io::Error| {
        Failure::new(
            Code::DirectoryUnusable,
            format!("`{}`: {error}", path.display()),
        )
    };
    let known = match fs::read_to_string(&path) {
        Ok(text) => Some(parse(&text).ok_or_else(|| {
            let message = format!("`{}` holds no node id and number of starts", path.display());
            Failure::new(Code::DirectoryUnusable, message)
        })?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(error)),
    };
    let owner = Owner {
        node: raft
            .or(known.map(|(node, _)| node))
            .unwrap_or_else(rand::random),
        start: known.map_or(1, |(_, start)| start + 1),
    };
    let line = format!("{:016x} {}", owner.node, owner.start);
    write_line(directory, FILE, &line).map_err(unusable)?;
    Ok(owner)
}

fn parse(text: &str) -> Option<(u64, u64)> {
    let (node, start) = text.trim().split_once(' ')?;
    Some((u64::from_str_radix(node, 16).ok()?, start.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_every_start_has_a_higher_number_and_the_same_id() {
        let dir = tempfile::tempdir().unwrap();
        let first = begin(dir.path(), None).unwrap();
        let second = begin(dir.path(), None).unwrap();
        assert_eq!((second.node, second.start), (first.node, first.start + 1));
        assert_eq!(begin(dir.path(), Some(7)).unwrap().node, 7);
        fs::write(dir.path().join(FILE), "nonsense").unwrap();
        assert!(
            begin(dir.path(), None).is_err(),
            "never begun anew over damage"
        );
    }
}
