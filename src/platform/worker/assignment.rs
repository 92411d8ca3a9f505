//! Which worker a workflow is for.

use std::hash::Hasher;

use serde_json::{Map, Value};

/// What a document may say of the worker that it wants.
const PIN: &str = "worker_id";

/// Two documents of a workflow want different workers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{first}` and `{second}` are both named as its worker; the workflow, its source and its sinks must name the same"
)]
pub(super) struct Disagreement {
    first: String,
    second: String,
}

/// Returns the worker that a workflow is pinned to by itself, its source or its sinks.
pub(super) fn pin<'a>(
    documents: impl IntoIterator<Item = &'a Map<String, Value>>,
) -> Result<Option<String>, Disagreement> {
    let mut pinned: Option<String> = None;
    for document in documents {
        let Some(wanted) = document.get(PIN).and_then(Value::as_str) else {
            continue;
        };
        match &pinned {
            _ if wanted.is_empty() => {}
            None => pinned = Some(wanted.to_owned()),
            Some(first) if first == wanted => {}
            Some(first) => {
                return Err(Disagreement {
                    first: first.clone(),
                    second: wanted.to_owned(),
                });
            }
        }
    }
    Ok(pinned)
}

/// Returns the live worker whose hash with the workflow is highest: when one goes, only its workflows move.
pub(super) fn rendezvous<'a>(workflow: &str, live: &'a [String]) -> Option<&'a str> {
    live.iter()
        .max_by_key(|worker| (hash(workflow, worker), *worker))
        .map(String::as_str)
}

/// Returns whether a workflow is for worker `id` of `total` (`--worker-id`, `--total-workers`).
pub(super) fn is_static(workflow: &str, id: u64, total: u64) -> bool {
    hash(workflow, "") % total.max(1) == id
}

/// The same on every node and in every version: nodes must agree.
fn hash(workflow: &str, worker: &str) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(workflow.as_bytes());
    hasher.write(&[0]);
    hasher.write(worker.as_bytes());
    // FNV alone barely mixes the last bytes into the highest bits.
    let mut mixed = hasher.finish();
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// FNV-1a, 64 bits. Source: draft-eastlake-fnv.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_workflows_of_a_worker_that_goes_move() {
        let (three, two) = (workers(&["a", "b", "c"]), workers(&["a", "c"]));
        let mut moved = 0;
        for number in 0..1000 {
            let workflow = format!("w{number}");
            let (before, after) = (rendezvous(&workflow, &three), rendezvous(&workflow, &two));
            if before == Some("b") {
                moved += 1;
            } else {
                assert_eq!(before, after);
            }
        }
        assert!(
            (250..420).contains(&moved),
            "{moved} of 1000 were with one of three"
        );
        assert_eq!(rendezvous("w", &[]), None);
    }

    #[test]
    fn every_workflow_has_one_of_the_static_workers() {
        for number in 0..100 {
            let workflow = format!("w{number}");
            let of = (0..4).filter(|id| is_static(&workflow, *id, 4)).count();
            assert_eq!(of, 1);
        }
    }

    #[test]
    fn two_pins_are_refused() {
        let document = |worker: &str| Map::from_iter([(PIN.to_owned(), worker.into())]);
        let (a, b, none) = (document("a"), document("b"), Map::new());
        assert_eq!(pin([&a, &none, &a]), Ok(Some("a".to_owned())));
        assert_eq!(pin([&none, &document("")]), Ok(None));
        let error = pin([&a, &b]).unwrap_err().to_string();
        assert!(error.contains("`a`") && error.contains("`b`"), "{error}");
    }
}
