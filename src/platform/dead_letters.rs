//! Dead letters on this node's disk, in the API's words.

use hermod_api::platform::{Changed, DeadLetter, DeadLetterQuery, Error, ErrorKind, Selection};
use hermod_engine::{DeadLetterError, Fate};
use hermod_sdk::Format;
use serde_json::Value;

use super::{core::Core, question::Page};
use crate::dead_letters::{CHUNK, Change, Place, Walk};

fn place(core: &Core, workflow: &str) -> Option<Place> {
    Place::of(&core.log, Some(&core.engine), workflow)
}

/// Lists them; `total` counts all that fit the question.
pub(super) fn list(core: &Core, workflow: &str, query: &DeadLetterQuery) -> Result<Page, Error> {
    let Some(Place { letters, .. }) = place(core, workflow) else {
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
    for damage in &walk.damaged {
        tracing::error!(
            workflow,
            damage,
            "a dead letter is damaged and is not shown"
        );
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
    let Some(Place { letters, .. }) = place(core, workflow) else {
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
    change(core, workflow, which, Change::Replay).await
}

/// Drops some.
pub(super) async fn discard(
    core: &Core,
    workflow: &str,
    which: &Selection,
) -> Result<Changed, Error> {
    change(core, workflow, which, Change::Discard).await
}

async fn change(
    core: &Core,
    workflow: &str,
    which: &Selection,
    change: Change,
) -> Result<Changed, Error> {
    let mut changed = Changed::default();
    let Some(place) = place(core, workflow) else {
        changed.skipped = which.seqs.as_ref().map_or(0, |seqs| seqs.len() as u64);
        return Ok(changed);
    };
    if let Some(seqs) = &which.seqs {
        for chunk in seqs.chunks(CHUNK) {
            let (mut found, mut missing) = (Vec::new(), 0);
            for seq in chunk {
                match place.letters.get(*seq) {
                    Ok(letter) => found.push(letter),
                    Err(DeadLetterError::Missing { .. }) => missing += 1,
                    // I6: one that cannot be read is not counted as gone.
                    Err(_) => changed.failed += 1,
                }
            }
            changed.skipped += missing;
            apply(&place, found, change, &mut changed).await?;
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
    let mut walk = Walk::new(&place.letters, 0);
    loop {
        let found = walk.read(CHUNK).map_err(|failure| unavailable(&failure))?;
        if found.is_empty() {
            return Ok(changed);
        }
        let fitting = found
            .into_iter()
            .filter(|letter| fits(letter, &query))
            .collect();
        apply(&place, fitting, change, &mut changed).await?;
    }
}

/// Changes those that are open.
async fn apply(
    place: &Place,
    found: Vec<hermod_engine::DeadLetter>,
    change: Change,
    changed: &mut Changed,
) -> Result<(), Error> {
    let mut rest = found;
    loop {
        let (open, closed): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|letter| letter.state == Fate::Open);
        changed.skipped += closed.len() as u64;
        let (lost, open): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|letter| change == Change::Replay && letter.is_lost());
        changed.failed += lost.len() as u64;
        let (done, error) = match place.change(&open, change).await {
            Ok(done) => {
                changed.changed += done;
                return Ok(());
            }
            Err(partly) => partly,
        };
        changed.changed += done;
        let left = open
            .into_iter()
            .skip(usize::try_from(done).unwrap_or(usize::MAX));
        match error {
            // Somebody else was faster with one of them; the others are tried without it.
            DeadLetterError::Closed { .. } => {
                rest = left
                    .filter_map(|letter| place.letters.get(letter.seq).ok())
                    .collect();
            }
            error if changed.changed == 0 => return Err(refused(&error)),
            error => {
                tracing::warn!(%error, "not all dead letters were changed");
                changed.failed += left.count() as u64;
                return Ok(());
            }
        }
    }
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
