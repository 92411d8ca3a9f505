//! Sources and sinks of a document.

use std::collections::BTreeMap;

use hermod_sdk::{Problem, Problems, SourceOpener, Text};
use serde_json::{Value, json};

use super::{
    BatchPlan, Catalog, DeliveryPlan, OnOutage, OnSlowSink, RetryPlan, SinkPlan, SourcePlan,
    section::Section,
};

/// Longest id, in bytes: ids stand in names of the data log.
const ID_BYTES_MAX: usize = 100;

/// Checks an id: it stands in names of streams, file names, labels and addresses.
pub(super) fn check_id(id: &str, pointer: &str, problems: &mut Problems) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.len() > ID_BYTES_MAX || !id.chars().all(allowed) {
        let message = format!(
            "id `{id}` is not allowed; use up to {ID_BYTES_MAX} letters, digits, `-`, `_`, `.`"
        );
        problems.add(pointer, message);
    }
}

/// Reads the sources; a source without a problem stands in the result by its id.
pub(super) fn sources(
    value: Option<&Value>,
    catalog: &Catalog,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> BTreeMap<String, (usize, Option<SourcePlan>)> {
    let mut found = BTreeMap::new();
    for (at, mut section) in sections(value, "/sources", problems) {
        let pointer = format!("/sources/{at}");
        let Some((id, kind, config)) = common(&mut section, &pointer, problems) else {
            continue;
        };
        let entry = catalog.sources.iter().find(|entry| entry.spec.kind == kind);
        let plan = match entry {
            None => {
                let kinds: Vec<&str> = catalog.sources.iter().map(|e| e.spec.kind).collect();
                unknown_kind("source", kind, &kinds, &pointer, problems);
                None
            }
            Some(entry) => match entry.configure(&config) {
                Ok(opener) => {
                    if let SourceOpener::Push {
                        warning: Some(warning),
                        ..
                    } = &opener
                    {
                        let pointer = format!("{pointer}/config");
                        warnings.push(Problem {
                            pointer,
                            message: warning.clone(),
                        });
                    }
                    Some(SourcePlan {
                        id: Text::from(id),
                        node: Text::new(),
                        kind: entry.spec.kind,
                        rereadable: entry.spec.rereadable && entry.push.is_none(),
                        opener,
                    })
                }
                Err(part) => {
                    problems.add_below(&format!("{pointer}/config"), part);
                    None
                }
            },
        };
        section.finish(problems, warnings);
        if found.insert(id.to_owned(), (at, plan)).is_some() {
            problems.add(
                format!("{pointer}/id"),
                format!("source `{id}` stands twice"),
            );
        }
    }
    found
}

/// Reads the sinks in order; `retry` holds the workflow's own defaults.
pub(super) fn sinks(
    value: Option<&Value>,
    catalog: &Catalog,
    defaults: &DeliveryPlan,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Vec<(String, Option<SinkPlan>)> {
    let mut found: Vec<(String, Option<SinkPlan>)> = Vec::new();
    for (at, mut section) in sections(value, "/sinks", problems) {
        let pointer = format!("/sinks/{at}");
        let Some((id, kind, config)) = common(&mut section, &pointer, problems) else {
            continue;
        };
        let delivery = delivery(&mut section, defaults, problems, warnings);
        let plan = match catalog.sinks.iter().find(|entry| entry.spec.kind == kind) {
            None => {
                let kinds: Vec<&str> = catalog.sinks.iter().map(|e| e.spec.kind).collect();
                unknown_kind("sink", kind, &kinds, &pointer, problems);
                None
            }
            Some(entry) => match entry.configure(&config) {
                Ok(factory) => {
                    let id = Text::from(id);
                    Some(SinkPlan {
                        id,
                        kind: entry.spec.kind,
                        factory,
                        delivery,
                    })
                }
                Err(part) => {
                    problems.add_below(&format!("{pointer}/config"), part);
                    None
                }
            },
        };
        section.finish(problems, warnings);
        if found.iter().any(|(known, _)| known == id) {
            problems.add(format!("{pointer}/id"), format!("sink `{id}` stands twice"));
        }
        found.push((id.to_owned(), plan));
    }
    found
}

fn sections<'a>(
    value: Option<&'a Value>,
    pointer: &str,
    problems: &mut Problems,
) -> Vec<(usize, Section<'a>)> {
    match value {
        None => {
            problems.add(pointer, "is missing");
            Vec::new()
        }
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let section = Section::new(item, &format!("{pointer}/{at}"), problems)?;
                Some((at, section))
            })
            .collect(),
        Some(_) => {
            problems.add(pointer, "is not a list");
            Vec::new()
        }
    }
}

/// Reads what sources and sinks have in common.
fn common<'a>(
    section: &mut Section<'a>,
    pointer: &str,
    problems: &mut Problems,
) -> Option<(&'a str, &'a str, Value)> {
    let name = section.text("name", problems);
    let id = section.text("id", problems).or(name);
    let kind = section.text("type", problems);
    section.flag("active", problems);
    let config = section
        .value("config")
        .cloned()
        .unwrap_or_else(|| json!({}));
    if kind.is_none() {
        problems.add(pointer, "`type` is missing");
    }
    match id {
        Some(id) => check_id(id, &format!("{pointer}/id"), problems),
        None => problems.add(pointer, "`id` is missing"),
    }
    Some((id?, kind?, config))
}

fn unknown_kind(what: &str, kind: &str, known: &[&str], pointer: &str, problems: &mut Problems) {
    let known = known.join("`, `");
    let message = format!("there is no {what} of type `{kind}`; there are `{known}`");
    problems.add(format!("{pointer}/type"), message);
}

/// Reads what stands beside `config`: how the sink is written to.
fn delivery(
    section: &mut Section<'_>,
    defaults: &DeliveryPlan,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> DeliveryPlan {
    let mut plan = defaults.clone();
    if let Some(mut batch) = section.section("batch", problems) {
        plan.batch = BatchPlan {
            messages: batch
                .number("messages", 1, problems)
                .map_or(plan.batch.messages, |number| number as usize),
            bytes: batch
                .number("bytes", 1, problems)
                .map_or(plan.batch.bytes, |number| number as usize),
            wait_ms: batch
                .duration_ms("wait", problems)
                .unwrap_or(plan.batch.wait_ms),
        };
        batch.finish(problems, warnings);
    }
    if let Some(mut retry) = section.section("retry", problems) {
        plan.retry = RetryPlan {
            max_retries: retry
                .number("max_retries", 0, problems)
                .map_or(plan.retry.max_retries, |number| {
                    number.min(u64::from(u32::MAX)) as u32
                }),
            interval_ms: retry
                .duration_ms("interval", problems)
                .unwrap_or(plan.retry.interval_ms),
            interval_ms_max: retry
                .duration_ms("interval_max", problems)
                .unwrap_or(plan.retry.interval_ms_max),
        };
        retry.finish(problems, warnings);
    }
    let outage = [
        ("wait", OnOutage::Wait),
        ("dead_letter", OnOutage::DeadLetter),
    ];
    if let Some(on_outage) = section.one_of("on_outage", &outage, problems) {
        plan.on_outage = on_outage;
    }
    let slow = [("lag", OnSlowSink::Lag), ("block", OnSlowSink::Block)];
    if let Some(on_slow_sink) = section.one_of("on_slow_sink", &slow, problems) {
        if (on_slow_sink, defaults.on_slow_sink) == (OnSlowSink::Lag, OnSlowSink::Block) {
            let message =
                "a ring buffer has nothing to read again, so a slow sink can only `block`";
            problems.add(section.at("on_slow_sink"), message);
        }
        plan.on_slow_sink = on_slow_sink;
    }
    plan.ordered = section.flag("ordered", problems).unwrap_or(plan.ordered);
    plan
}
