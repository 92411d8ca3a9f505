//! When a node is killed.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};

/// A moment of a node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long after its process was started: before it is ready, in the middle of recovery, or soon after.
    AfterStart(Duration),
    /// So long after its first acknowledgement.
    UnderLoad(Duration),
}

impl Moment {
    /// Draws a moment: a quarter in the start and the recovery, a quarter in the first milliseconds of work,
    /// where streams and files are made, the rest anywhere in the first 300 ms.
    pub(super) fn draw(random: &mut StdRng) -> Self {
        let micros = |from: u64, to: u64, random: &mut StdRng| {
            Duration::from_micros(random.random_range(from..to))
        };
        match random.random_range(0..4) {
            0 => Self::AfterStart(micros(0, 80_000, random)),
            1 => Self::UnderLoad(micros(0, 10_000, random)),
            _ => Self::UnderLoad(micros(0, 300_000, random)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_moments_of_both_kinds() {
        let draw = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            (0..200)
                .map(|_| Moment::draw(&mut random))
                .collect::<Vec<_>>()
        };
        let moments = draw(7);
        assert_eq!(moments, draw(7));
        assert_ne!(moments, draw(8));
        let in_start = moments
            .iter()
            .filter(|m| matches!(m, Moment::AfterStart(_)))
            .count();
        assert!((20..80).contains(&in_start), "{in_start}");
    }
}
