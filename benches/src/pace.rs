//! How long and how often is measured.

use std::time::Duration;

/// The extent of a run.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// A short run, for a check only.
    pub(crate) quick: bool,
    /// Repetitions of each measurement.
    pub(crate) runs: usize,
    /// The one workload to measure, for looking into it.
    pub(crate) only: Option<String>,
}

impl Pace {
    /// Reads `QUICK`, where empty and `0` are off, and `ONLY`, the name of a workload.
    pub(crate) fn from_environment() -> Self {
        let quick = std::env::var("QUICK").is_ok_and(|text| !matches!(text.as_str(), "" | "0"));
        let only = std::env::var("ONLY").ok().filter(|name| !name.is_empty());
        Self {
            quick,
            runs: if quick { 3 } else { 5 },
            only,
        }
    }

    /// Returns whether a workload is to be measured.
    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == workload)
    }

    /// Returns the first for a quick run, the second for one to quote.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Returns how long a measurement over time takes.
    pub(crate) fn window(&self) -> Duration {
        self.pick(Duration::from_millis(400), Duration::from_secs(1))
    }
}
