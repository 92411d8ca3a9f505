//! The REST API: one table of routes, and what each does.
//!
//! From the table come the router, the check of roles (what is not in it does not exist, and what is has a role), the
//! OpenAPI document, and the validation of parameters and bodies.

mod audit;
mod call;
mod connection;
mod connectors;
pub(crate) mod cors;
mod dead_letter;
mod events;
mod failure;
mod fleet;
mod gate;
mod identity;
mod openapi;
mod page;
mod route;
mod routes;
mod session;
mod setting;
mod shape;
mod token;
mod transfer;
mod user;
mod validation;
mod workflow;

use std::{net::IpAddr, sync::Arc};

use axum::{Router, body::Body};
use hermod_sdk::Secret;
use hermod_storage::registry::Registry;
use hyper::Response;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    Platform, Ui,
    access::{Attempts, PasswordError, Passwords},
};
use cors::Origins;
use events::Latest;
use validation::Validators;

/// What every path of the API begins with.
pub(crate) const PREFIX: &str = "/api";

/// What browsers may do with our pages. Styles stand in attributes of the pages' components.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Streams of events at a time.
const STREAMS_MAX: usize = 256;

/// The address of the other side of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Keeps a connection from counting as idle as long as it lives.
#[derive(Clone)]
pub(crate) struct Busy(#[expect(dead_code, reason = "its life is its use")] Arc<dyn Send + Sync>);

impl Busy {
    /// Holds something as long as the connection is in use.
    pub(crate) fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Arc::new(held))
    }
}

/// How the API is served.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Origins, exactly as browsers send them, whose pages may use the API: `HERMOD_CORS_ALLOW_ORIGINS`. None by
    /// default.
    pub allow_origins: Vec<String>,
    /// Whether browsers are told to use HTTPS only, also where no proxy says that it was used: `HERMOD_HSTS_ENABLE`.
    pub hsts: bool,
    /// What workers show to register themselves: `HERMOD_WORKER_REG_TOKEN`. Without it only administrators register
    /// workers.
    pub worker_registration_token: Option<Secret>,
    /// What browsers may do with our pages: `HERMOD_CSP`.
    pub content_security_policy: String,
    /// Bytes of a request's body. Default 4 MiB.
    pub body_bytes_max: usize,
    /// Ends streams of events, so that a stop waits for nobody.
    pub stop: CancellationToken,
    /// The web interface.
    pub ui: Ui,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            allow_origins: Vec::new(),
            hsts: false,
            worker_registration_token: None,
            content_security_policy: CONTENT_SECURITY_POLICY.to_owned(),
            body_bytes_max: 4 << 20,
            stop: CancellationToken::new(),
            ui: Ui::default(),
        }
    }
}

/// The API cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// An option is not usable.
    #[error("`{option}` is not usable: {reason}")]
    Option {
        /// Which.
        option: &'static str,
        /// Why.
        reason: String,
    },
    /// Passwords cannot be hashed here.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// The API over a store and a node, to be given to [`Server::with_api`](crate::Server::with_api).
#[derive(Clone)]
pub struct Api {
    pub(crate) router: Router,
    options: Arc<ApiOptions>,
}

impl Api {
    /// Adds to another answer of the same server what protects pages.
    pub(crate) fn protect(&self, https: bool, response: &mut Response<Body>) {
        cors::protect(&self.options, https, response);
    }

    /// Returns the web interface.
    pub(crate) fn ui(&self) -> &Ui {
        &self.options.ui
    }
}

impl Api {
    /// Sets it up.
    ///
    /// # Errors
    /// [`ApiError`] if an option is not usable.
    pub fn new(
        options: ApiOptions,
        registry: Registry,
        platform: Arc<dyn Platform>,
    ) -> Result<Self, ApiError> {
        let registration = match &options.worker_registration_token {
            None => None,
            Some(token) => Some(resolved(token)?),
        };
        let routes = routes::routes();
        let validators = Validators::new(&routes).map_err(|reason| ApiError::Option {
            option: "routes",
            reason,
        })?;
        let options = Arc::new(options);
        let shared = Arc::new(Shared {
            origins: Origins::new(&options.allow_origins)?,
            registry,
            platform,
            passwords: Passwords::new()?,
            attempts: Attempts::default(),
            validators,
            registration,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            latest: Latest::default(),
            document: openapi::document(&routes),
            options: options.clone(),
        });
        Ok(Self {
            router: gate::router(&shared, routes),
            options,
        })
    }
}

fn resolved(token: &Secret) -> Result<String, ApiError> {
    let unusable = |reason: String| ApiError::Option {
        option: "HERMOD_WORKER_REG_TOKEN",
        reason,
    };
    let text = token
        .resolve()
        .map_err(|error| unusable(error.to_string()))?;
    if text.len() < 16 {
        return Err(unusable("it takes 16 characters at least".to_owned()));
    }
    Ok(text)
}

/// Returns the OpenAPI 3.1 document of the API.
pub fn openapi() -> Value {
    openapi::document(&routes::routes())
}

/// What every request needs.
pub(crate) struct Shared {
    options: Arc<ApiOptions>,
    origins: Origins,
    registry: Registry,
    platform: Arc<dyn Platform>,
    passwords: Passwords,
    attempts: Attempts,
    validators: Validators,
    registration: Option<String>,
    streams: Arc<Semaphore>,
    latest: Latest,
    document: Value,
}
