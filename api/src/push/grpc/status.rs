//! Problems in the words of gRPC.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tonic::{
    Code as GrpcCode, Status,
    metadata::{MetadataMap, MetadataValue},
};

use crate::{Code, problem::Problem};

/// Our code, for those who read no details.
const CODE: &str = "hermod-code";

/// When to try again, for clients that retry by themselves. Source: gRFC A6.
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Whose codes they are.
const DOMAIN: &str = "hermod.io";

// The messages of `google/rpc/status.proto` and `error_details.proto`, as far as they are used here.

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Returns the status of a problem, with its code and when to try again in the details and in the metadata.
pub(super) fn of(problem: &Problem) -> Status {
    let code = grpc_code(problem.code());
    let mut metadata = MetadataMap::new();
    metadata.insert(CODE, MetadataValue::from_static(problem.code().text()));
    let info = ErrorInfo {
        reason: problem.code().text().to_owned(),
        domain: DOMAIN.to_owned(),
    };
    let mut details = vec![any("google.rpc.ErrorInfo", &info)];
    if let Some(wait) = problem.wait() {
        metadata.insert(PUSHBACK, MetadataValue::from(wait.as_millis() as u64));
        details.push(any("google.rpc.RetryInfo", &retry_info(wait)));
    }
    let details = RpcStatus {
        code: code as i32,
        message: problem.detail().to_owned(),
        details,
    };
    let details = Bytes::from(details.encode_to_vec());
    Status::with_details_and_metadata(code, problem.detail(), details, metadata)
}

/// Returns the status of a call whose time was up.
pub(super) fn too_late() -> Status {
    Status::deadline_exceeded(
        "the workflow did not acknowledge in time; the message may have been kept, send it again with the same id",
    )
}

/// A client that sees `UNKNOWN` or `DEADLINE_EXCEEDED` knows nothing; with any other code nothing was kept.
fn grpc_code(code: Code) -> GrpcCode {
    match code {
        Code::NotFound => GrpcCode::NotFound,
        Code::Unauthenticated => GrpcCode::Unauthenticated,
        Code::Malformed | Code::UnsupportedType | Code::MethodNotAllowed => {
            GrpcCode::InvalidArgument
        }
        // As tonic itself says it of what is larger than any source takes; `RESOURCE_EXHAUSTED` would be tried again.
        Code::BodyTooLarge => GrpcCode::OutOfRange,
        Code::Full | Code::TooManyConnections => GrpcCode::ResourceExhausted,
        Code::Draining | Code::NotRunning | Code::Unavailable | Code::NodeUnavailable => {
            GrpcCode::Unavailable
        }
        Code::OutcomeUnknown => GrpcCode::Unknown,
        // No push ends with any other code.
        _ => GrpcCode::Internal,
    }
}

fn any(name: &str, message: &impl prost::Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec().into(),
    }
}

fn retry_info(wait: Duration) -> RetryInfo {
    RetryInfo {
        retry_delay: Some(Delay {
            seconds: wait.as_secs() as i64,
            nanos: wait.subsec_nanos() as i32,
        }),
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn details_say_when_to_try_again() {
        let problem = Problem::new(Code::Full, StatusCode::SERVICE_UNAVAILABLE, "no room")
            .retry_after(Some(Duration::from_millis(1500)));
        let status = of(&problem);
        assert_eq!(status.code(), GrpcCode::ResourceExhausted);
        assert_eq!(status.metadata().get(CODE).unwrap(), "HMD-0107");
        assert_eq!(status.metadata().get(PUSHBACK).unwrap(), "1500");
        let details = RpcStatus::decode(status.details()).unwrap();
        assert_eq!((details.code, &*details.message), (8, "no room"));
        let info = &details.details[1];
        assert_eq!(info.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        // seconds: 1, nanos: 500,000,000
        let expected = [0x0a, 8, 0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01];
        assert_eq!(info.value, expected.as_slice());
    }
}
