//! Contracts between Hermod's engine and its connectors.
//!
//! A connector turns an outside system into messages ([`Source`], [`PushSource`]) or messages into effects
//! ([`Sink`]). It describes itself by a [`Spec`] and a config struct whose JSON Schema drives validation,
//! forms and reference pages, and it is registered by one line, a [`SourceEntry`] or a [`SinkEntry`].
//!
//! What this crate is not: it holds no engine, no log and no runtime. It is small and stable, so that
//! connectors can live outside of this workspace.
//!
//! ```
//! use hermod_sdk::{Message, Operation};
//!
//! let message = Message::new("order-1", r#"{"total": 12.50}"#).with_operation(Operation::Create);
//! assert_eq!(message.payload.bytes().as_ref(), br#"{"total": 12.50}"#);
//! ```

mod config;
mod duration;
mod entry;
mod error;
mod format;
mod lossless;
mod message;
mod path;
mod payload;
mod position;
mod push;
mod secret;
mod sink;
mod source;
mod spec;
mod transform;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use bytestring::ByteString as Text;
pub use config::{ConnectorConfig, Problem, Problems, coerce, validate};
pub use duration::parse_duration;
pub use entry::{SinkEntry, SinkFactory, SourceEntry, SourceFactory, SourceOpener};
pub use error::{ConnectorError, ErrorKind, Policy};
pub use format::{Format, FormatError};
pub use lossless::{parse_json, parse_number};
pub use message::{Message, Metadata, Operation};
pub use path::{PathError, get_path, set_path};
pub use payload::{NotChangeable, NotJson, Payload};
pub use position::{Position, PositionError, TypedPosition};
pub use push::{PushConnector, PushProtocol, PushSource, Refusal, RefusalKind, Request};
pub use secret::{Secret, SecretError};
pub use sink::{
    Batch, Committed, Outcome, Record, Sink, SinkConnector, SinkContext, Tenure, Token, Written,
};
pub use source::{Read, ReadLimit, Source, SourceBatch, SourceConnector, SourceContext};
pub use spec::{Confirms, Locality, Repeats, Spec, Stability};
pub use transform::{Outputs, Transform, TransformError};
