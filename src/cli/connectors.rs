//! `hermod connectors [KIND]`: what there is, read from the two lists of connectors.

use clap::Args;
use hermod_api::Code;
use hermod_connectors::{SINKS, SOURCES};
use hermod_sdk::{Spec, Stability};
use serde::Serialize;
use serde_json::{Value, json};

use super::OutputArguments;
use crate::{
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
Examples:
  hermod connectors
  hermod connectors file
  hermod connectors webhook --output json
  hermod connectors --markdown > reference.md";

/// List connectors, or show one's schema and an example
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Kind of the connector, as `type` in a document
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
    /// Print reference pages as Markdown
    #[arg(long, conflicts_with = "output")]
    markdown: bool,
}

/// A connector of either side.
#[derive(Serialize)]
struct Connector {
    side: &'static str,
    #[serde(flatten)]
    spec: Spec,
    schema: Value,
    example: Value,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut connectors = all();
    if let Some(kind) = &arguments.kind {
        connectors.retain(|connector| connector.spec.kind == kind);
        if connectors.is_empty() {
            return Err(unknown(kind));
        }
    }
    if arguments.markdown {
        connectors.iter().for_each(print_markdown);
    } else if arguments.output.output == Form::Json {
        output::json(&connectors.iter().map(Connector::value).collect::<Vec<_>>());
    } else if arguments.kind.is_some() {
        connectors.iter().for_each(print_one);
    } else {
        print_table(&connectors);
    }
    Ok(Exit::Done)
}

fn unknown(kind: &str) -> Failure {
    let mut known: Vec<_> = all().iter().map(|connector| connector.spec.kind).collect();
    known.sort_unstable();
    known.dedup();
    let meant = hermod_engine::nearest(kind, known.iter().copied())
        .map_or_else(String::new, |near| format!("; `{near}` may be meant"));
    let known = known.join("`, `");
    let message = format!("there is no connector `{kind}`{meant}; there are `{known}`");
    Failure::new(Code::Configuration, message)
        .with_hint("`hermod connectors` lists all, `hermod connectors KIND` shows what one takes")
}

fn all() -> Vec<Connector> {
    let sources = SOURCES.iter().map(|entry| Connector {
        side: "source",
        spec: entry.spec,
        schema: entry.schema(),
        example: entry.example(),
    });
    let sinks = SINKS.iter().map(|entry| Connector {
        side: "sink",
        spec: entry.spec,
        schema: entry.schema(),
        example: entry.example(),
    });
    sources.chain(sinks).collect()
}

impl Connector {
    /// Says what can be relied on, in a few words.
    fn promise(&self) -> String {
        let name = |value: Value| value.as_str().unwrap_or_default().replace('_', " ");
        let mut words = if self.side == "sink" {
            let (confirms, repeats) = (json!(self.spec.confirms), json!(self.spec.repeats));
            vec![format!("confirms {}", name(confirms)), name(repeats)]
        } else if self.spec.rereadable {
            vec!["can be read again".to_owned()]
        } else {
            vec!["pushed to".to_owned()]
        };
        if self.spec.stability == Stability::Experimental {
            words.push("experimental".to_owned());
        }
        words.join(", ")
    }

    /// Returns it as JSON, without what does not apply to its side.
    fn value(&self) -> Value {
        let mut value = json!(self);
        let foreign: &[&str] = if self.side == "sink" {
            &["rereadable"]
        } else {
            &["confirms", "repeats", "partial"]
        };
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !foreign.contains(&name.as_str()));
        }
        value
    }

    /// Returns the entry as it stands in a document.
    fn document(&self) -> Value {
        json!({"id": format!("my-{}", self.spec.kind), "type": self.spec.kind, "config": self.example})
    }
}

fn print_table(connectors: &[Connector]) {
    let rows: Vec<_> = connectors
        .iter()
        .map(|connector| {
            let spec = connector.spec;
            [
                connector.side.to_owned(),
                spec.kind.to_owned(),
                connector.promise(),
                spec.summary.to_owned(),
            ]
        })
        .collect();
    output::table(["SIDE", "KIND", "PROMISE", "SUMMARY"], &rows);
}

fn print_one(connector: &Connector) {
    let spec = connector.spec;
    output::line(format!(
        "{} `{}`: {}",
        connector.side, spec.kind, spec.title
    ));
    output::line(format!(
        "{}\n{}\n\nKeys of `config`:",
        spec.summary,
        connector.promise()
    ));
    output::table(
        ["KEY", "TYPE", "DEFAULT", "WHAT"],
        &rows(&connector.schema, "", 60),
    );
    output::line("\nExample:");
    output::json(&connector.document());
    output::line("\nSchema:");
    output::json(&connector.schema);
    output::line("");
}

fn print_markdown(connector: &Connector) {
    let spec = connector.spec;
    output::line(format!(
        "## {} `{}`: {}\n",
        connector.side, spec.kind, spec.title
    ));
    output::line(format!("{}\n\n*{}*\n", spec.summary, connector.promise()));
    output::line("| key | type | default | what |\n|---|---|---|---|");
    for [key, kind, default, what] in rows(&connector.schema, "", usize::MAX) {
        let what = what.replace('|', "\\|");
        output::line(format!("| `{key}` | {kind} | {default} | {what} |"));
    }
    output::line("\n```json");
    output::json(&connector.document());
    output::line("```\n");
}

/// Returns one row for each key of a schema, nested ones with dots.
fn rows(schema: &Value, prefix: &str, width: usize) -> Vec<[String; 4]> {
    let mut found = Vec::new();
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let default = match field.get("default") {
            Some(value) => value.to_string(),
            None if required.contains(&name.as_str()) => "required".to_owned(),
            None => "–".to_owned(),
        };
        let what = field["description"]
            .as_str()
            .unwrap_or_default()
            .replace('\n', " ");
        let what = if width == usize::MAX {
            what
        } else {
            output::short(&what, width)
        };
        found.push([path.clone(), kind_of(field), default, what]);
        found.extend(rows(field, &format!("{path}."), width));
    }
    found
}

fn kind_of(field: &Value) -> String {
    let mut kind = match &field["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let names = several
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "null");
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => "one of several".to_owned(),
    };
    if let Some(unit) = field["x-unit"].as_str() {
        kind = format!("{kind} ({unit})");
    }
    if field["x-secret"] == true {
        kind.push_str(" (secret)");
    }
    kind
}
