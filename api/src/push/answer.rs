//! What senders are told, in the words of their protocol.

use std::time::Duration;

use axum::body::Body;
use hermod_engine::SubmitError;
use hermod_sdk::{Message, PushProtocol, Refusal, RefusalKind};
use hyper::{Response, StatusCode};

use crate::{
    Code,
    problem::{Problem, answer},
};

/// How long a sender is asked to wait while the node shuts down or restarts a workflow.
const RESTART_WAIT: Duration = Duration::from_secs(5);

/// Returns the text of success: what has become of the messages, by their ids.
pub(super) fn accepted(protocol: PushProtocol, messages: &[Message]) -> String {
    match protocol {
        PushProtocol::Graphql => {
            let mut text = String::with_capacity(48 + 48 * messages.len());
            text += r#"{"data":{"accepted":true,"#;
            push_ids(messages, &mut text);
            text += "}}";
            text
        }
        PushProtocol::Webhook | PushProtocol::Grpc => {
            let mut text = String::with_capacity(16 + 48 * messages.len());
            text.push('{');
            push_ids(messages, &mut text);
            text.push('}');
            text
        }
    }
}

/// Makes the answer of success from its text.
pub(super) fn success(text: String) -> Response<Body> {
    answer(StatusCode::OK, "application/json", text)
}

/// Makes the answer to what was not acknowledged.
pub(super) fn failure(protocol: PushProtocol, problem: Problem) -> Response<Body> {
    match protocol {
        PushProtocol::Graphql => problem.into_graphql(),
        PushProtocol::Webhook | PushProtocol::Grpc => problem.into_response(),
    }
}

/// Writes `"id": …` for the usual one, `"ids": […]` otherwise.
fn push_ids(messages: &[Message], text: &mut String) {
    let several = messages.len() != 1;
    *text += if several { r#""ids":["# } else { r#""id":"# };
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_quoted(&message.id, text);
    }
    if several {
        text.push(']');
    }
}

fn push_quoted(id: &str, text: &mut String) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if id.bytes().all(plain) {
        text.push('"');
        text.push_str(id);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(id).to_string());
    }
}

/// Nothing takes messages at this path, here or elsewhere.
pub(super) fn nobody(protocol: PushProtocol) -> Problem {
    let detail = match protocol {
        PushProtocol::Webhook => "there is no webhook at this path",
        PushProtocol::Graphql => "there is no graphql source at this path",
        PushProtocol::Grpc => "there is no grpc source at this path",
    };
    Problem::new(Code::NotFound, StatusCode::NOT_FOUND, detail)
}

/// The method is not the one that pushes.
pub(super) fn wrong_method(protocol: PushProtocol) -> Problem {
    let detail = match protocol {
        PushProtocol::Graphql => "a graphql source takes `POST`",
        PushProtocol::Webhook | PushProtocol::Grpc => "a webhook takes `POST`",
    };
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(Code::MethodNotAllowed, status, detail).allow("POST")
}

/// Nobody can say whether the messages were kept.
pub(super) fn unknown(detail: &'static str) -> Problem {
    Problem::new(Code::OutcomeUnknown, StatusCode::GATEWAY_TIMEOUT, detail)
}

/// The source does not want the request.
pub(super) fn refused(refusal: Refusal) -> Problem {
    let (code, status) = match refusal.kind {
        RefusalKind::Malformed => (Code::Malformed, StatusCode::BAD_REQUEST),
        RefusalKind::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED),
        RefusalKind::TooLarge => (Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        RefusalKind::UnsupportedType => (Code::UnsupportedType, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        RefusalKind::Unavailable => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
    };
    Problem::new(code, status, refusal.message).retry_after(refusal.retry_after)
}

/// The workflow has not acknowledged the messages.
pub(super) fn not_taken(error: SubmitError) -> Problem {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    match error {
        SubmitError::Full { retry_after } => {
            let detail = "there is no room for more messages; nothing of this request was kept";
            Problem::new(Code::Full, unavailable, detail).retry_after(Some(retry_after))
        }
        SubmitError::Draining => {
            let detail = "the workflow is shutting down; nothing of this request was kept";
            Problem::new(Code::Draining, unavailable, detail).retry_after(Some(RESTART_WAIT))
        }
        SubmitError::NotRunning { .. } => {
            // The reason may name hosts and paths of ours; it is in the log and in the status.
            let detail = "the workflow does not run; nothing of this request was kept";
            Problem::new(Code::NotRunning, unavailable, detail).retry_after(Some(RESTART_WAIT))
        }
        SubmitError::TooLarge { reason } => {
            Problem::new(Code::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, reason)
        }
        SubmitError::Unknown => {
            unknown("the write failed while it was in flight; the messages may have been kept")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_quoted_as_json() {
        let one = [Message::new("a\"b", "")];
        let two = [Message::new("1", ""), Message::new("2", "")];
        let webhook = |messages| accepted(PushProtocol::Webhook, messages);
        assert_eq!(webhook(&one), r#"{"id":"a\"b"}"#);
        assert_eq!(webhook(&two), r#"{"ids":["1","2"]}"#);
        let graphql = |messages| accepted(PushProtocol::Graphql, messages);
        assert_eq!(graphql(&one), r#"{"data":{"accepted":true,"id":"a\"b"}}"#);
        assert_eq!(
            graphql(&two),
            r#"{"data":{"accepted":true,"ids":["1","2"]}}"#
        );
    }
}
