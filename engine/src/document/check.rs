//! Checks a document as a whole.

use std::collections::HashSet;

use hermod_sdk::{Problems, Text};
use serde_json::Value;

use super::{
    Catalog, Checked, DeliveryPlan, SinkPlan, SourcePlan, WorkflowPlan,
    connector::{self, Listed},
    graph::Drawn,
    keys::Keys,
    report::Report,
    section::Section,
    workflow::{self, Head},
};
use crate::graph::SinkSet;

/// Checks a bundle `{workflow, sources, sinks}` without I/O.
///
/// # Errors
/// Every problem at once, each with its JSON pointer.
pub fn check(bundle: &Value, catalog: &Catalog) -> Result<Checked, Problems> {
    let mut report = Report::default();
    let plan = plan(bundle, catalog, &mut report);
    match plan {
        Some(plan) if report.problems.is_empty() => Ok(Checked {
            plan,
            warnings: report.warnings,
        }),
        _ => Err(report.problems),
    }
}

/// Returns a plan, or a report that says why there is none.
fn plan(bundle: &Value, catalog: &Catalog, report: &mut Report) -> Option<WorkflowPlan> {
    let mut whole = Section::new(bundle, "", report)?;
    let workflow = whole.value("workflow");
    if workflow.is_none() {
        let message = "`workflow` is missing; a bundle is `{workflow, sources, sinks}`";
        report.refuse("", message);
    }
    let section = workflow.and_then(|value| Section::new(value, "/workflow", report));
    let head = section.map(|mut section| workflow::read(&mut section, report));
    let defaults = head
        .as_ref()
        .map_or_else(DeliveryPlan::default, |head| head.delivery.clone());
    let sources = connector::sources(&mut whole, catalog, report);
    let sinks = connector::sinks(&mut whole, catalog, &defaults, report);
    whole.judge(&Keys::NONE, report);
    assemble(head?, sources, sinks, report)
}

fn assemble(
    mut head: Head,
    sources: Vec<Listed<SourcePlan>>,
    sinks: Vec<Listed<SinkPlan>>,
    report: &mut Report,
) -> Option<WorkflowPlan> {
    let drawn = head.graph.take()?;
    let used = used_sinks(&drawn, sinks, report);
    let source = used_source(&drawn, sources, report);
    let graph = drawn.check(&used.ids, report);
    for plan in &used.plans {
        head.require.check(plan, report);
    }
    let acknowledge = head.level(
        source.as_ref().is_none_or(|source| source.rereadable),
        report,
    );
    Some(WorkflowPlan {
        acknowledge,
        id: head.id?,
        name: head.name?,
        active: head.active,
        buffer: head.buffer,
        source: source?,
        sinks: used.plans,
        graph: graph?,
    })
}

/// Returns the source that the graph's source node stands for.
fn used_source(
    drawn: &Drawn,
    sources: Vec<Listed<SourcePlan>>,
    report: &mut Report,
) -> Option<SourcePlan> {
    check_references(drawn, "source", &sources, report);
    let (_, node) = drawn.nodes_of("source").next()?;
    let references = references(drawn, "source");
    let mut used = None;
    for listed in sources {
        if listed.id == node.ref_id {
            used = listed.plan;
        } else if !references.contains(listed.id.as_str()) {
            let message = format!("source `{}` stands in no node and is not used", listed.id);
            report.warn(listed.pointer, message);
        }
    }
    Some(SourcePlan {
        node: Text::from(node.id.as_str()),
        ..used?
    })
}

/// Sinks that a node stands for.
struct UsedSinks {
    /// All of them, in the document's order.
    ids: Vec<Text>,
    /// Those without a problem.
    plans: Vec<SinkPlan>,
}

fn used_sinks(drawn: &Drawn, sinks: Vec<Listed<SinkPlan>>, report: &mut Report) -> UsedSinks {
    check_references(drawn, "sink", &sinks, report);
    let references = references(drawn, "sink");
    let mut used = UsedSinks {
        ids: Vec::new(),
        plans: Vec::new(),
    };
    for listed in sinks {
        if references.contains(listed.id.as_str()) {
            used.ids.push(Text::from(listed.id));
            used.plans.extend(listed.plan);
        } else {
            let message = format!("sink `{}` stands in no node and is not used", listed.id);
            report.warn(listed.pointer, message);
        }
    }
    if used.ids.len() > SinkSet::MAX {
        let (count, most) = (used.ids.len(), SinkSet::MAX);
        report.refuse(
            "/sinks",
            format!("{count} sinks; a workflow has at most {most}"),
        );
        used.ids.truncate(SinkSet::MAX);
    }
    used
}

/// Returns the ids that nodes of a type stand for.
fn references<'a>(drawn: &'a Drawn, kind: &'a str) -> HashSet<&'a str> {
    drawn
        .nodes_of(kind)
        .map(|(_, node)| node.ref_id.as_str())
        .collect()
}

/// Refuses nodes that stand for a source or sink that is not there.
fn check_references<T>(drawn: &Drawn, kind: &str, listed: &[Listed<T>], report: &mut Report) {
    let known: HashSet<&str> = listed.iter().map(|one| one.id.as_str()).collect();
    for (at, node) in drawn.nodes_of(kind) {
        let reference = node.ref_id.as_str();
        if !reference.is_empty() && !known.contains(reference) {
            let message = format!("there is no {kind} `{reference}`");
            report.refuse(format!("/workflow/nodes/{at}/ref_id"), message);
        }
    }
}
