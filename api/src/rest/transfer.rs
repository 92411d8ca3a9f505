//! Bundles out and in: the original's `{workflow, sources, sinks}`.

use std::sync::Arc;

use hermod_storage::{
    Expect, Key, Kind,
    registry::{Draft, Part},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    call::{Call, Reply},
    connection::{errors, kind_of, new_id, taken},
    failure::{conflict, invalid, invalid_at},
    workflow::{self, stripped},
};
use crate::{
    platform::{Direction, ProblemAt},
    problem::Problem,
    secret,
};

const SIDES: [(&str, Direction); 2] = [("sources", Direction::Source), ("sinks", Direction::Sink)];

pub(crate) async fn export(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let mut bundle = shared.registry.bundle(call.id()).await?;
    for (name, side) in SIDES {
        let all = bundle.get_mut(name).and_then(Value::as_array_mut);
        for one in all.into_iter().flatten() {
            if let Value::Object(document) = one {
                // I10: secrets do not leave, not even for who set them.
                *one = secret::masked(&*shared.platform, side, document).into();
            }
        }
    }
    if let Some(workflow) = bundle.get_mut("workflow") {
        secret::mask_sealed(workflow);
    }
    Ok(Reply::json(&bundle))
}

pub(crate) async fn import(shared: Arc<Shared>, mut call: Call) -> Result<Reply, Problem> {
    let mut bundle = call.members();
    let workflow = match bundle.remove("workflow") {
        Some(Value::Object(workflow)) => workflow,
        _ => Map::new(),
    };
    let mut workflow = stripped(workflow);
    let id = new_id(&workflow)?;
    workflow.insert("id".to_owned(), id.as_str().into());
    let present = shared.registry.latest(Kind::Workflow, &id).await?;
    if present.is_some() && !call.flag("replace") {
        return Err(conflict(format!(
            "workflow `{id}` exists already; `replace=true` replaces it"
        )));
    }
    let expect = present.map_or(Expect::Absent, |entity| Expect::Version(entity.version));
    let parts = parts(&shared, &call, bundle).await?;
    let whole = json!({
        "workflow": workflow,
        "sources": documents(&parts, Direction::Source),
        "sinks": documents(&parts, Direction::Sink),
    });
    let problems = errors(shared.platform.validate(&whole));
    if !problems.is_empty() {
        return Err(invalid(problems));
    }
    // What is imported does not run before somebody starts it.
    workflow.insert("active".to_owned(), false.into());
    let draft = Draft {
        document: workflow,
        expect,
        message: "imported".to_owned(),
        audit: call.audit("workflow.import"),
    };
    // All or none: a bundle that is half there is worse than none.
    shared.registry.save_bundle(&id, draft, parts).await?;
    call.names.insert("id".to_owned(), id);
    let reply = workflow::read(shared, call).await?;
    Ok(reply.made_now())
}

fn documents(parts: &[Part], side: Direction) -> Vec<&Map<String, Value>> {
    let ours = parts.iter().filter(|part| part.key.kind == kind_of(side));
    ours.map(|part| &part.document).collect()
}

/// Reads and checks sources and sinks; everything that is wrong is said at once.
async fn parts(
    shared: &Shared,
    call: &Call,
    mut bundle: Map<String, Value>,
) -> Result<Vec<Part>, Problem> {
    let mut parts = Vec::new();
    let mut problems: Vec<ProblemAt> = Vec::new();
    for (name, side) in SIDES {
        let Some(Value::Array(all)) = bundle.remove(name) else {
            continue;
        };
        for (at, one) in all.into_iter().enumerate() {
            let Value::Object(document) = one else {
                continue;
            };
            let Some(id) = document
                .get("id")
                .and_then(Value::as_str)
                .map(str::to_owned)
            else {
                return Err(invalid_at(
                    &format!("/{name}/{at}"),
                    "in a bundle everything has an id",
                ));
            };
            let before = shared.registry.latest(kind_of(side), &id).await?;
            if before.is_some() && !call.flag("replace") {
                let singular = name.trim_end_matches('s');
                let detail =
                    format!("{singular} `{id}` exists already; `replace=true` replaces it");
                return Err(conflict(detail));
            }
            let expect = before
                .as_ref()
                .map_or(Expect::Absent, |entity| Expect::Version(entity.version));
            let kept = before.as_ref().map(|entity| &entity.document);
            match taken(shared, side, &id, document, kept) {
                Ok(document) => {
                    let audit = match side {
                        Direction::Source => call.audit("source.import"),
                        Direction::Sink => call.audit("sink.import"),
                    };
                    let shown = secret::masked(&*shared.platform, side, &document);
                    parts.push(Part {
                        key: Key::new(kind_of(side), id),
                        document,
                        expect,
                        audit: audit.with("after", shown),
                    });
                }
                Err(problem) => {
                    let at = format!("/{name}/{at}");
                    problems.extend(problem.errors_below(&at)?);
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(parts)
    } else {
        Err(invalid(problems))
    }
}
