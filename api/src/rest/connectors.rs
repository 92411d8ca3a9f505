//! What this node is and can.

use std::sync::Arc;

use super::{
    Shared,
    call::{Call, Reply},
    failure::missing,
    shape::{Connectors, Logs},
};
use crate::{LogLevel, platform::Direction, problem::Problem};

pub(crate) async fn list(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    let data = shared.platform.connectors();
    Ok(Reply::json(&Connectors { data }))
}

pub(crate) async fn read(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let side = match call.name("direction") {
        "source" => Some(Direction::Source),
        "sink" => Some(Direction::Sink),
        _ => None,
    };
    let mut all = shared.platform.connectors().iter();
    let found = all.find(|one| Some(one.direction) == side && one.kind == call.name("type"));
    found.map_or_else(
        || Err(missing("there is no such connector")),
        |found| Ok(Reply::json(found)),
    )
}

pub(crate) async fn version(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&shared.platform.node()))
}

pub(crate) async fn database(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&shared.platform.database()))
}

pub(crate) async fn openapi(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&shared.document))
}

/// Reads a level of the log; what is none is every level.
pub(crate) fn level(call: &Call) -> LogLevel {
    match call.text("level") {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("info") => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

pub(crate) async fn logs(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let limit = call.number("limit", 200) as usize;
    let (mut data, next) = shared
        .platform
        .logs()
        .since(call.number("from", 0), usize::MAX);
    let (least, workflow) = (level(&call), call.text("workflow"));
    data.retain(|line| {
        line.level >= least && workflow.is_none_or(|id| line.workflow.as_deref() == Some(id))
    });
    data.drain(..data.len().saturating_sub(limit));
    Ok(Reply::json(&Logs { data, next }))
}
