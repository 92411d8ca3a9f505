//! The journal of what was done by whom.

use std::sync::Arc;

use hermod_storage::{Entry, EntryQuery};
use serde_json::Value;

use super::{
    Shared,
    call::{Call, Reply},
    shape::{AuditPage, AuditView, Trim, Trimmed},
};
use crate::{clock::rfc3339_ms, problem::Problem};

fn view(entry: &Entry) -> AuditView {
    AuditView {
        sequence: entry.sequence,
        at: rfc3339_ms(entry.at_ms as i64),
        user: entry.draft.user.to_string(),
        action: entry.draft.action.to_string(),
        entity_kind: entry.draft.entity_kind.to_string(),
        entity_id: entry.draft.entity_id.to_string(),
        details: serde_json::from_slice(&entry.draft.document).unwrap_or(Value::Null),
    }
}

pub(crate) async fn list(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let text = |name| call.text(name).map(Into::into);
    let limit = call.number("limit", 100) as usize;
    let query = EntryQuery {
        before: call.number("before", u64::MAX),
        from_ms: call.number("from_ms", 0),
        until_ms: call.number("until_ms", u64::MAX),
        user: text("user"),
        action: text("action"),
        entity_kind: text("entity_kind"),
        entity_id: text("entity_id"),
        limit,
    };
    let entries = shared.registry.entries(&query).await?;
    let next = entries
        .last()
        .map(|entry| entry.sequence)
        .filter(|_| entries.len() == limit);
    let data = entries.iter().map(view).collect();
    Ok(Reply::json(&AuditPage { data, next }))
}

pub(crate) async fn trim(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: Trim = call.body()?;
    let audit = call.audit("audit.trim");
    let first = shared.registry.trim_journal(given.first, &audit).await?;
    Ok(Reply::json(&Trimmed { first }))
}
