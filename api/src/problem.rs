//! Answers: small JSON, and problem details (RFC 9457) for everything that went wrong.

use std::time::Duration;

use axum::body::Body;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde::Serialize;
use serde_json::json;

use crate::{Code, platform::ProblemAt};

const NOSNIFF: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-content-type-options"),
    HeaderValue::from_static("nosniff"),
);

/// What went wrong, on its way to becoming an answer. The detail names no payload and no secret (I10).
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    etag: Option<String>,
    errors: Vec<ProblemAt>,
    close: bool,
}

#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    hint: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ProblemAt],
}

impl Problem {
    /// Makes a problem.
    pub(crate) fn new(code: Code, status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            code,
            status,
            detail,
            retry_after: None,
            allow: None,
            etag: None,
            errors: Vec::new(),
            close: false,
        }
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Says which methods there are.
    pub(crate) fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Says which version there is.
    pub(crate) fn etag(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// Says what is wrong, one by one.
    pub(crate) fn errors(mut self, errors: Vec<ProblemAt>) -> Self {
        self.errors = errors;
        self
    }

    /// Returns what is wrong one by one, its pointers below another; an error that is of no document stays itself.
    pub(crate) fn errors_below(self, pointer: &str) -> Result<Vec<ProblemAt>, Self> {
        if self.errors.is_empty() {
            return Err(self);
        }
        let below = |error: ProblemAt| ProblemAt {
            pointer: format!("{pointer}{}", error.pointer),
            ..error
        };
        Ok(self.errors.into_iter().map(below).collect())
    }

    /// Closes the connection after the answer, because the request was not read to its end.
    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Returns the answer's status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Returns what is wrong this time.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns when to try again.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Makes the answer in the form of GraphQL.
    pub(crate) fn into_graphql(self) -> Response<Body> {
        let error = json!({
            "message": &self.detail,
            "extensions": {"code": self.code.text(), "hint": self.code.hint()},
        });
        let text = json!({"errors": [error]}).to_string();
        let response = answer(self.status, "application/json", text);
        self.with_headers(response)
    }

    /// Makes the answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let details = Details {
            r#type: format!("urn:hermod:error:{}", self.code.text()),
            title: self.code.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code.text(),
            hint: self.code.hint(),
            errors: &self.errors,
        };
        let text = serde_json::to_string(&details).unwrap_or_default();
        let response = answer(self.status, "application/problem+json", text);
        self.with_headers(response)
    }

    fn with_headers(self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(Ok(etag)) = self.etag.map(HeaderValue::try_from) {
            headers.insert(ETAG, etag);
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Rounds up, so that nobody is told to come back too early; never 0.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Makes an answer with a body.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(NOSNIFF.0, NOSNIFF.1);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2500, 3)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds);
        }
    }
}
