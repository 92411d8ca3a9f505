//! What a workflow shows of itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hermod_sdk::Text;
use serde::Serialize;

/// Where a workflow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The source, or every sink, does not answer yet; what fails is shown and tried again.
    Probing,
    /// Messages move, at least to the sinks that answer.
    Running,
    /// Intake has stopped; what was taken in is being delivered.
    Draining,
    /// Ended on request.
    Stopped,
    /// The source came to its end and everything is delivered.
    Completed,
    /// Ended by an error that a person must look at.
    Failed,
}

/// A workflow's status at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Id of the workflow.
    pub id: Text,
    /// Name of the workflow.
    pub name: Text,
    /// Where it stands.
    pub state: State,
    /// Why it is not simply running: a failed probe, a blocked intake, the final error.
    pub reason: Option<String>,
    /// Epoch under which it runs (I5).
    pub epoch: u64,
    /// Messages that the buffer holds, delivered to some sinks or to none.
    pub buffered: u64,
    /// Number that the next message will get.
    pub next: u64,
    /// Its sinks.
    pub sinks: Vec<SinkStatus>,
    /// Dead letters that are still open; absent without a log.
    pub dead_letters: Option<u64>,
}

/// A sink's status at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SinkStatus {
    /// Id of the sink.
    pub id: Text,
    /// Kind of the sink.
    pub kind: &'static str,
    /// Number of the next message that it has to confirm.
    pub next: u64,
    /// Messages that wait for it.
    pub backlog: u64,
    /// Why it does not take messages at the moment.
    pub blocked: Option<String>,
    /// Whether it has left the shared pass and catches up from the log.
    pub lagging: bool,
}

#[derive(Debug)]
struct Shown {
    state: State,
    reason: Option<String>,
    sinks: Vec<SinkShown>,
}

#[derive(Clone, Debug, Default)]
struct SinkShown {
    blocked: Option<String>,
    lagging: bool,
}

/// Where the parts of a workflow write what is to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    shown: Arc<Mutex<Shown>>,
}

impl Board {
    pub(crate) fn new(sinks: usize) -> Self {
        let sinks = vec![SinkShown::default(); sinks];
        let shown = Shown {
            state: State::Probing,
            reason: None,
            sinks,
        };
        Self {
            shown: Arc::new(Mutex::new(shown)),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    /// Enters a state; an end is final.
    pub(crate) fn enter(&self, state: State, reason: Option<String>) {
        let mut shown = self.lock();
        if matches!(
            shown.state,
            State::Stopped | State::Completed | State::Failed
        ) {
            return;
        }
        shown.state = state;
        shown.reason = reason;
    }

    /// Shows why the workflow has not begun yet, while it has not.
    pub(crate) fn probing(&self, reason: Option<String>) {
        let mut shown = self.lock();
        if shown.state == State::Probing {
            shown.reason = reason;
        }
    }

    /// Enters `Running` from `Probing`, and from no other state.
    pub(crate) fn begin(&self) {
        let mut shown = self.lock();
        if shown.state == State::Probing {
            shown.state = State::Running;
            shown.reason = None;
        }
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.lock().reason.clone()
    }

    pub(crate) fn explain(&self, reason: Option<String>) {
        self.lock().reason = reason;
    }

    pub(crate) fn block(&self, sink: usize, reason: Option<String>) {
        if let Some(shown) = self.lock().sinks.get_mut(sink) {
            shown.blocked = reason;
        }
    }

    pub(crate) fn lag(&self, sink: usize, lagging: bool) {
        if let Some(shown) = self.lock().sinks.get_mut(sink) {
            shown.lagging = lagging;
        }
    }

    pub(crate) fn sink(&self, sink: usize) -> (Option<String>, bool) {
        self.lock()
            .sinks
            .get(sink)
            .map_or((None, false), |s| (s.blocked.clone(), s.lagging))
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
