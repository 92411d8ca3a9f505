//! A request that was let in, and what it is answered.

use std::{collections::BTreeMap, net::IpAddr};

use axum::body::Body;
use hermod_storage::{
    Expect, Revision,
    registry::{AccessRole, Audit},
};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Busy, failure::missing};
use crate::{
    Code,
    problem::{Problem, answer},
};

/// By what somebody is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A session's cookie: its hash, and what its requests have to send besides.
    Session {
        /// Hash of the cookie's token.
        hash: String,
        /// What `X-CSRF-Token` has to be.
        csrf: String,
    },
    /// An API token.
    Token,
    /// The registration token of workers.
    Registration,
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: String,
    pub(crate) role: AccessRole,
    pub(crate) proof: Proof,
}

/// A request that was let in: its parameters and its body fit the table.
pub(crate) struct Call {
    pub(crate) caller: Option<Caller>,
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) expected: Option<Revision>,
    pub(crate) body: Value,
    pub(crate) address: IpAddr,
    pub(crate) https: bool,
    pub(crate) busy: Option<Busy>,
}

impl Call {
    /// Returns the id in the path.
    pub(crate) fn id(&self) -> &str {
        self.name("id")
    }

    /// Returns a name in the path.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.names.get(name).map_or("", String::as_str)
    }

    /// Returns a number in the path; what is none names nothing.
    pub(crate) fn number_named(&self, name: &str) -> Result<u64, Problem> {
        let number = self.name(name).parse();
        number.map_err(|_| missing("there is nothing of this number"))
    }

    /// Returns a text of the query.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Returns a number of the query.
    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        let number = self.query.get(name).and_then(|text| text.parse().ok());
        number.unwrap_or(default)
    }

    /// Returns whether a flag of the query is set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|text| text == "true")
    }

    /// Returns the body as a type whose schema it has passed.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let read = serde_json::from_value(self.body.clone()).or_else(|_| {
            // To a schema 7.0 is a whole number, and so it is here.
            let mut body = self.body.clone();
            make_whole(&mut body);
            serde_json::from_value(body)
        });
        read.map_err(|_| {
            // The message of the error may quote the body (I10).
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(Code::Invalid, status, "the body is not what it has to be")
        })
    }

    /// Returns the body as the members of an object.
    pub(crate) fn members(&mut self) -> Map<String, Value> {
        match std::mem::take(&mut self.body) {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Returns what `If-Match` expects.
    pub(crate) fn expect(&self) -> Expect {
        self.expected.map_or(Expect::Present, Expect::Version)
    }

    /// Returns whoever is known; the table has seen to it that somebody is.
    pub(crate) fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(super::failure::sign_in)
    }

    /// Begins the journal entry of an action.
    pub(crate) fn audit(&self, action: &'static str) -> Audit {
        let user = self.caller.as_ref().map(|caller| caller.user.as_str());
        Audit {
            user: user.unwrap_or_default().into(),
            address: self.address.to_string(),
            action,
            details: Map::new(),
        }
    }
}

/// An answer.
pub(crate) struct Reply(pub(crate) Response<Body>);

impl Reply {
    /// Answers with a JSON document.
    pub(crate) fn json(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, body)
    }

    /// Answers that something was made.
    pub(crate) fn made(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::CREATED, body)
    }

    fn with_status(status: StatusCode, body: &impl Serialize) -> Self {
        let text = serde_json::to_string(body).unwrap_or_default();
        Self(private(answer(status, "application/json", text)))
    }

    /// Answers that it is done.
    pub(crate) fn done() -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Self(private(response))
    }

    /// Says that what is answered was made by this request.
    pub(crate) fn made_now(mut self) -> Self {
        *self.0.status_mut() = StatusCode::CREATED;
        self
    }

    /// Adds the version.
    pub(crate) fn etag(self, version: Revision) -> Self {
        self.header(ETAG, &etag(version))
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().append(name, value);
        }
        self
    }
}

/// Writes whole numbers as such.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text
                .split_once('.')
                .filter(|(_, rest)| rest.bytes().all(|b| b == b'0'));
            if let Some(Ok(whole)) = whole.map(|(whole, _)| whole.parse::<u64>()) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Answers are for one person; nothing in between keeps them.
fn private(mut response: Response<Body>) -> Response<Body> {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}

/// Returns a version as an entity tag.
pub(crate) fn etag(version: Revision) -> String {
    format!("\"{version}\"")
}
