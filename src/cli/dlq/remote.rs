//! Dead letters of all nodes of a server.

use hermod_api::{
    Code,
    platform::{Changed, DeadLetter, DeadLetterPage, NodeAnswer, Selection},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::Filter;
use crate::{
    client::Client,
    dead_letters::{Order, Range, Which},
    failure::Failure,
    output::{self, Form, cell, short},
};

/// Most that the API lists of one node at a time.
const LIMIT_MAX: u64 = 1000;

/// Most numbers that the API takes at a time.
const NUMBERS_MAX: usize = 10_000;

/// What is asked of whom.
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    pub(super) workflow: Option<&'a str>,
    pub(super) node: Option<&'a str>,
    pub(super) filter: &'a Filter,
}

/// Does what is ordered.
pub(super) fn run(asked: &Asked<'_>, order: &Order, form: Form) -> Result<(), Failure> {
    let workflow = asked.workflow()?;
    match order {
        Order::List {
            from,
            limit,
            closed,
        } => {
            let answer = asked.list(&workflow, *from, *limit, *closed)?;
            match form {
                Form::Json => output::json(&answer),
                Form::Table => print_list(&workflow, *limit, &read(answer)?),
            }
        }
        Order::Show { seq } => {
            let node = asked.node_of(&workflow, *seq)?;
            let path = [
                "workflows",
                &workflow,
                "dead-letters",
                &node,
                &seq.to_string(),
            ];
            output::json(&asked.client.get(&path)?.body);
        }
        Order::Replay { which } => asked.change(&workflow, "replay", "replayed", which, form)?,
        Order::Discard { which } => asked.change(&workflow, "discard", "discarded", which, form)?,
    }
    Ok(())
}

impl Asked<'_> {
    /// Returns the workflow that is meant: the one that is named, the only one, or the only one with dead letters.
    fn workflow(&self) -> Result<String, Failure> {
        if let Some(named) = self.workflow {
            return Ok(named.to_owned());
        }
        let all = self.client.all("workflows", None)?;
        let ids = |with: &dyn Fn(&&Value) -> bool| -> Vec<String> {
            let found = all.iter().filter(with);
            found
                .filter_map(|one| Some(one["id"].as_str()?.to_owned()))
                .collect()
        };
        let holding = ids(&|one| one["status"]["dead_letters"].as_u64().unwrap_or(0) > 0);
        let every = ids(&|_| true);
        match (holding.as_slice(), every.as_slice()) {
            ([only], _) | (_, [only]) => Ok(only.clone()),
            ([], []) => Err(Failure::new(
                Code::NoSuchWorkflow,
                "the server has no workflows",
            )),
            ([], some) | (some, _) => {
                let message = format!(
                    "it is not clear which workflow is meant: `{}`",
                    some.join("`, `")
                );
                Err(Failure::new(Code::NoSuchWorkflow, message))
            }
        }
    }

    fn list(&self, workflow: &str, from: u64, limit: u64, closed: bool) -> Result<Value, Failure> {
        let mut ask = self
            .client
            .ask(Method::GET, &["workflows", workflow, "dead-letters"])
            .query("from", from)
            .query("limit", limit.min(LIMIT_MAX))
            .query_if("node", self.node)
            .query_if("sink", self.filter.sink.as_deref())
            .query_if("kind", self.filter.kind.as_deref());
        if closed {
            ask = ask.query("closed", true);
        }
        Ok(ask.send()?.body)
    }

    /// Returns the node that a number is of.
    fn node_of(&self, workflow: &str, seq: u64) -> Result<String, Failure> {
        if let Some(node) = self.node {
            return Ok(node.to_owned());
        }
        let page = read(self.list(workflow, seq, 1, true)?)?;
        let mut nodes = page.data.into_iter().filter(|letter| letter.seq == seq);
        match (nodes.next(), nodes.next()) {
            (Some(only), None) => Ok(only.node),
            (None, _) => Err(Failure::new(
                Code::NoSuchObject,
                format!(
                    "workflow `{workflow}` has no dead letter {seq} on the nodes that answered"
                ),
            )),
            (Some(first), Some(second)) => {
                let message = format!(
                    "dead letter {seq} is on `{}` and on `{}`, at least",
                    first.node, second.node
                );
                Err(ambiguous(message))
            }
        }
    }

    /// Returns the node that numbers are of: the one that is named, or the only one.
    fn only_node(&self, workflow: &str) -> Result<String, Failure> {
        if let Some(node) = self.node {
            return Ok(node.to_owned());
        }
        let page = read(self.list(workflow, 0, 1, true)?)?;
        match page.nodes.as_slice() {
            [only] => Ok(only.node.clone()),
            several => {
                let names: Vec<_> = several.iter().map(|one| one.node.as_str()).collect();
                let message = format!(
                    "numbers are of one node, and there are `{}`",
                    names.join("`, `")
                );
                Err(ambiguous(message))
            }
        }
    }

    fn change(
        &self,
        workflow: &str,
        action: &str,
        done: &str,
        which: &Which,
        form: Form,
    ) -> Result<(), Failure> {
        let selection = match which {
            Which::AllOpen => Selection {
                node: self.node.map(str::to_owned),
                all: true,
                sink: self.filter.sink.clone(),
                kind: self.filter.kind.clone(),
                ..Selection::default()
            },
            Which::These(ranges) => Selection {
                seqs: Some(numbers(ranges)?),
                node: Some(self.only_node(workflow)?),
                ..Selection::default()
            },
        };
        let path = ["workflows", workflow, "dead-letters", action];
        let ask = self.client.ask(Method::POST, &path);
        let answer = ask.body(&json!(selection)).send()?.body;
        match form {
            Form::Json => output::json(&answer),
            Form::Table => {
                let changed: Changed =
                    serde_json::from_value(answer).map_err(|error| unreadable(&error))?;
                output::line(format!(
                    "{} {done}, {} not open or not there, {} failed in workflow `{workflow}`",
                    changed.changed, changed.skipped, changed.failed
                ));
                print_silent(&changed.nodes);
            }
        }
        Ok(())
    }
}

/// Returns the numbers of ranges, each once.
fn numbers(ranges: &[Range]) -> Result<Vec<u64>, Failure> {
    let mut found = Vec::new();
    for range in ranges {
        let left = NUMBERS_MAX + 1 - found.len();
        found.extend(range.numbers().take(left));
        if found.len() > NUMBERS_MAX {
            let message = format!("more than {NUMBERS_MAX} numbers are named");
            return Err(Failure::new(Code::Configuration, message)
                .with_hint("name fewer at a time, or all with `--all`"));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn ambiguous(message: String) -> Failure {
    Failure::new(Code::Configuration, message).with_hint("name the node with `--node`")
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::new(Code::Control, format!("answer is not readable: {error}"))
}

fn read(answer: Value) -> Result<DeadLetterPage, Failure> {
    serde_json::from_value(answer).map_err(|error| unreadable(&error))
}

fn print_list(workflow: &str, limit: u64, page: &DeadLetterPage) {
    let rows: Vec<_> = page.data.iter().map(row).collect();
    output::table(
        [
            "NODE", "SEQ", "TIME", "STATE", "AT", "KIND", "TRIES", "ID", "REASON",
        ],
        &rows,
    );
    output::line(format!("{} in workflow `{workflow}` fit", page.total));
    let shown = limit.min(LIMIT_MAX);
    let cut = |node: &&NodeAnswer| {
        let of_node = page.data.iter().filter(|letter| letter.node == node.node);
        of_node.count() as u64 >= shown
    };
    for node in page.nodes.iter().filter(cut) {
        let last = page.data.iter().filter(|letter| letter.node == node.node);
        let next = last.map(|letter| letter.seq).max().unwrap_or(0) + 1;
        output::line(format!(
            "there may be more: --node {} --from {next}",
            node.node
        ));
    }
    print_silent(&page.nodes);
}

fn row(letter: &DeadLetter) -> [String; 9] {
    let at = match (&letter.origin["at"], &letter.origin["id"]) {
        (Value::String(place), Value::String(id)) => format!("{place} {id}"),
        _ => cell(&letter.origin),
    };
    [
        letter.node.clone(),
        letter.seq.to_string(),
        hermod_api::rfc3339_ms(letter.at_ms as i64),
        letter.state.clone(),
        short(&at, 40),
        letter.kind.clone(),
        letter.attempts.to_string(),
        short(&letter.message_id, 40),
        short(&letter.reason, 80),
    ]
}

/// What a silent node holds is not known.
fn print_silent(nodes: &[NodeAnswer]) {
    for silent in nodes.iter().filter(|node| !node.answered) {
        output::error_line(format!(
            "warning: node `{}` did not answer; what it holds is not known",
            silent.node
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_each_named_once_and_bounded() {
        let ranges = |texts: &[&str]| -> Vec<Range> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(numbers(&ranges(&["7", "5-8"])).unwrap(), [5, 6, 7, 8]);
        assert_eq!(numbers(&ranges(&["1-10000"])).unwrap().len(), 10_000);
        let failure = numbers(&ranges(&["0-18446744073709551615"])).unwrap_err();
        assert_eq!(failure.code, Code::Configuration);
    }
}
