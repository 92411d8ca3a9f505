//! Bundles as files, each beside what is said about it.

use std::{fmt::Write as _, fs, path::Path};

use super::*;

/// Says everything that a check has found, line by line, and what is to run.
fn said(bundle: &Value) -> String {
    let mut text = String::new();
    match check(bundle, &CATALOG) {
        Ok(Checked { plan, warnings }) => {
            for warning in warnings {
                writeln!(text, "warning {warning}").unwrap();
            }
            let (id, name, source) = (&plan.id, &plan.name, &plan.source);
            let (level, buffer) = (plan.acknowledge, plan.buffer);
            writeln!(
                text,
                "workflow {id} `{name}`: active {}, {level:?}, {buffer:?}",
                plan.active
            )
            .unwrap();
            writeln!(
                text,
                "source {} ({}) at node {}",
                source.id, source.kind, source.node
            )
            .unwrap();
            for sink in &plan.sinks {
                writeln!(
                    text,
                    "sink {} ({}): {:?}",
                    sink.id, sink.kind, sink.delivery
                )
                .unwrap();
            }
            writeln!(
                text,
                "{}",
                serde_json::to_string_pretty(&plan.graph).unwrap()
            )
            .unwrap();
        }
        Err(problems) => {
            for problem in &problems {
                writeln!(text, "{problem}").unwrap();
            }
        }
    }
    text
}

fn compare(name: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/bundles");
    let read = |name: String| fs::read_to_string(directory.join(&name)).unwrap_or_default();
    let bundle = serde_json::from_str(&read(format!("{name}.json"))).unwrap();
    let (found, expected) = (said(&bundle), read(format!("{name}.txt")));
    assert_eq!(found, expected, "{name}.txt; found:\n{found}");
}

#[test]
fn an_export_of_the_original_is_refused_for_each_thing_that_would_be_lost() {
    compare("exported");
}

#[test]
fn keys_of_the_original_that_ask_for_nothing_more_are_taken() {
    compare("original_keys");
}

#[test]
fn a_misdrawn_workflow_is_told_everything_at_once() {
    compare("misdrawn");
}
