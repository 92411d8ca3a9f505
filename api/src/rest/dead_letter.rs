//! Dead letters, on whichever node they are.

use std::sync::Arc;

use hermod_storage::{Kind, registry::Audit};

use super::{
    Shared,
    call::{Call, Reply},
    failure::{invalid_at, missing},
};
use crate::{
    platform::{DeadLetterQuery, Selection},
    problem::Problem,
};

pub(crate) async fn list(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    shared.registry.get(Kind::Workflow, call.id()).await?;
    let text = |name| call.text(name).map(str::to_owned);
    let query = DeadLetterQuery {
        node: text("node"),
        sink: text("sink"),
        kind: text("kind"),
        closed: call.flag("closed"),
        from: call.number("from", 0),
        limit: call.number("limit", 50) as usize,
    };
    let mut page = shared.platform.dead_letters(call.id(), &query).await?;
    // A list is for those who look; what stands in messages is for those who mend.
    page.data.iter_mut().for_each(|one| one.message = None);
    Ok(Reply::json(&page))
}

pub(crate) async fn read(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    shared.registry.get(Kind::Workflow, call.id()).await?;
    let seq = call.number_named("seq")?;
    let found = shared
        .platform
        .dead_letter(call.id(), call.name("node"), seq)
        .await?;
    match found {
        Some(found) => Ok(Reply::json(&found)),
        None => Err(missing("there is no such dead letter (any more)")),
    }
}

/// Reads which are meant, and writes that into the journal before anything is done.
async fn selected(
    shared: &Shared,
    call: &Call,
    action: &'static str,
) -> Result<Selection, Problem> {
    shared.registry.get(Kind::Workflow, call.id()).await?;
    let which: Selection = call.body()?;
    if which.all == which.seqs.is_some() {
        return Err(invalid_at("", "either `all` or `seqs` says which"));
    }
    if which.seqs.is_some() && which.node.is_none() {
        return Err(invalid_at(
            "",
            "numbers are of one node; `node` says of which",
        ));
    }
    let mut audit: Audit = call.audit(action);
    if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(&which) {
        audit.details.extend(members);
    }
    shared
        .registry
        .record(audit.draft_of("workflow", call.id()))
        .await?;
    Ok(which)
}

pub(crate) async fn replay(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let which = selected(&shared, &call, "dead_letter.replay").await?;
    Ok(Reply::json(
        &shared.platform.replay(call.id(), &which).await?,
    ))
}

pub(crate) async fn discard(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let which = selected(&shared, &call, "dead_letter.discard").await?;
    Ok(Reply::json(
        &shared.platform.discard(call.id(), &which).await?,
    ))
}
