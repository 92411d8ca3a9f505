//! Documents of workflows on their way to a server.

use clap::Args;
use hermod_api::{Code, platform::ProblemAt};
use reqwest::Method;
use serde_json::{Value, json};

use super::{super::document, ClientArguments, FileArgument};
use crate::{
    bundle::{Document, Severity},
    client::{Client, Places},
    failure::{Exit, Failure},
    output::{self, cell},
};

#[derive(Args)]
pub(super) struct Create {
    #[command(flatten)]
    file: FileArgument,
    /// Why, for the list of versions
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Let it run at once
    #[arg(long)]
    start: bool,
}

#[derive(Args)]
pub(super) struct Update {
    #[command(flatten)]
    file: FileArgument,
    /// Why, for the list of versions
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Version that the change is based on, an `etag` [default: that of the document, then the present one]
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Validate {
    /// Id of a workflow that is saved
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// A document that is not
    #[arg(short, long, value_name = "FILE")]
    file: Option<std::path::PathBuf>,
}

/// Returns where the workflow stands in a file: the file is one, or is a bundle.
fn place(document: &Document) -> &'static str {
    if document.value.get("workflow").is_some() {
        "/workflow"
    } else {
        ""
    }
}

/// Returns whether a file has sources or sinks too.
fn has_parts(document: &Document) -> bool {
    ["sources", "sinks"].iter().any(|side| {
        let all = document.value.get(side).and_then(Value::as_array);
        all.is_some_and(|all| !all.is_empty())
    })
}

impl Create {
    pub(super) fn run(&self, ours: &ClientArguments, client: &Client) -> Result<(), Failure> {
        let document = document::read(&self.file.file)?;
        let at = place(&document);
        let ask = if !at.is_empty() && has_parts(&document) {
            if self.message.is_some() {
                let message = "a bundle is taken in without a message";
                return Err(Failure::new(Code::Configuration, message)
                    .with_hint("leave `--message` out, or use `hermod apply`, which takes one"));
            }
            client
                .ask(Method::POST, &["workflows", "import"])
                .body(&document.value)
                .from(Places::at(&document, ""))
        } else {
            let workflow = document::object(&document, at)?.clone();
            client
                .ask(Method::POST, &["workflows"])
                .query_if("message", self.message.as_deref())
                .body(&Value::Object(workflow))
                .from(Places::at(&document, at))
        };
        let mut answer = ask.send()?.body;
        if self.start
            && let Some(id) = answer["id"].as_str()
        {
            answer = client.post(&["workflows", id, "start"])?.body;
        }
        let start = self.start;
        ours.print(&answer, |made| {
            let then = if start { " and is to run" } else { "" };
            output::line(format!("workflow `{}` is made{then}", cell(&made["id"])));
        });
        Ok(())
    }
}

impl Update {
    pub(super) fn run(&self, ours: &ClientArguments, client: &Client) -> Result<(), Failure> {
        let document = document::read(&self.file.file)?;
        let at = place(&document);
        if !at.is_empty() && has_parts(&document) {
            let message = "is a bundle; `hermod apply -f` saves its sources and sinks too";
            return Err(document::refused_at(&document, "", message));
        }
        let (workflow, id) = (
            document::object(&document, at)?,
            document::id(&document, at)?,
        );
        let etag = base(
            client,
            &["workflows", id],
            self.if_match.as_deref(),
            workflow,
        )?;
        let answer = client
            .ask(Method::PUT, &["workflows", id])
            .query_if("message", self.message.as_deref())
            .if_match(etag)
            .body(&Value::Object(workflow.clone()))
            .from(Places::at(&document, at))
            .send()?;
        ours.print(&answer.body, print_saved);
        Ok(())
    }
}

/// Returns the version that a change is based on: as somebody says, as the document says, or the present one.
pub(in crate::cli) fn base(
    client: &Client,
    path: &[&str],
    said: Option<&str>,
    document: &serde_json::Map<String, Value>,
) -> Result<Option<String>, Failure> {
    let in_document = document.get("etag").and_then(Value::as_str);
    match said.or(in_document) {
        // Quotes get lost in shells.
        Some(tag) => Ok(Some(format!("\"{}\"", tag.trim().trim_matches('"')))),
        None => Ok(client.get(path)?.etag),
    }
}

pub(super) fn roll_back(
    ours: &ClientArguments,
    client: &Client,
    id: &str,
    version: u64,
) -> Result<(), Failure> {
    let etag = client.get(&["workflows", id])?.etag;
    let path = ["workflows", id, "rollback", &version.to_string()];
    let answer = client.ask(Method::POST, &path).if_match(etag).send()?;
    ours.print(&answer.body, print_saved);
    Ok(())
}

fn print_saved(workflow: &Value) {
    let (id, version) = (cell(&workflow["id"]), cell(&workflow["version"]));
    output::line(format!("workflow `{id}` is saved as version {version}"));
}

impl Validate {
    pub(super) fn run(&self, ours: &ClientArguments, client: &Client) -> Result<Exit, Failure> {
        let findings = match (&self.id, &self.file) {
            (Some(id), _) => saved(client, id)?,
            (None, Some(file)) => {
                let document = document::read(file)?;
                let at = place(&document);
                let (body, places) = match at {
                    "" => (
                        json!({"workflow": document.value}),
                        Places::at(&document, "").around("/workflow"),
                    ),
                    _ => (document.value.clone(), Places::at(&document, "")),
                };
                let found = ask(client, &body, &places)?;
                found
                    .iter()
                    .map(|problem| json!(places.finding(problem)))
                    .collect()
            }
            (None, None) => Vec::new(),
        };
        let wrong = |finding: &&Value| finding["severity"] != json!(Severity::Warning);
        let valid = findings.iter().find(wrong).is_none();
        ours.print(&json!({"valid": valid, "problems": findings}), |_| {
            for finding in &findings {
                output::line(line(finding));
            }
            if valid {
                output::line("valid");
            }
        });
        Ok(if valid { Exit::Done } else { Exit::Unusable })
    }
}

/// Lets the server check a bundle.
pub(in crate::cli) fn ask(
    client: &Client,
    body: &Value,
    places: &Places<'_>,
) -> Result<Vec<ProblemAt>, Failure> {
    let answer = client
        .ask(Method::POST, &["workflows", "validate"])
        .body(body)
        .from(places.clone())
        .send()?;
    Ok(problems(&answer.body))
}

fn saved(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let answer = client.get(&["workflows", id, "validate"])?;
    let found = problems(&answer.body).into_iter();
    let finding = |problem: ProblemAt| {
        let severity = if problem.warning {
            Severity::Warning
        } else {
            Severity::Error
        };
        json!({"pointer": problem.pointer, "message": problem.message, "severity": severity})
    };
    Ok(found.map(finding).collect())
}

fn problems(answer: &Value) -> Vec<ProblemAt> {
    serde_json::from_value(answer["problems"].clone()).unwrap_or_default()
}

/// Writes a finding like a compiler's message.
fn line(finding: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(file) = finding["file"].as_str() {
        match finding["line"].as_u64() {
            Some(line) => parts.push(format!("{file}:{line}:")),
            None => parts.push(format!("{file}:")),
        }
    }
    if let Some(pointer) = finding["pointer"].as_str().filter(|text| !text.is_empty()) {
        parts.push(format!("{pointer}:"));
    }
    if finding["severity"] == json!(Severity::Warning) {
        parts.push("warning:".to_owned());
    }
    parts.push(finding["message"].as_str().unwrap_or_default().to_owned());
    parts.join(" ")
}
