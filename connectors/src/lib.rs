//! Hermod's sources and sinks.
//!
//! Two ordered slices, [`SOURCES`] and [`SINKS`], are the only lists of connectors. Validation, forms, the
//! reference and the examples are read from them; a connector is one file and one line here.
//!
//! What this crate is not: it knows no engine and no workflow. Batching, retries and dead letters are the
//! engine's; a connector only says what became of each message.
//!
//! ```
//! let entry = hermod_connectors::sink("file").expect("`file` is registered");
//! assert!(entry.configure(&entry.example()).is_ok());
//! ```

mod api_key;
mod csv;
mod disk;
mod file_sink;
mod file_source;
mod generator;
mod graphql;
mod grpc;
mod http;
mod key;
mod lines;
mod offload;
mod postgres;
mod push;
mod stdout;
mod timestamp;
mod tls;
mod webhook;

use hermod_sdk::{SinkEntry, SourceEntry};

pub use file_sink::{FileFormat, FileSink, FileSinkConfig};
pub use file_source::{
    FilePosition, FileSource, FileSourceConfig, Oversized, ReadMode, RecordFormat,
};
pub use generator::{GeneratorConfig, GeneratorPosition, GeneratorSource};
pub use graphql::{GraphqlConfig, GraphqlSource};
pub use grpc::{GrpcConfig, GrpcSource};
pub use http::{HttpMethod, HttpMode, HttpSink, HttpSinkConfig};
pub use postgres::{
    PostgresColumn, PostgresDataType, PostgresOperationMode, PostgresSink, PostgresSinkConfig,
    PostgresSslMode,
};
pub use stdout::{StdoutSink, StdoutSinkConfig};
pub use webhook::{WebhookConfig, WebhookSource};

/// Every kind of source, ordered by kind.
pub static SOURCES: &[SourceEntry] = &[
    SourceEntry::of::<file_source::FileSource>(),
    SourceEntry::of::<generator::GeneratorSource>(),
    SourceEntry::push::<graphql::GraphqlSource>(),
    SourceEntry::push::<grpc::GrpcSource>(),
    SourceEntry::push::<webhook::WebhookSource>(),
];

/// Every kind of sink, ordered by kind.
pub static SINKS: &[SinkEntry] = &[
    SinkEntry::of::<file_sink::FileSink>(),
    SinkEntry::of::<http::HttpSink>(),
    SinkEntry::of::<postgres::PostgresSink>(),
    SinkEntry::of::<stdout::StdoutSink>(),
];

/// Returns the source of a kind.
pub fn source(kind: &str) -> Option<&'static SourceEntry> {
    SOURCES.iter().find(|entry| entry.spec.kind == kind)
}

/// Returns the sink of a kind.
pub fn sink(kind: &str) -> Option<&'static SinkEntry> {
    SINKS.iter().find(|entry| entry.spec.kind == kind)
}
