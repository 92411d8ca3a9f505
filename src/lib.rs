//! Hermod in a process of your own: a source, sinks, a buffer, and what the binary promises.
//!
//! An [`Engine`] is put together, started, and stopped in order: reading stops first, then everything that
//! was read is delivered and flushed, then the sinks are closed. With [`Buffer::file`] what was read and not
//! yet delivered survives the death of the process; with [`Buffer::ring`] it is in memory only, and the
//! source is told that a message is safe only once every sink has confirmed it.
//!
//! Logs are events of the crate `tracing`: whatever subscriber the process installs receives them.
//!
//! ```
//! use hermod::{
//!     Buffer, Config, Ended, Engine, connectors::{GeneratorConfig, GeneratorSource, StdoutSink, StdoutSinkConfig},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), hermod::Error> {
//! let numbers: GeneratorConfig = serde_json::from_str(r#"{"count": 3}"#).expect("a valid configuration");
//! let running = Engine::new("numbers")
//!     .source_of::<GeneratorSource>(numbers)
//!     .sink_of::<StdoutSink>("screen", StdoutSinkConfig::default())
//!     .buffer(Buffer::ring(1024))
//!     .config(Config { max_retries: 5, ..Config::default() })
//!     .start()
//!     .await?;
//! assert_eq!(running.ended().await, Ended::Completed);
//! # Ok(())
//! # }
//! ```
//!
//! What this crate is not: it reads no command line and no configuration file, and it serves no HTTP. Those are
//! the binary's, whose modules are not part of the library.

mod embed;

pub use async_trait::async_trait;
pub use embed::{Buffer, Config, Engine, Error, Running};
pub use hermod_connectors as connectors;
pub use hermod_engine::{
    DeadLetter, DeadLetterError, DeadLetters, Drained, Ended, Level, Metrics, OnOutage, OnSlowSink,
    StartError, State, Status,
};
pub use hermod_sdk as sdk;
pub use hermod_sdk::{
    Batch, ConnectorError, ErrorKind, Message, Outcome, Position, Read, ReadLimit, Sink, Source,
    SourceBatch, TypedPosition, Written,
};
