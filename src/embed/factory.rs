//! Factories around what an embedding process gives: objects, functions, connectors.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use hermod_sdk::{
    Confirms, ConnectorError, ErrorKind, Locality, Position, PositionError, Repeats, Sink,
    SinkConnector, SinkContext, SinkFactory, Source, SourceConnector, SourceContext, SourceFactory,
    Spec, Stability,
};

/// Kind of what an embedding process gives.
pub(super) const KIND: &str = "embedded";

/// What can be said of an object that does not describe itself: the least.
const SPEC: Spec = Spec {
    kind: KIND,
    title: "Embedded",
    summary: "Given by the process that embeds the engine.",
    stability: Stability::Stable,
    locality: Locality::Any,
    confirms: Confirms::Accepted,
    repeats: Repeats::AtLeastOnce,
    rereadable: true,
    partial: true,
};

type Opening<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

/// An object that can be given out once.
struct Once<T: ?Sized>(Mutex<Option<Box<T>>>);

impl<T: ?Sized> Once<T> {
    fn new(object: Box<T>) -> Self {
        Self(Mutex::new(Some(object)))
    }

    fn take(&self, what: &str) -> Result<Box<T>, ConnectorError> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| {
            let message = format!("the {what} was given as an object and cannot be opened again");
            ConnectorError::new(ErrorKind::Internal, message)
        })
    }
}

struct SourceObject(Once<dyn Source>);

pub(super) fn source_object(source: Box<dyn Source>) -> Arc<dyn SourceFactory> {
    // A boxed source is `Send`, the mutex makes it `Sync`.
    Arc::new(SourceObject(Once::new(source)))
}

impl SourceFactory for SourceObject {
    fn open(&self, _: Option<Position>, _: SourceContext) -> Opening<'_, Box<dyn Source>> {
        let taken = self.0.take("source");
        Box::pin(async move { taken })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Its positions are opaque here, so none is taken to cover another: nothing is skipped.
    fn covers(&self, _: &Position, _: &Position) -> Result<bool, PositionError> {
        Ok(false)
    }
}

struct SourceFunction<O>(O);

pub(super) fn source_function<S, F, O>(open: O) -> Arc<dyn SourceFactory>
where
    S: Source + 'static,
    F: Future<Output = Result<S, ConnectorError>> + Send + 'static,
    O: Fn(Option<Position>, SourceContext) -> F + Send + Sync + 'static,
{
    Arc::new(SourceFunction(
        move |position, cx| -> Opening<'static, Box<dyn Source>> {
            let opening = open(position, cx);
            Box::pin(async move {
                let source: Box<dyn Source> = Box::new(opening.await?);
                Ok(source)
            })
        },
    ))
}

impl<O> SourceFactory for SourceFunction<O>
where
    O: Fn(Option<Position>, SourceContext) -> Opening<'static, Box<dyn Source>> + Send + Sync,
{
    fn open(&self, position: Option<Position>, cx: SourceContext) -> Opening<'_, Box<dyn Source>> {
        (self.0)(position, cx)
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Its positions are opaque here, so none is taken to cover another: nothing is skipped.
    fn covers(&self, _: &Position, _: &Position) -> Result<bool, PositionError> {
        Ok(false)
    }
}

struct SinkObject(Once<dyn Sink>);

pub(super) fn sink_object(sink: Box<dyn Sink>) -> Arc<dyn SinkFactory> {
    Arc::new(SinkObject(Once::new(sink)))
}

impl SinkFactory for SinkObject {
    fn spec(&self) -> Spec {
        SPEC
    }

    fn repeats(&self) -> Repeats {
        SPEC.repeats
    }

    fn open(&self, _: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        let taken = self.0.take("sink");
        Box::pin(async move { taken })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// A connector with its configuration. The marker keeps the factory `Send + Sync` whatever it is.
struct Configured<T, C> {
    config: C,
    connector: PhantomData<fn() -> T>,
}

pub(super) fn source_connector<S: SourceConnector>(config: S::Config) -> Arc<dyn SourceFactory> {
    Arc::new(Configured::<S, S::Config> {
        config,
        connector: PhantomData,
    })
}

pub(super) fn sink_connector<S: SinkConnector>(config: S::Config) -> Arc<dyn SinkFactory> {
    Arc::new(Configured::<S, S::Config> {
        config,
        connector: PhantomData,
    })
}

impl<S: SourceConnector> SourceFactory for Configured<S, S::Config> {
    fn open(&self, position: Option<Position>, cx: SourceContext) -> Opening<'_, Box<dyn Source>> {
        let opening = S::open(self.config.clone(), position, cx);
        Box::pin(async move {
            let source: Box<dyn Source> = Box::new(opening.await?);
            Ok(source)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(S::probe(&self.config))
    }

    fn covers(&self, position: &Position, other: &Position) -> Result<bool, PositionError> {
        position.covers::<S::At>(other)
    }
}

impl<S: SinkConnector> SinkFactory for Configured<S, S::Config> {
    fn spec(&self) -> Spec {
        S::SPEC
    }

    fn repeats(&self) -> Repeats {
        S::repeats(&self.config).min(S::SPEC.repeats)
    }

    fn open(&self, cx: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        let opening = S::open(self.config.clone(), cx);
        Box::pin(async move {
            let sink: Box<dyn Sink> = Box::new(opening.await?);
            Ok(sink)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(S::probe(&self.config))
    }
}
