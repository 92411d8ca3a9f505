//! Dead letters on this node's disk, in the API's words.

use hermod_api::platform::{Changed, DeadLetter, DeadLetterQuery, Error, ErrorKind, Selection};
use hermod_engine::{DeadLetterError, DeadLetters, Fate, State, Workflow};
use hermod_sdk::Format;
use serde_json::Value;

use super::{core::Core, question::Page};
use crate::dead_letters::Walk;

/// Read at a time.
const CHUNK: usize = 500;

/// Most bytes of messages that one write puts back.
const CHUNK_BYTES: usize = 512 << 10;

/// The dead letters of a workflow here, and the workflow itself where it runs.
fn place(core: &Core, workflow: &str) -> Option<(DeadLetters, Option<Workflow>)> {
    let running = core.engine.workflow(workflow);
    // A running workflow's own handle is used, because changes are made one at a time.
    let letters = running
        .as_ref()
        .and_then(Workflow::dead_letters)
        .or_else(|| DeadLetters::open(&core.log, workflow))?;
    let running = running.filter(|workflow| {
        !matches!(
            workflow.status().state,
            State::Stopped | State::Completed | State::Failed
        )
    });
    Some((letters, running))
}

/// Lists them; `total` counts all that fit the question.
pub(super) fn list(core: &Core, workflow: &str, query: &DeadLetterQuery) -> Result<Page, Error> {
    let Some((letters, _)) = place(core, workflow) else {
        return Ok(Page::default());
    };
    let mut page = Page::default();
    let plain = query.sink.is_none() && query.kind.is_none() && !query.closed;
    let mut walk = Walk::new(&letters, if plain { query.from } else { 0 });
    loop {
        let found = walk.read(CHUNK).map_err(|failure| unavailable(&failure))?;
        if found.is_empty() {
            break;
        }
        for letter in found.iter().filter(|letter| fits(letter, query)) {
            page.total += 1;
            if letter.seq >= query.from && page.data.len() < query.limit {
                page.data.push(shown(core, letter, false));
            }
        }
        if plain && page.data.len() >= query.limit {
            break;
        }
    }
    if plain {
        page.total = letters.count();
    }
    Ok(page)
}

fn fits(letter: &hermod_engine::DeadLetter, query: &DeadLetterQuery) -> bool {
    let sink = query.sink.as_ref();
    let kind = query.kind.as_ref();
    (query.closed || letter.state == Fate::Open)
        && sink.is_none_or(|sink| letter.sinks.iter().any(|one| **one == **sink))
        && kind.is_none_or(|kind| *letter.kind == **kind)
}

/// Returns one with its message.
pub(super) fn show(core: &Core, workflow: &str, seq: u64) -> Result<Option<DeadLetter>, Error> {
    let Some((letters, _)) = place(core, workflow) else {
        return Ok(None);
    };
    match letters.get(seq) {
        Ok(letter) => Ok(Some(shown(core, &letter, true))),
        Err(DeadLetterError::Missing { .. }) => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

/// Puts some back.
pub(super) async fn replay(
    core: &Core,
    workflow: &str,
    which: &Selection,
) -> Result<Changed, Error> {
    change(core, workflow, which, true).await
}

/// Drops some.
pub(super) async fn discard(
    core: &Core,
    workflow: &str,
    which: &Selection,
) -> Result<Changed, Error> {
    change(core, workflow, which, false).await
}

async fn change(
    core: &Core,
    workflow: &str,
    which: &Selection,
    replay: bool,
) -> Result<Changed, Error> {
    let mut changed = Changed::default();
    let Some((letters, running)) = place(core, workflow) else {
        changed.skipped = which.seqs.as_ref().map_or(0, |seqs| seqs.len() as u64);
        return Ok(changed);
    };
    if let Some(seqs) = &which.seqs {
        for chunk in seqs.chunks(CHUNK) {
            let found: Vec<_> = chunk
                .iter()
                .filter_map(|seq| letters.get(*seq).ok())
                .collect();
            changed.skipped += (chunk.len() - found.len()) as u64;
            apply(&letters, running.as_ref(), found, replay, &mut changed).await?;
        }
        return Ok(changed);
    }
    let query = DeadLetterQuery {
        node: None,
        sink: which.sink.clone(),
        kind: which.kind.clone(),
        closed: false,
        from: 0,
        limit: 0,
    };
    let mut walk = Walk::new(&letters, 0);
    loop {
        let found = walk.read(CHUNK).map_err(|failure| unavailable(&failure))?;
        if found.is_empty() {
            return Ok(changed);
        }
        let fitting = found
            .into_iter()
            .filter(|letter| fits(letter, &query))
            .collect();
        apply(&letters, running.as_ref(), fitting, replay, &mut changed).await?;
    }
}

/// Changes dead letters in writes of bounded size.
async fn apply(
    letters: &DeadLetters,
    running: Option<&Workflow>,
    found: Vec<hermod_engine::DeadLetter>,
    replay: bool,
    changed: &mut Changed,
) -> Result<(), Error> {
    let (open, closed): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|letter| letter.state == Fate::Open);
    changed.skipped += closed.len() as u64;
    let (lost, mut open): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|letter| replay && letter.is_lost());
    changed.failed += lost.len() as u64;
    while !open.is_empty() {
        let mut bytes = 0;
        let fitting = open.iter().take_while(|letter| {
            bytes += letter.message.size();
            bytes <= CHUNK_BYTES
        });
        let rest = open.split_off(fitting.count().max(1));
        let seqs: Vec<_> = open.iter().map(|letter| letter.seq).collect();
        let done = match (replay, running) {
            (false, _) => letters.discard(&seqs).await,
            (true, Some(workflow)) => workflow.replay(&seqs).await,
            (true, None) => letters.replay_offline(&seqs).await,
        };
        match done {
            Ok(count) => changed.changed += count,
            // Somebody else was faster with one of them; the others are looked at one by one.
            Err(DeadLetterError::Closed { .. }) if seqs.len() == 1 => changed.skipped += 1,
            Err(error) if changed.changed == 0 => return Err(refused(&error)),
            Err(_) => changed.failed += seqs.len() as u64,
        }
        open = rest;
    }
    Ok(())
}

fn shown(core: &Core, letter: &hermod_engine::DeadLetter, whole: bool) -> DeadLetter {
    let message = whole.then(|| {
        let body = Format::Json.body(&letter.message);
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    });
    DeadLetter {
        node: core.name.clone(),
        seq: letter.seq,
        message_id: letter.message.id.to_string(),
        reason: letter.reason.clone(),
        kind: letter.kind.to_string(),
        origin: serde_json::to_value(&letter.origin).unwrap_or(Value::Null),
        sinks: letter.sinks.iter().map(ToString::to_string).collect(),
        attempts: letter.attempts,
        at_ms: u64::try_from(letter.time_ms).unwrap_or(0),
        state: match letter.state {
            Fate::Open => "open",
            Fate::Replayed => "replayed",
            Fate::Discarded => "discarded",
        }
        .to_owned(),
        message,
    }
}

fn refused(error: &DeadLetterError) -> Error {
    let kind = match error {
        DeadLetterError::Missing { .. } => ErrorKind::Missing,
        DeadLetterError::Closed { .. }
        | DeadLetterError::Lost { .. }
        | DeadLetterError::NeedsRunning { .. } => ErrorKind::Conflict,
        DeadLetterError::Damaged { .. } | DeadLetterError::Log(_) => ErrorKind::Unavailable,
    };
    Error::new(kind, error.to_string())
}

fn unavailable(error: &crate::failure::Failure) -> Error {
    Error::new(ErrorKind::Unavailable, error.message.clone())
}
