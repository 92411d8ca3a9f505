//! From what a server refuses to what a person gets to see.

use std::error::Error;

use hermod_api::{Code, platform::ProblemAt};
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde_json::{Value, json};

use super::Server;
use crate::{
    bundle::{Document, Finding, Severity},
    failure::{Detail, Failure},
};

/// Where the document of a request stands in a file.
#[derive(Clone)]
pub(crate) struct Places<'a> {
    /// The file.
    document: &'a Document,
    /// Pointer to the request's document within the file.
    inside: String,
    /// What the request has around the document of the file.
    around: &'static str,
}

impl<'a> Places<'a> {
    /// The request's document is what stands at a pointer of the file.
    pub(crate) fn at(document: &'a Document, inside: impl Into<String>) -> Self {
        Self {
            document,
            inside: inside.into(),
            around: "",
        }
    }

    /// The request has an object around the file's document, for example `/workflow`.
    pub(crate) fn around(mut self, around: &'static str) -> Self {
        self.around = around;
        self
    }

    /// Says of a problem where in the file it is.
    pub(crate) fn finding(&self, problem: &ProblemAt) -> Finding {
        let pointer = problem.pointer.strip_prefix(self.around);
        let pointer = pointer.unwrap_or(&problem.pointer);
        let severity = if problem.warning {
            Severity::Warning
        } else {
            Severity::Error
        };
        let pointer = format!("{}{pointer}", self.inside);
        self.document.at(severity, &pointer, &problem.message)
    }
}

/// An answer that is not what was asked for.
pub(super) struct Refused<'a> {
    pub(super) server: &'a Server,
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Value,
}

impl Refused<'_> {
    /// Makes the failure of it: the server's code, message, and everything that is wrong.
    pub(super) fn into_failure(self, places: Option<&Places<'_>>) -> Failure {
        let Some(code) = self.body["code"].as_str() else {
            return not_ours(self.server, self.status);
        };
        let mut message = self.body["detail"].as_str().unwrap_or_default().to_owned();
        let wait = self.headers.get(RETRY_AFTER);
        if let Some(seconds) = wait.and_then(|wait| wait.to_str().ok()) {
            message += &format!("; again in {seconds} s");
        }
        let problems: Vec<ProblemAt> =
            serde_json::from_value(self.body["errors"].clone()).unwrap_or_default();
        let details = problems.iter().map(|problem| detail(problem, places));
        let details = details.collect();
        let known = Code::ALL.iter().find(|known| known.text() == code);
        let Some(known) = known.copied() else {
            let message = format!("`{}` answers {code}: {message}", self.server);
            return Failure::new(Code::Control, message)
                .with_details(details)
                .with_hint("use a `hermod` of the server's version, which knows this code");
        };
        let failure = Failure::new(known, message).with_details(details);
        match hint(known) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

/// Returns what to do at a terminal, where the API's own words speak to programs.
fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::SignIn => {
            "run `hermod login`, or set HERMOD_TOKEN to an API token that is neither revoked nor at its end"
        }
        Code::Stale => "read it again, look at what was changed, and send your change anew",
        Code::Invalid => {
            "mend what is named; `hermod connectors KIND` shows what a connector takes"
        }
        Code::NotFound => {
            "check the address (`--server`); `hermod run` has no API, and an older node has less of it"
        }
        Code::StoreUnavailable | Code::NodeUnavailable => {
            "try again in a moment; `hermod worker list` says which nodes are there"
        }
        Code::TooManyAttempts => "wait for the time that is named",
        _ => return None,
    })
}

fn detail(problem: &ProblemAt, places: Option<&Places<'_>>) -> Detail {
    if let Some(places) = places {
        return Detail::from(&places.finding(problem));
    }
    let text = match problem.pointer.as_str() {
        "" => problem.message.clone(),
        pointer => format!("{pointer}: {}", problem.message),
    };
    Detail {
        value: json!(problem),
        text,
    }
}

/// Something answers that is no node of ours.
pub(super) fn not_ours(server: &Server, status: StatusCode) -> Failure {
    let message = format!("`{server}` answers {status}, and not as a node of Hermod does");
    Failure::new(Code::Control, message).with_hint(
        "check the address (`--server`, HERMOD_SERVER), and what stands in front of the node",
    )
}

/// Returns the innermost cause of an error, which says what happened; the outer ones repeat the address.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut inner: &dyn Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
