//! What is done to a node, to which, and for how long.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};

use super::network::Cut;

/// What a run does to its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Nemesis {
    /// SIGKILL, and a start of the process again.
    Kill,
    /// SIGSTOP for longer than a lease lasts, then SIGCONT.
    Pause,
    /// Cut off from the other nodes, or from everything, for longer than a lease lasts.
    Partition,
    /// Each of them in turn, at random.
    Mix,
}

impl Nemesis {
    /// Returns its name as it is given.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Mix => "mix",
        }
    }

    /// Whether nodes need networks of their own.
    pub(super) fn cuts(self) -> bool {
        matches!(self, Self::Partition | Self::Mix)
    }
}

/// Which node is meant; who that is, is asked at its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Leader,
    Owner,
    Any(usize),
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Killed; it stays away until its work has been taken over, or is started again soon.
    Kill {
        until_taken_over: bool,
    },
    Pause,
    Partition(Cut),
}

/// A round as it was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) calm: Duration,
    pub(super) victim: Victim,
    pub(super) deed: Deed,
    /// How long it lasts, beyond what it must.
    pub(super) hold: Duration,
}

impl Round {
    pub(super) fn draw(nemesis: Nemesis, nodes: usize, random: &mut StdRng) -> Self {
        let millis = |from: u64, to: u64, random: &mut StdRng| {
            Duration::from_millis(random.random_range(from..to))
        };
        let calm = millis(200, 1500, random);
        let victim = match random.random_range(0..4) {
            0 => Victim::Leader,
            1 | 2 => Victim::Owner,
            _ => Victim::Any(random.random_range(0..nodes)),
        };
        let which = match nemesis {
            Nemesis::Kill => 0,
            Nemesis::Pause => 1,
            Nemesis::Partition => 2,
            Nemesis::Mix => random.random_range(0..3),
        };
        let deed = match which {
            0 => Deed::Kill {
                until_taken_over: random.random_range(0..2) == 0,
            },
            1 => Deed::Pause,
            _ => Deed::Partition(match random.random_range(0..4) {
                0 | 1 => Cut::Peers,
                2 => Cut::All,
                _ => Cut::Deaf,
            }),
        };
        Self {
            calm,
            victim,
            deed,
            hold: millis(0, 2000, random),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_rounds_with_all_deeds_and_victims() {
        let draw = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            (0..200)
                .map(|_| Round::draw(Nemesis::Mix, 3, &mut random))
                .collect::<Vec<_>>()
        };
        let rounds = draw(3);
        assert_eq!(rounds, draw(3));
        assert_ne!(rounds, draw(4));
        for victim in [
            Victim::Leader,
            Victim::Owner,
            Victim::Any(0),
            Victim::Any(2),
        ] {
            assert!(
                rounds.iter().any(|round| round.victim == victim),
                "{victim:?}"
            );
        }
        for cut in [Cut::Peers, Cut::All, Cut::Deaf] {
            assert!(
                rounds
                    .iter()
                    .any(|round| round.deed == Deed::Partition(cut)),
                "{cut:?}"
            );
        }
        assert!(rounds.iter().any(|round| round.deed == Deed::Pause));
    }
}
