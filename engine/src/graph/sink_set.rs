//! Sets of a workflow's sinks.

/// A set of sinks by their index in the plan; at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkSet(u64);

impl SinkSet {
    /// Most sinks of one workflow.
    pub const MAX: usize = 64;

    /// Returns the set of the first `count` sinks.
    pub fn all(count: usize) -> Self {
        let mut set = Self::default();
        (0..count).for_each(|sink| set.insert(sink));
        set
    }

    /// Adds a sink; an index beyond the maximum is ignored, since no plan has one.
    pub fn insert(&mut self, sink: usize) {
        if sink < Self::MAX {
            self.0 |= 1 << sink;
        }
    }

    /// Returns whether a sink is in the set.
    pub fn contains(self, sink: usize) -> bool {
        sink < Self::MAX && self.0 >> sink & 1 == 1
    }

    /// Returns whether no sink is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the sinks that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the sinks that are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the sinks that are in this one and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether a sink is in both.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns one more than the highest index.
    pub(super) fn capacity(self) -> usize {
        (u64::BITS - self.0.leading_zeros()) as usize
    }
}
