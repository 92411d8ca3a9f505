//! What an HTTP answer means for the messages that were sent.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hermod_sdk::{ConnectorError, ErrorKind, Outcome, Written};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

/// Longest wait that the other side can ask for; a longer one is cut to this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// How much of the other side's own words is kept.
const REASON_CHARS_MAX: usize = 200;

/// An answer, read up to a limit.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
    /// Whether the body was longer than what was read of it.
    pub(super) cut: bool,
}

/// Returns what a status says: `None` is a success.
pub(super) fn failure(status: StatusCode) -> Option<ErrorKind> {
    match status.as_u16() {
        200..=299 => None,
        429 => Some(ErrorKind::Throttled),
        // A redirect is not followed: a body that is sent somewhere else than configured is a leak, and a
        // `POST` that becomes a `GET` is a loss. A person must look, as with credentials.
        300..=399 | 401 | 403 | 404 | 405 | 407 => Some(ErrorKind::Auth),
        408 | 425 | 500..=599 => Some(ErrorKind::Unavailable),
        400..=499 => Some(ErrorKind::Rejected),
        // Nothing else is an HTTP status; what was sent may or may not have been taken.
        _ => Some(ErrorKind::Unavailable),
    }
}

impl Answer {
    /// Returns the error that the answer's status stands for, unless it is a success.
    pub(super) fn error(&self, request: &str) -> Option<ConnectorError> {
        let kind = failure(self.status)?;
        let mut message = format!("{request} was answered with {}", self.status);
        if let Some(location) = &self.location {
            message.push_str(&format_redirect(location));
        }
        if let Some(words) = self.json().as_ref().and_then(own_words) {
            message.push_str(": ");
            message.push_str(&words);
        }
        let error = ConnectorError::new(kind, message);
        Some(match self.retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        })
    }

    /// Returns what became of each of `count` messages by the list at the JSON pointer `items`.
    pub(super) fn items(&self, items: &str, count: usize) -> Result<Written, ConnectorError> {
        if self.cut {
            let message = format!(
                "the answer is longer than {} bytes, so the results of its {count} messages are not known",
                self.body.len()
            );
            return Err(ConnectorError::new(ErrorKind::Unavailable, message));
        }
        let document = self.json().unwrap_or_default();
        let list = document.pointer(items).and_then(Value::as_array);
        let Some(list) = list.filter(|list| list.len() == count) else {
            let message = format!(
                "the answer has no list of {count} results at `{items}`, so what became of the messages is not known"
            );
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        };
        let outcomes: Vec<_> = list.iter().map(|item| self.item(item)).collect();
        if outcomes.iter().all(|outcome| *outcome == Outcome::Written) {
            return Ok(Written::All);
        }
        Ok(Written::Each(outcomes))
    }

    /// Refuses an answer whose status is a success, but which says that single messages failed: they would be
    /// lost in silence (I3).
    pub(super) fn hidden_failure(&self) -> Option<ConnectorError> {
        let document = self.json()?;
        let list = document.get("items")?.as_array()?;
        let failed = list
            .iter()
            .filter_map(item_status)
            .filter(|status| failure(*status).is_some())
            .count();
        (failed > 0).then(|| {
            let message = format!(
                "the answer is {} but says that {failed} of its messages failed; set `items` to `/items` so that each is looked at",
                self.status
            );
            ConnectorError::new(ErrorKind::Auth, message)
        })
    }

    fn item(&self, item: &Value) -> Outcome {
        let Some(status) = item_status(item) else {
            return Outcome::Retry {
                reason: "the message's own result holds no `status`".to_owned(),
                after: self.retry_after,
            };
        };
        let words = own_words(item).or_else(|| own_words(only_field(item)?));
        let mut reason = format!("the message's own result is {status}");
        if let Some(words) = words {
            reason.push_str(": ");
            reason.push_str(&words);
        }
        match failure(status) {
            None => Outcome::Written,
            Some(ErrorKind::Unavailable | ErrorKind::Throttled) => Outcome::Retry {
                reason,
                after: self.retry_after,
            },
            // The request as a whole was let in, so this is about the message, also for 401, 403 and 404.
            Some(_) => Outcome::Rejected { reason },
        }
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

fn format_redirect(location: &str) -> String {
    let target = url::Url::parse(location).map_or_else(
        |_| "another path".to_owned(),
        |url| format!("`{}`", super::shown(&url)),
    );
    format!(" to {target}; redirects are not followed, set `url` to the final address")
}

fn item_status(item: &Value) -> Option<StatusCode> {
    let number = item
        .get("status")
        .or_else(|| only_field(item)?.get("status"))?
        .as_u64()?;
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}

fn only_field(item: &Value) -> Option<&Value> {
    let fields = item.as_object()?;
    (fields.len() == 1).then(|| fields.values().next())?
}

/// Returns the other side's own words for what is wrong, where they stand in one of the usual places.
fn own_words(document: &Value) -> Option<String> {
    let places = [
        "/error/message",
        "/error/reason",
        "/error",
        "/message",
        "/detail",
        "/title",
    ];
    let text = places
        .iter()
        .find_map(|place| document.pointer(place)?.as_str())?;
    let words: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REASON_CHARS_MAX)
        .collect();
    (!words.trim().is_empty()).then_some(words)
}

/// Reads `Retry-After`: seconds, or a date.
///
/// Source: RFC 9110, section 10.2.3.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
