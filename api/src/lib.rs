//! Hermod's servers: push ingress over HTTP and gRPC, API, probes, metrics.
//!
//! The path of a pushed message is plain hyper: one task per connection, no task and no layer per request.
//! Everything else is an axum router. What the server needs to know of its node (which push source has which
//! ingress, whether the data log works) it asks through the trait [`Node`], so that it can be tested without an
//! engine. A request whose source lives on another node is handed to it ([`Node::forward`]) and answered there
//! ([`answer_forwarded`]).
//!
//! With [`Options::grpc`] there is a second port that speaks gRPC: `SourceService`, health and reflection.
//!
//! Over a metadata store there is the REST API too ([`Api`]): one table of routes from which come the router, the check
//! of roles and the [`openapi`] document. What it needs of its node it asks through the trait [`Platform`].
//!
//! What this crate is not: it knows no connector and no configuration file, and it starts no workflow.
//!
//! Limits: [`Options`] names them all; each has a default, none is off.

mod access;
mod clock;
mod code;
mod connection;
mod intake;
mod log_ring;
mod node;
pub mod platform;
mod problem;
mod push;
mod rest;
mod router;
mod secret;
mod server;
mod ui;

pub use access::{
    FirstError, PasswordError, SetupOffer, hash_password, make_first_administrator, offer_setup,
};
pub use clock::{rfc3339, rfc3339_ms};
pub use code::Code;
pub use intake::Intake;
pub use log_ring::{LogLevel, LogLine, LogRing};
pub use node::{Engines, LeaseState, LogState, Node, StoreState, Whereabouts, Workers};
pub use platform::Platform;
pub use push::forward::{Forward, Forwarded, ForwardedAnswer, answer_forwarded};
pub use rest::{Api, ApiError, ApiOptions, openapi};
pub use secret::pointers as secret_pointers;
pub use server::{BindError, Options, Server};
pub use ui::Ui;
