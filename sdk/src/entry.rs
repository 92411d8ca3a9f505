//! One registered connector: its spec and the functions behind it.

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::Value;

use crate::{
    ConnectorConfig, ConnectorError, Position, PositionError, Problems, PushConnector,
    PushProtocol, PushSource, Repeats, Sink, SinkConnector, SinkContext, Source, SourceConnector,
    SourceContext, Spec, config,
};

type SinkConfigure = fn(&Value, &Value) -> Result<Arc<dyn SinkFactory>, Problems>;
type PushOpen = dyn Fn() -> Result<Arc<dyn PushSource>, ConnectorError> + Send + Sync;
type Opening<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

/// A kind of source in the ordered list of sources.
#[derive(Clone, Copy)]
pub struct SourceEntry {
    /// Its self-description.
    pub spec: Spec,
    /// How it is reached, if it is a push source.
    pub push: Option<PushProtocol>,
    schema: fn() -> Value,
    example: fn() -> Value,
    factory: fn(&Value, &Value) -> Result<SourceOpener, Problems>,
}

/// A validated source configuration, ready to be opened.
#[derive(Clone)]
pub enum SourceOpener {
    /// A source that Hermod reads.
    Pull(Arc<dyn SourceFactory>),
    /// A source that is pushed to, with a warning that people must see.
    Push {
        /// How it is reached.
        protocol: PushProtocol,
        /// The open source.
        open: Arc<PushOpen>,
        /// A warning about the configuration.
        warning: Option<String>,
    },
}

/// Opens and probes a configured source, as often as needed.
pub trait SourceFactory: Send + Sync {
    /// Opens the source after a position.
    fn open(&self, position: Option<Position>, cx: SourceContext) -> Opening<'_, Box<dyn Source>>;

    /// Tests the connection.
    fn probe(&self) -> Opening<'_, ()>;

    /// Returns whether the first position covers the second.
    fn covers(&self, position: &Position, other: &Position) -> Result<bool, PositionError>;
}

/// A kind of sink in the ordered list of sinks.
#[derive(Clone, Copy)]
pub struct SinkEntry {
    /// Its self-description.
    pub spec: Spec,
    schema: fn() -> Value,
    example: fn() -> Value,
    factory: SinkConfigure,
}

/// Opens and probes a configured sink, as often as needed.
pub trait SinkFactory: Send + Sync {
    /// Returns what the connector says of itself under this configuration.
    fn spec(&self) -> Spec;

    /// Returns what a repeat does under this configuration.
    fn repeats(&self) -> Repeats;

    /// Opens the sink.
    fn open(&self, cx: SinkContext) -> Opening<'_, Box<dyn Sink>>;

    /// Tests the connection.
    fn probe(&self) -> Opening<'_, ()>;
}

impl SourceEntry {
    /// Registers a source that Hermod reads.
    pub const fn of<T: SourceConnector>() -> Self {
        Self {
            spec: T::SPEC,
            push: None,
            schema: config::schema_of::<T::Config>,
            example: T::Config::example,
            factory: |schema, value| {
                let config = config::validate::<T::Config>(schema, value)?;
                Ok(SourceOpener::Pull(Arc::new(
                    Configured::<T, T::Config>::new(config),
                )))
            },
        }
    }

    /// Registers a source that is pushed to.
    pub const fn push<T: PushConnector>() -> Self {
        Self {
            spec: T::SPEC,
            push: Some(T::PROTOCOL),
            schema: config::schema_of::<T::Config>,
            example: T::Config::example,
            factory: |schema, value| {
                let config = config::validate::<T::Config>(schema, value)?;
                let warning = T::warning(&config);
                let open = Arc::new(move || -> Result<Arc<dyn PushSource>, ConnectorError> {
                    Ok(Arc::new(T::open(config.clone())?))
                });
                Ok(SourceOpener::Push {
                    protocol: T::PROTOCOL,
                    open,
                    warning,
                })
            },
        }
    }

    /// Returns the JSON Schema of the configuration.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Returns an example configuration.
    pub fn example(&self) -> Value {
        (self.example)()
    }

    /// Validates a configuration without I/O.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn configure(&self, config: &Value) -> Result<SourceOpener, Problems> {
        (self.factory)(&self.schema(), config)
    }
}

impl SinkEntry {
    /// Registers a sink.
    pub const fn of<T: SinkConnector>() -> Self {
        Self {
            spec: T::SPEC,
            schema: config::schema_of::<T::Config>,
            example: T::Config::example,
            factory: |schema, value| {
                let config = config::validate::<T::Config>(schema, value)?;
                Ok(Arc::new(Configured::<T, T::Config>::new(config)))
            },
        }
    }

    /// Returns the JSON Schema of the configuration.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Returns an example configuration.
    pub fn example(&self) -> Value {
        (self.example)()
    }

    /// Validates a configuration without I/O.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn configure(&self, config: &Value) -> Result<Arc<dyn SinkFactory>, Problems> {
        (self.factory)(&self.schema(), config)
    }
}

struct Configured<T, C> {
    config: C,
    // `fn() -> T` keeps the factory `Send + Sync` whatever the connector is.
    connector: std::marker::PhantomData<fn() -> T>,
}

impl<T, C> Configured<T, C> {
    fn new(config: C) -> Self {
        Self {
            config,
            connector: std::marker::PhantomData,
        }
    }
}

impl<T: SourceConnector> SourceFactory for Configured<T, T::Config> {
    fn open(&self, position: Option<Position>, cx: SourceContext) -> Opening<'_, Box<dyn Source>> {
        let config = self.config.clone();
        Box::pin(async move {
            let source: Box<dyn Source> = Box::new(T::open(config, position, cx).await?);
            Ok(source)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(T::probe(&self.config))
    }

    fn covers(&self, position: &Position, other: &Position) -> Result<bool, PositionError> {
        position.covers::<T::At>(other)
    }
}

impl<T: SinkConnector> SinkFactory for Configured<T, T::Config> {
    fn spec(&self) -> Spec {
        Spec {
            partial: T::partial(&self.config),
            ..T::SPEC
        }
    }

    fn repeats(&self) -> Repeats {
        T::repeats(&self.config).min(T::SPEC.repeats)
    }

    fn open(&self, cx: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        let config = self.config.clone();
        Box::pin(async move {
            let sink: Box<dyn Sink> = Box::new(T::open(config, cx).await?);
            Ok(sink)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(T::probe(&self.config))
    }
}
