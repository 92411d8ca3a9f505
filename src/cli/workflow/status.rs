//! How workflows are.

use std::ops::ControlFlow;

use hermod_api::platform::WorkflowStatus;
use reqwest::Method;
use serde_json::{Value, json};

use super::ClientArguments;
use crate::{
    client::{Client, Event},
    failure::Failure,
    output::{self, Form, cell, short},
};

const HEADS: [&str; 7] = [
    "WORKFLOW",
    "STATE",
    "NODE",
    "VERSION",
    "BUFFERED",
    "DEAD LETTERS",
    "REASON",
];

/// Shows one workflow's status, or those of all.
pub(super) fn show(
    ours: &ClientArguments,
    client: &Client,
    id: Option<&str>,
) -> Result<(), Failure> {
    let Some(id) = id else {
        let statuses: Vec<_> = client.all("workflows", None)?.iter().map(of_list).collect();
        ours.print(&json!({"data": statuses}), |answer| {
            print_all(&answer["data"]);
        });
        return Ok(());
    };
    let workflow = client.get(&["workflows", id])?.body;
    let status = match client.find(&["workflows", id, "status"])? {
        Some(answer) => answer.body,
        None => of_list(&workflow),
    };
    ours.print(&status, |status| {
        print_all(&Value::Array(vec![status.clone()]));
        print_sinks(&status["sinks"]);
    });
    Ok(())
}

/// Returns the status that a workflow is listed with; one that never ran has none but its name.
fn of_list(workflow: &Value) -> Value {
    match &workflow["status"] {
        Value::Null => json!({"workflow": workflow["id"], "state": Value::Null}),
        status => status.clone(),
    }
}

/// Goes on showing what changes.
pub(super) fn watch(
    ours: &ClientArguments,
    client: &Client,
    id: Option<&str>,
) -> Result<(), Failure> {
    if let Some(id) = id {
        // Of one that does not exist nothing would ever be heard.
        client.get(&["workflows", id])?;
    }
    if ours.output == Form::Table {
        output::line(format!("{:<24}  {:<10}  {}", "AT", "STATE", "WORKFLOW"));
    }
    let form = ours.output;
    client
        .ask(Method::GET, &["events"])
        .query_if("workflow", id)
        .events(|event| told(&event, form, id))
}

fn told(event: &Event, form: Form, only: Option<&str>) -> ControlFlow<()> {
    let mut items = event.data.as_array().into_iter().flatten();
    let gone = event.name == "gone";
    let all_read = match event.name.as_str() {
        "status" => items.all(|status| {
            output::is_read(match form {
                Form::Json => status.to_string(),
                Form::Table => one_line(status),
            })
        }),
        "gone" => items.all(|id| {
            output::is_read(match form {
                Form::Json => json!({"workflow": id, "gone": true}).to_string(),
                Form::Table => format!("workflow `{}` is removed", cell(id)),
            })
        }),
        _ => true,
    };
    // Of one that is removed nothing more is heard.
    if !all_read || gone && only.is_some() {
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

fn one_line(status: &Value) -> String {
    let Ok(known) = serde_json::from_value::<WorkflowStatus>(status.clone()) else {
        return short(&status.to_string(), 200);
    };
    let mut line = format!(
        "{:<24}  {:<10}  {}",
        hermod_api::rfc3339_ms(known.at_ms as i64),
        cell(&status["state"]),
        known.workflow,
    );
    for (name, value) in [("node", &status["node"]), ("buffered", &status["buffered"])] {
        if !value.is_null() {
            line += &format!("  {name} {}", cell(value));
        }
    }
    if let Some(dead) = known.dead_letters.filter(|dead| *dead > 0) {
        line += &format!("  dead letters {dead}");
    }
    if let Some(reason) = &known.reason {
        line += &format!("  {}", short(reason, 120));
    }
    line
}

fn print_all(statuses: &Value) {
    let statuses = statuses.as_array().into_iter().flatten();
    let rows: Vec<_> = statuses
        .map(|status| {
            let state = match &status["state"] {
                Value::Null => "never ran".to_owned(),
                state => cell(state),
            };
            [
                cell(&status["workflow"]),
                state,
                cell(&status["node"]),
                cell(&status["version"]),
                cell(&status["buffered"]),
                cell(&status["dead_letters"]),
                cell(&status["reason"]),
            ]
        })
        .collect();
    output::table(HEADS, &rows);
}

fn print_sinks(sinks: &Value) {
    let Some(sinks) = sinks.as_array().filter(|sinks| !sinks.is_empty()) else {
        return;
    };
    let rows: Vec<_> = sinks
        .iter()
        .map(|sink| ["id", "type", "backlog", "lagging", "blocked"].map(|name| cell(&sink[name])))
        .collect();
    output::line("");
    output::table(["SINK", "TYPE", "BACKLOG", "LAGGING", "BLOCKED"], &rows);
}
