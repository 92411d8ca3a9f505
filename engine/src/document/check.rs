//! Checks a document as a whole.

use std::collections::BTreeMap;

use hermod_sdk::{Confirms, Problem, Problems, Repeats, Text};
use serde_json::Value;

use super::{
    BufferPlan, Catalog, Checked, DeliveryPlan, GraphDocument, Level, OnSlowSink, SinkPlan,
    SourcePlan, WorkflowPlan,
    connector::{self, check_id},
    section::Section,
};
use crate::graph::Graph;

/// Checks a bundle `{workflow, sources, sinks}` without I/O.
///
/// # Errors
/// Every problem at once, each with its JSON pointer.
pub fn check(bundle: &Value, catalog: &Catalog) -> Result<Checked, Problems> {
    let mut problems = Problems::default();
    let mut warnings = Vec::new();
    let checked = bundle_plan(bundle, catalog, &mut problems, &mut warnings);
    match checked {
        Some(plan) if problems.is_empty() => Ok(Checked { plan, warnings }),
        _ => Err(problems),
    }
}

fn bundle_plan(
    bundle: &Value,
    catalog: &Catalog,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Option<WorkflowPlan> {
    let mut whole = Section::new(bundle, "", problems)?;
    let (sources, sinks) = (whole.value("sources"), whole.value("sinks"));
    let workflow = whole.section("workflow", problems);
    if bundle.get("workflow").is_none() {
        problems.add(
            "",
            "`workflow` is missing; a bundle is `{workflow, sources, sinks}`",
        );
    }
    whole.finish(problems, warnings);
    let sources = connector::sources(sources, catalog, problems, warnings);
    let head = workflow.and_then(|section| head(section, problems, warnings));
    let defaults = head
        .as_ref()
        .map_or_else(DeliveryPlan::default, |head| head.delivery.clone());
    let sinks = connector::sinks(sinks, catalog, &defaults, problems, warnings);
    let head = head?;
    let used = used_sinks(&head.graph, sinks, problems, warnings);
    check_graph(&head.graph, &used.ids, problems);
    let source = used_source(&head.graph, sources, problems, warnings);
    check_requirements(&head.require, &used.plans, problems);
    let source = source?;
    let acknowledge = level(&head, &source, problems)?;
    Some(WorkflowPlan {
        id: head.id,
        name: head.name,
        active: head.active,
        acknowledge,
        buffer: head.buffer,
        source,
        sinks: used.plans,
        graph: head.graph,
    })
}

/// What the workflow itself says.
struct Head {
    id: Text,
    name: Text,
    active: bool,
    acknowledge: Option<Level>,
    buffer: BufferPlan,
    delivery: DeliveryPlan,
    require: Requirements,
    graph: GraphDocument,
}

#[derive(Default)]
struct Requirements {
    confirms: Option<Confirms>,
    repeats: Option<Repeats>,
}

fn head(
    mut section: Section<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Option<Head> {
    let name = section.text("name", problems);
    let id = section.text("id", problems).or(name);
    match id {
        Some(id) => check_id(id, "/workflow/id", problems),
        None => problems.add(
            "/workflow",
            "`id` is missing, and so is `name` that could stand in",
        ),
    }
    let active = section.flag("active", problems).unwrap_or(true);
    let acknowledge = acknowledge(&mut section, problems);
    let buffer = buffer(&mut section, problems, warnings);
    let mut delivery = DeliveryPlan::default();
    if matches!(buffer, BufferPlan::Ring { .. }) {
        delivery.on_slow_sink = OnSlowSink::Block;
    }
    if let Some(retries) = section.number("max_retries", 0, problems) {
        delivery.retry.max_retries = retries.min(u64::from(u32::MAX)) as u32;
    }
    if let Some(interval) = section.duration_ms("retry_interval", problems) {
        delivery.retry.interval_ms = interval;
    }
    let require = requirements(&mut section, problems, warnings);
    let graph = graph(&mut section, problems, warnings);
    section.finish(problems, warnings);
    let (id, name) = (id?, name.unwrap_or(id?));
    Some(Head {
        id: Text::from(id),
        name: Text::from(name),
        active,
        acknowledge,
        buffer,
        delivery,
        require,
        graph: graph?,
    })
}

fn acknowledge(section: &mut Section<'_>, problems: &mut Problems) -> Option<Level> {
    let text = section.text("acknowledge", problems)?;
    match text {
        "delivered" => Some(Level::Delivered),
        "durable" => Some(Level::Durable),
        "replicated" => {
            problems.add(
                "/workflow/acknowledge",
                "level `replicated` is not built yet; it comes with the cluster",
            );
            None
        }
        other => {
            let message = format!("`{other}` is not one of `delivered`, `durable`");
            problems.add("/workflow/acknowledge", message);
            None
        }
    }
}

fn buffer(
    section: &mut Section<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> BufferPlan {
    let Some(mut buffer) = section.section("buffer", problems) else {
        return BufferPlan::File;
    };
    let kind = buffer.one_of("type", &[("ring", true), ("file", false)], problems);
    let ring = kind.unwrap_or(false);
    let plan = if ring {
        let messages = buffer.number("messages", 1, problems).unwrap_or(1024) as usize;
        let bytes = buffer.number("bytes", 1, problems).unwrap_or(64 << 20) as usize;
        BufferPlan::Ring { messages, bytes }
    } else {
        BufferPlan::File
    };
    buffer.finish(problems, warnings);
    plan
}

fn requirements(
    section: &mut Section<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Requirements {
    let Some(mut require) = section.section("require", problems) else {
        return Requirements::default();
    };
    let confirms = [
        ("accepted", Confirms::Accepted),
        ("durable", Confirms::Durable),
    ];
    let repeats = [
        ("at_least_once", Repeats::AtLeastOnce),
        ("idempotent", Repeats::Idempotent),
        ("transactional", Repeats::Transactional),
    ];
    let found = Requirements {
        confirms: require.one_of("confirms", &confirms, problems),
        repeats: require.one_of("repeats", &repeats, problems),
    };
    require.finish(problems, warnings);
    found
}

fn graph(
    section: &mut Section<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Option<GraphDocument> {
    let nodes = list(section, "nodes", problems)?;
    let edges = list(section, "edges", problems)?;
    let before = problems.len();
    let mut graph = GraphDocument::default();
    for (at, value) in nodes.iter().enumerate() {
        let pointer = format!("/workflow/nodes/{at}");
        let Some(mut node) = Section::new(value, &pointer, problems) else {
            continue;
        };
        for key in ["id", "type"] {
            if node.text(key, problems).is_none() {
                problems.add(&pointer, format!("`{key}` is missing"));
            }
        }
        node.text("ref_id", problems);
        node.section("config", problems);
        node.finish(problems, warnings);
        graph.nodes.extend(serde_json::from_value(value.clone()));
    }
    for (at, value) in edges.iter().enumerate() {
        let pointer = format!("/workflow/edges/{at}");
        let Some(mut edge) = Section::new(value, &pointer, problems) else {
            continue;
        };
        for key in ["source_id", "target_id"] {
            if edge.text(key, problems).is_none() {
                problems.add(&pointer, format!("`{key}` is missing"));
            }
        }
        for key in ["id", "label", "source_handle", "target_handle"] {
            edge.text(key, problems);
        }
        if let Some(config) = edge
            .value("config")
            .and_then(|config| config.get("breakpoint"))
            && config != &Value::Bool(false)
        {
            let message = "breakpoints are not built yet and have no effect".to_owned();
            warnings.push(Problem {
                pointer: format!("{pointer}/config/breakpoint"),
                message,
            });
        }
        edge.finish(problems, warnings);
        graph.edges.extend(serde_json::from_value(value.clone()));
    }
    (problems.len() == before).then_some(graph)
}

fn list<'a>(
    section: &mut Section<'a>,
    key: &'static str,
    problems: &mut Problems,
) -> Option<&'a Vec<Value>> {
    match section.value(key) {
        Some(Value::Array(items)) => Some(items),
        Some(_) => {
            problems.add(section.at(key), "is not a list");
            None
        }
        None => {
            problems.add("/workflow", format!("`{key}` is missing"));
            None
        }
    }
}

/// Returns the source that the graph's source node stands for.
fn used_source(
    graph: &GraphDocument,
    mut sources: BTreeMap<String, (usize, Option<SourcePlan>)>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> Option<SourcePlan> {
    let (at, node) = graph
        .nodes
        .iter()
        .enumerate()
        .find(|(_, node)| node.kind == "source")?;
    let Some((_, plan)) = sources.remove(&node.ref_id) else {
        let message = format!("there is no source `{}`", node.ref_id);
        problems.add(format!("/workflow/nodes/{at}/ref_id"), message);
        return None;
    };
    for (id, (at, _)) in sources {
        let message = format!("source `{id}` stands in no node and is not used");
        warnings.push(Problem {
            pointer: format!("/sources/{at}"),
            message,
        });
    }
    Some(SourcePlan {
        node: Text::from(node.id.as_str()),
        ..plan?
    })
}

/// Sinks that a node stands for.
#[derive(Default)]
struct UsedSinks {
    /// All of them, in the document's order.
    ids: Vec<Text>,
    /// Those without a problem.
    plans: Vec<SinkPlan>,
}

/// Returns the sinks that a node stands for, in the document's order.
fn used_sinks(
    graph: &GraphDocument,
    sinks: Vec<(String, Option<SinkPlan>)>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) -> UsedSinks {
    for (at, node) in graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.kind == "sink")
    {
        if !sinks.iter().any(|(id, _)| *id == node.ref_id) {
            let message = format!("there is no sink `{}`", node.ref_id);
            problems.add(format!("/workflow/nodes/{at}/ref_id"), message);
        }
    }
    let mut used = UsedSinks::default();
    for (at, (id, plan)) in sinks.into_iter().enumerate() {
        if graph
            .nodes
            .iter()
            .any(|node| node.kind == "sink" && node.ref_id == id)
        {
            used.ids.push(Text::from(id.as_str()));
            used.plans.extend(plan);
        } else {
            let message = format!("sink `{id}` stands in no node and is not used");
            warnings.push(Problem {
                pointer: format!("/sinks/{at}"),
                message,
            });
        }
    }
    used
}

fn check_graph(graph: &GraphDocument, sinks: &[Text], problems: &mut Problems) {
    match Graph::compile(graph, sinks) {
        Err(part) => problems.add_below("/workflow", part),
        Ok(_) if !graph.nodes.iter().any(|node| node.kind == "sink") => {
            problems.add(
                "/workflow/nodes",
                "there is no node of type `sink`, so nothing is delivered",
            );
        }
        Ok(_) => {}
    }
}

/// Returns the level, by default what the source's kind calls for.
fn level(head: &Head, source: &SourcePlan, problems: &mut Problems) -> Option<Level> {
    let ring = matches!(head.buffer, BufferPlan::Ring { .. });
    let default = if source.rereadable || ring {
        Level::Delivered
    } else {
        Level::Durable
    };
    let level = head.acknowledge.unwrap_or(default);
    if ring && level == Level::Durable {
        // I1: what is in memory only is not durable.
        problems.add(
            "/workflow/buffer/type",
            "a `ring` is in memory and cannot offer `acknowledge: durable`; use `file`, or `acknowledge: delivered`",
        );
        return None;
    }
    Some(level)
}

fn check_requirements(require: &Requirements, sinks: &[SinkPlan], problems: &mut Problems) {
    for sink in sinks {
        let (confirms, repeats) = (sink.factory.spec().confirms, sink.factory.repeats());
        if let Some(wanted) = require.confirms.filter(|wanted| confirms < *wanted) {
            let message = format!(
                "sink `{}` confirms `{}`, less than the required `{}`",
                sink.id,
                word(&confirms),
                word(&wanted)
            );
            problems.add("/workflow/require/confirms", message);
        }
        if let Some(wanted) = require.repeats.filter(|wanted| repeats < *wanted) {
            let message = format!(
                "sink `{}` is `{}` on repeats, less than the required `{}`",
                sink.id,
                word(&repeats),
                word(&wanted)
            );
            problems.add("/workflow/require/repeats", message);
        }
    }
}

/// Returns the word by which documents call a capability.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}
