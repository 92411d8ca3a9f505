//! The connectors of this program, and documents checked against them.

use std::sync::OnceLock;

use hermod_api::platform::{Connector, Direction, ProblemAt};
use hermod_connectors::{SINKS, SOURCES};
use hermod_engine::{Catalog, Checked};
use hermod_sdk::{Problem, PushProtocol, SourceOpener, Spec};
use serde_json::{Map, Value, json};

/// Stands for a secret that is not opened where a document is only checked.
const PLACEHOLDER: &str = "placeholder-of-a-secret";

const CATALOG: Catalog = Catalog {
    sources: SOURCES,
    sinks: SINKS,
};

/// Returns every connector, sources first.
pub(super) fn connectors() -> &'static [Connector] {
    static ALL: OnceLock<Vec<Connector>> = OnceLock::new();
    ALL.get_or_init(|| {
        let sources = SOURCES.iter().map(|entry| {
            let promises = json!({
                "rereadable": entry.spec.rereadable,
                "push": entry.push.is_some(),
                "locality": entry.spec.locality,
            });
            connector(
                Direction::Source,
                &entry.spec,
                (entry.schema(), entry.example()),
                promises,
            )
        });
        let sinks = SINKS.iter().map(|entry| {
            let promises = json!({
                "confirms": entry.spec.confirms,
                "repeats": entry.spec.repeats,
                "locality": entry.spec.locality,
            });
            connector(
                Direction::Sink,
                &entry.spec,
                (entry.schema(), entry.example()),
                promises,
            )
        });
        sources.chain(sinks).collect()
    })
}

fn connector(
    direction: Direction,
    spec: &Spec,
    (schema, example): (Value, Value),
    promises: Value,
) -> Connector {
    Connector {
        direction,
        kind: spec.kind.to_owned(),
        title: spec.title.to_owned(),
        summary: spec.summary.to_owned(),
        stability: json!(spec.stability)
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        schema,
        example,
        promises,
    }
}

/// Checks a bundle with its secrets open, and turns it into a plan.
pub(super) fn check(bundle: &Value) -> Result<Checked, Vec<ProblemAt>> {
    hermod_engine::check(bundle, &CATALOG)
        .map_err(|problems| problems.iter().map(|problem| at(problem, false)).collect())
}

/// Reports everything that is wrong with a bundle, or that people should know of it; secrets may be sealed.
pub(super) fn validate(bundle: &Value) -> Vec<ProblemAt> {
    let mut bundle = bundle.clone();
    fill_in(&mut bundle);
    let mut found = match check(&bundle) {
        Ok(checked) => checked
            .warnings
            .iter()
            .map(|warning| at(warning, true))
            .collect(),
        Err(problems) => problems,
    };
    if let Some(message) = super::worker::pin_problem(&bundle) {
        found.push(ProblemAt {
            pointer: "/workflow".to_owned(),
            message,
            warning: false,
        });
    }
    found
}

/// Checks one source or sink as part of the smallest workflow around it.
pub(super) fn validate_connection(direction: Direction, document: &Value) -> Vec<ProblemAt> {
    let mut document = document.clone();
    fill_in(&mut document);
    let (side, pointer) = match direction {
        Direction::Source => ("sources", "/sources/0"),
        Direction::Sink => ("sinks", "/sinks/0"),
    };
    let found = validate(&around(side, &document));
    found
        .into_iter()
        .filter_map(|problem| {
            let rest = problem.pointer.strip_prefix(pointer)?.to_owned();
            Some(ProblemAt {
                pointer: rest,
                ..problem
            })
        })
        .collect()
}

/// Makes a workflow of a source or sink and something that fits to it.
fn around(side: &str, document: &Value) -> Value {
    let id = document.get("id").cloned().unwrap_or_else(|| "one".into());
    let other = if side == "sources" {
        json!({"id": "other", "type": "stdout", "config": {}})
    } else {
        json!({"id": "other", "type": "generator", "config": {"count": 1}})
    };
    let (source, sink) = if side == "sources" {
        (document.clone(), other)
    } else {
        (other, document.clone())
    };
    let (source_id, sink_id) = if side == "sources" {
        (id, json!("other"))
    } else {
        (json!("other"), id)
    };
    json!({
        "workflow": {
            "id": "probe", "name": "probe",
            "nodes": [
                {"id": "n1", "type": "source", "ref_id": source_id},
                {"id": "n2", "type": "sink", "ref_id": sink_id},
            ],
            "edges": [{"id": "e1", "source_id": "n1", "target_id": "n2"}],
        },
        "sources": [source],
        "sinks": [sink],
    })
}

/// What came of configuring a source or sink for a test.
pub(super) enum Probed {
    Source(SourceOpener),
    Sink(std::sync::Arc<dyn hermod_sdk::SinkFactory>),
}

/// Configures one source or sink, its secrets open.
pub(super) fn configure(direction: Direction, document: &Value) -> Result<Probed, String> {
    let side = match direction {
        Direction::Source => "sources",
        Direction::Sink => "sinks",
    };
    let checked = check(&around(side, document)).map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.pointer, problem.message))
            .collect();
        lines.join("; ")
    })?;
    let plan = checked.plan;
    Ok(match direction {
        Direction::Source => Probed::Source(plan.source.opener),
        Direction::Sink => {
            let sink = plan.sinks.into_iter().next();
            Probed::Sink(sink.ok_or("the sink is not usable")?.factory)
        }
    })
}

/// Returns where a source is pushed to, if it is.
pub(super) fn push_path(source: &Map<String, Value>) -> Option<(PushProtocol, String)> {
    let kind = source.get("type")?.as_str()?;
    let entry = SOURCES.iter().find(|entry| entry.spec.kind == kind)?;
    entry.push?;
    let mut config = source.get("config").cloned().unwrap_or_default();
    fill_in(&mut config);
    // One that is not valid is reachable nowhere; its workflow says what is wrong when it is started.
    match entry.configure(&config).ok()? {
        SourceOpener::Push { protocol, open, .. } => {
            Some((protocol, open().ok()?.path().to_owned()))
        }
        SourceOpener::Pull(_) => None,
    }
}

/// Puts a text in the place of every secret that is sealed or not shown.
fn fill_in(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let hidden = members.len() == 1
                && members
                    .keys()
                    .all(|name| name == "$sealed" || name == "$secret");
            if hidden {
                *value = PLACEHOLDER.into();
                return;
            }
            members.values_mut().for_each(fill_in);
        }
        Value::Array(items) => items.iter_mut().for_each(fill_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn at(problem: &Problem, warning: bool) -> ProblemAt {
    ProblemAt {
        pointer: problem.pointer.clone(),
        message: problem.message.clone(),
        warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_valid_by_itself() {
        for connector in connectors() {
            let document = json!({"id": "x", "type": connector.kind, "config": connector.example});
            let problems: Vec<_> = validate_connection(connector.direction, &document)
                .into_iter()
                .filter(|problem| !problem.warning)
                .collect();
            assert_eq!(problems, [], "{}", connector.kind);
        }
    }

    #[test]
    fn a_problem_of_a_source_points_into_its_document() {
        let document = json!({"id": "x", "type": "file", "config": {"path": 7}});
        let problems = validate_connection(Direction::Source, &document);
        assert!(
            problems
                .iter()
                .any(|problem| problem.pointer == "/config/path"),
            "{problems:?}"
        );
    }

    #[test]
    fn i10_a_sealed_secret_stands_for_a_text() {
        let source = json!({
            "id": "in", "type": "webhook",
            "config": {"path": "orders", "secret": {"$sealed": "v1:x"}},
        });
        let problems = validate_connection(Direction::Source, &source);
        assert!(
            problems.iter().all(|problem| problem.warning),
            "{problems:?}"
        );
        let Value::Object(source) = source else {
            unreachable!()
        };
        assert_eq!(
            push_path(&source),
            Some((PushProtocol::Webhook, "orders".to_owned()))
        );
    }
}
