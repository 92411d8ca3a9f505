//! A route: everything that is to be known of it, in one place.

use std::{future::Future, pin::Pin, sync::Arc};

use hermod_storage::registry::AccessRole;
use hyper::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    Shared,
    call::{Call, Reply},
};
use crate::problem::Problem;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody. What is public says so by itself, one by one; no prefix of paths makes anything public.
    Public,
    /// Everybody who is signed in, for what is their own.
    Own,
    /// Who has this role or a higher one.
    Role(AccessRole),
    /// Administrators, and workers that show the registration token.
    Registration,
}

pub(crate) const VIEWER: Access = Access::Role(AccessRole::Viewer);
pub(crate) const EDITOR: Access = Access::Role(AccessRole::Editor);
pub(crate) const ADMINISTRATOR: Access = Access::Role(AccessRole::Administrator);

/// What a parameter of the query is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParameterKind {
    /// Any text up to 200 characters.
    Text,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// `true` or `false`.
    Flag,
}

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    pub(crate) summary: &'static str,
}

/// Makes the schema of a type.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// What is answered when all went well.
#[derive(Clone, Copy)]
pub(crate) enum Success {
    /// A JSON document.
    Json(u16, MakeSchema),
    /// Nothing but a status.
    Empty(u16),
    /// Server-sent events.
    Events,
}

pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// Does what a route is for.
pub(crate) type Handler = fn(Arc<Shared>, Call) -> Handling;

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) request: Option<MakeSchema>,
    pub(crate) success: Success,
    /// Statuses beyond those that follow from the rest.
    pub(crate) refusals: &'static [u16],
    /// Whether `If-Match` is needed.
    pub(crate) if_match: bool,
    /// Whether the answer has an `ETag`.
    pub(crate) etag: bool,
    pub(crate) handler: Handler,
}

/// Begins a route. Nobody can leave out who may use it.
pub(crate) fn route(
    (method, path): (Method, &'static str),
    id: &'static str,
    access: Access,
    summary: &'static str,
    success: Success,
    handler: Handler,
) -> Route {
    Route {
        method,
        path,
        id,
        summary,
        access,
        parameters: Vec::new(),
        request: None,
        success,
        refusals: &[],
        if_match: false,
        etag: false,
        handler,
    }
}

/// Makes the schema of a type.
pub(crate) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Answers with a JSON document of a type.
pub(crate) fn json<T: JsonSchema>() -> Success {
    Success::Json(200, schema::<T>)
}

/// Answers that something was made, with a JSON document of a type.
pub(crate) fn made<T: JsonSchema>() -> Success {
    Success::Json(201, schema::<T>)
}

impl Route {
    /// Takes a body of a type.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.request = Some(schema::<T>);
        self
    }

    /// Takes parameters in the query.
    pub(crate) fn query(mut self, parameters: &[Parameter]) -> Self {
        self.parameters.extend_from_slice(parameters);
        self
    }

    /// Needs the version that a change is based on, and answers with the new one.
    pub(crate) fn if_match(mut self) -> Self {
        self.if_match = true;
        self
    }

    /// Answers with the version.
    pub(crate) fn etag(mut self) -> Self {
        self.etag = true;
        self
    }

    /// May answer with these statuses too.
    pub(crate) fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    /// Returns the names in the path.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Returns whether it changes something.
    pub(crate) fn is_unsafe(&self) -> bool {
        self.method != Method::GET
    }

    /// Returns every status that it may answer with, without that of success.
    pub(crate) fn refusal_statuses(&self) -> Vec<u16> {
        let mut statuses = vec![400, 500, 503, 504];
        statuses.extend(self.refusals);
        if self.access != Access::Public {
            statuses.extend([401, 403]);
        }
        if self.names().next().is_some() {
            statuses.push(404);
        }
        if self.request.is_some() {
            statuses.extend([408, 413, 415, 422]);
        }
        if self.is_unsafe() {
            statuses.push(507);
        }
        if self.if_match {
            statuses.extend([412, 428]);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}
