//! How much of other nodes' requests a node holds.

use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Code, problem::Problem};

/// Bodies of all requests that are being handed on (I9), in units of [`UNIT_BYTES`].
const HELD_UNITS_MAX: usize = (256 << 20) / UNIT_BYTES;
const UNIT_BYTES: usize = 1 << 10;

/// When to come back if there is no room.
const WAIT: Duration = Duration::from_secs(1);

/// The room for bodies that are being handed on, of all connections together.
pub(crate) struct Room(Semaphore);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(HELD_UNITS_MAX))
    }

    /// Takes room until the permit is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let units = u32::try_from(units(bytes)).unwrap_or(u32::MAX);
        // I9: whoever has no account here cannot make the node hold more than this.
        self.0.try_acquire_many(units).map_err(|_| {
            let detail = "too many requests are being handed to other nodes; nothing was kept";
            Problem::new(Code::Full, StatusCode::SERVICE_UNAVAILABLE, detail)
                .retry_after(Some(WAIT))
        })
    }
}

/// Gives back what a body does not need after all.
pub(super) fn shrink(held: &mut SemaphorePermit<'_>, bytes: usize) {
    drop(held.split(held.num_permits().saturating_sub(units(bytes))));
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::super::BODY_BYTES_MAX;
    use super::*;

    #[test]
    fn i9_the_room_is_bounded_and_given_back() {
        let room = Room::new();
        let full = || room.hold(1).is_err();
        let mut held: Vec<_> = (0..16)
            .map(|_| room.hold(BODY_BYTES_MAX).unwrap())
            .collect();
        let problem = room.hold(1).unwrap_err();
        assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(room.hold(0).is_ok());
        shrink(&mut held[0], BODY_BYTES_MAX);
        assert!(full());
        shrink(&mut held[0], 1);
        assert!(!full());
        held.truncate(1);
        assert!(room.hold(15 * BODY_BYTES_MAX).is_ok());
    }
}
