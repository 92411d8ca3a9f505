//! A workflow's status in the API's words.

use hermod_api::platform::{SinkState, WorkflowState, WorkflowStatus};
use hermod_engine::{State, Status};

/// Returns what the engine shows of a workflow, as node `node` says it.
pub(super) fn of(shown: &Status, node: &str, now_ms: u64) -> WorkflowStatus {
    let mut status = WorkflowStatus::new(&*shown.id, state(shown.state), now_ms);
    status.reason.clone_from(&shown.reason);
    status.node = Some(node.to_owned());
    status.epoch = Some(shown.epoch);
    status.buffered = Some(shown.buffered);
    status.next = Some(shown.next);
    status.dead_letters = shown.dead_letters;
    let sinks = shown.sinks.iter().map(|sink| SinkState {
        id: sink.id.to_string(),
        kind: sink.kind.to_owned(),
        backlog: sink.backlog,
        next: sink.next,
        blocked: sink.blocked.clone(),
        lagging: sink.lagging,
    });
    status.sinks = sinks.collect();
    status
}

fn state(state: State) -> WorkflowState {
    match state {
        State::Probing => WorkflowState::Probing,
        State::Running => WorkflowState::Running,
        State::Draining => WorkflowState::Draining,
        State::Stopped => WorkflowState::Stopped,
        State::Completed => WorkflowState::Completed,
        State::Failed => WorkflowState::Failed,
    }
}

/// Whether two statuses of a workflow differ in more than figures.
pub(super) fn differs(a: &WorkflowStatus, b: &WorkflowStatus) -> bool {
    let sinks = |status: &WorkflowStatus| {
        let sinks = status.sinks.iter();
        sinks
            .map(|sink| (sink.id.clone(), sink.blocked.clone(), sink.lagging))
            .collect::<Vec<_>>()
    };
    (a.state, &a.reason, &a.node, a.epoch, a.version)
        != (b.state, &b.reason, &b.node, b.epoch, b.version)
        || sinks(a) != sinks(b)
}

/// Whether figures differ.
pub(super) fn figures_differ(a: &WorkflowStatus, b: &WorkflowStatus) -> bool {
    (a.buffered, a.next, a.dead_letters, &a.sinks) != (b.buffered, b.next, b.dead_letters, &b.sinks)
}
