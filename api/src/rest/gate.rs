//! What every request passes on its way to a handler: who, may they, is it meant, is it well formed.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, RawPathParams, Request},
    http::request::Parts,
    routing::{MethodFilter, MethodRouter},
};
use bytes::Bytes;
use hermod_storage::{Revision, registry::AccessRole};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, WWW_AUTHENTICATE,
    },
};
use serde_json::Value;

use super::{
    Busy, Peer, Shared,
    call::{Call, Caller, Proof},
    cors,
    failure::{forbidden, invalid, malformed, missing, sign_in},
    route::{Access, ParameterKind, Route},
};
use crate::{Code, access::same, problem::Problem};

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a name in a path.
const NAME_BYTES_MAX: usize = 100;

/// Characters of a text in a query.
const TEXT_MAX: usize = 200;

/// From this age on, that of what is answered is said.
const AGE_SAID: Duration = Duration::from_secs(2);

/// Says how old what is answered is, in milliseconds.
const AGE: HeaderName = HeaderName::from_static("hermod-store-age-ms");

/// Makes the router: exactly the routes of the table, and an answer for everything else.
pub(crate) fn router(shared: &Arc<Shared>, routes: Vec<Route>) -> Router {
    let mut paths: BTreeMap<&'static str, (MethodRouter, Vec<String>)> = BTreeMap::new();
    for route in routes {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else {
            continue;
        };
        let (path, method) = (route.path, route.method.to_string());
        let (shared, route) = (shared.clone(), Arc::new(route));
        let serve = move |request: Request| serve(shared.clone(), route.clone(), request);
        let (served, methods) = paths.entry(path).or_default();
        *served = std::mem::take(served).on(filter, serve);
        methods.push(method);
    }
    let mut whole = Router::new();
    for (path, (served, methods)) in paths {
        let (shared, allow) = (shared.clone(), methods.join(", "));
        let other =
            move |request: Request| std::future::ready(other_method(&shared, &allow, &request));
        whole = whole.route(path, served.fallback(other));
    }
    let shared = shared.clone();
    whole.fallback(move |request: Request| {
        let problem = missing("there is nothing at this path");
        std::future::ready(elsewhere(&shared, &request, problem))
    })
}

fn other_method(shared: &Shared, allow: &str, request: &Request) -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let detail = format!("`{}` is not for this resource", request.method());
    let problem = Problem::new(Code::MethodNotAllowed, status, detail);
    let mut response = elsewhere(shared, request, problem);
    if response.status() == status
        && let Ok(allow) = HeaderValue::from_str(allow)
    {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn elsewhere(shared: &Shared, request: &Request, problem: Problem) -> Response<Body> {
    let preflight = shared
        .origins
        .preflight(request.method(), request.headers());
    let problem = if has_body(request.headers()) {
        problem.closing()
    } else {
        problem
    };
    let response = preflight.unwrap_or_else(|| problem.into_response());
    dressed(shared, request.headers(), response)
}

async fn serve(shared: Arc<Shared>, route: Arc<Route>, request: Request) -> Response<Body> {
    let headers = request.headers().clone();
    let response = match pass(&shared, &route, request).await {
        Ok(response) => response,
        Err(problem) => {
            let status = problem.status();
            tracing::debug!(operation = route.id, status = status.as_u16(), "refused");
            problem.into_response()
        }
    };
    dressed(&shared, &headers, response)
}

/// Adds what every answer says to browsers.
fn dressed(shared: &Shared, headers: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
    cors::protect(&shared.options, cors::is_https(headers), &mut response);
    shared.origins.allow(headers, &mut response);
    // Without a quorum what is answered is what this node last knew; its age says so.
    let age = shared.registry.store().health().age;
    if age >= AGE_SAID {
        let millis = HeaderValue::from(age.as_millis() as u64);
        response.headers_mut().insert(AGE, millis);
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}

async fn pass(
    shared: &Arc<Shared>,
    route: &Route,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (mut head, body) = request.into_parts();
    // Whoever is refused before the body is read has it left unread, so the connection ends there.
    let unread = |problem: Problem| {
        if has_body(&head.headers) {
            problem.closing()
        } else {
            problem
        }
    };
    // What is public needs nobody, so nobody is looked up for it.
    let caller = match route.access {
        Access::Public => None,
        _ => shared
            .identify(route, &head.headers)
            .await
            .map_err(unread)?,
    };
    admit(route, caller.as_ref()).map_err(unread)?;
    is_meant(route, caller.as_ref(), &head.headers).map_err(unread)?;
    let query = read_query(route, head.uri.query().unwrap_or_default()).map_err(unread)?;
    let expected = expected(route, &head.headers).map_err(unread)?;
    let names = names(&mut head).await?;
    let body = if route.request.is_some() {
        let limit = shared.options.body_bytes_max;
        read_body(shared, route, &head.headers, body, limit).await?
    } else {
        Value::Null
    };
    let peer = head.extensions.get::<Peer>();
    let call = Call {
        caller,
        names,
        query,
        expected,
        body,
        address: peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0),
        https: cors::is_https(&head.headers),
        busy: head.extensions.remove::<Busy>(),
        headers: head.headers,
    };
    let reply = (route.handler)(shared.clone(), call).await?;
    Ok(reply.0)
}

/// Checks the role. Everything that the table does not allow is refused.
fn admit(route: &Route, caller: Option<&Caller>) -> Result<(), Problem> {
    let needed = match (route.access, caller) {
        (Access::Public, _) => return Ok(()),
        (_, None) => return Err(sign_in()),
        (Access::Registration, Some(caller)) if caller.proof == Proof::Registration => {
            return Ok(());
        }
        (Access::Registration, Some(_)) => AccessRole::Administrator,
        (Access::Own, Some(_)) => AccessRole::Viewer,
        (Access::Role(role), Some(_)) => role,
    };
    match caller {
        Some(caller) if caller.proof != Proof::Registration && caller.role >= needed => Ok(()),
        _ => Err(forbidden(format!("this needs role {needed}"))),
    }
}

/// Checks that a browser's page of ours sends it, and not one of another site that has the cookie sent along.
fn is_meant(route: &Route, caller: Option<&Caller>, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(Proof::Session { csrf, .. }) = caller.map(|caller| &caller.proof) else {
        return Ok(());
    };
    if !route.is_unsafe() || route.access == Access::Public {
        return Ok(());
    }
    let shown = headers
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok());
    if shown.is_some_and(|shown| same(shown, csrf)) {
        return Ok(());
    }
    let detail = "with a session, this needs the header `X-CSRF-Token`";
    Err(Problem::new(Code::Csrf, StatusCode::FORBIDDEN, detail))
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    length.is_some_and(|length| length != b"0") || headers.contains_key("transfer-encoding")
}

async fn names(head: &mut Parts) -> Result<BTreeMap<String, String>, Problem> {
    let nothing = || missing("there is nothing of this name");
    let read = RawPathParams::from_request_parts(head, &())
        .await
        .map_err(|_| nothing())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    let mut names = BTreeMap::new();
    for (name, value) in &read {
        if value.is_empty() || value.len() > NAME_BYTES_MAX || !value.bytes().all(plain) {
            return Err(nothing());
        }
        names.insert(name.to_owned(), value.to_owned());
    }
    Ok(names)
}

fn read_query(route: &Route, query: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some(parameter) = route.parameters.iter().find(|known| known.name == name) else {
            return Err(malformed("a parameter of the query is not known here"));
        };
        let name = parameter.name;
        let fits = match parameter.kind {
            ParameterKind::Text => value.chars().count() <= TEXT_MAX && !value.contains('\0'),
            ParameterKind::Flag => value == "true" || value == "false",
            ParameterKind::Number(from, to) => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse::<u64>();
                digits && number.is_ok_and(|number| (from..=to).contains(&number))
            }
        };
        if !fits {
            return Err(malformed(format!(
                "the parameter `{name}` is out of bounds"
            )));
        }
        if found.insert(name.to_owned(), value.into_owned()).is_some() {
            return Err(malformed(format!("the parameter `{name}` stands twice")));
        }
    }
    Ok(found)
}

fn expected(route: &Route, headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
    if !route.if_match {
        return Ok(None);
    }
    let Some(shown) = headers.get(IF_MATCH) else {
        let detail = "this needs the header `If-Match` with the `ETag` that was read";
        let status = StatusCode::PRECONDITION_REQUIRED;
        return Err(Problem::new(Code::PreconditionRequired, status, detail));
    };
    let tag = shown
        .to_str()
        .ok()
        .and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'));
    let version = tag.and_then(|tag| tag.parse().ok()).map(Revision);
    if version.is_none() {
        // Neither `*` nor a list says which version somebody has seen.
        return Err(malformed("`If-Match` takes one `ETag` as it was answered"));
    }
    Ok(version)
}

async fn read_body(
    shared: &Shared,
    route: &Route,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Value, Problem> {
    if !is_json(headers) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let detail = "the body has to be `application/json`";
        return Err(Problem::new(Code::UnsupportedType, status, detail).closing());
    }
    let read = Limited::new(body, limit).collect();
    let bytes: Bytes = match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(read)) => read.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            let detail = format!("a body takes {limit} bytes at most");
            return Err(Problem::new(Code::BodyTooLarge, status, detail).closing());
        }
        Ok(Err(_)) => return Err(malformed("the body broke off").closing()),
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            let detail = "the body did not come in time";
            return Err(Problem::new(Code::BodyTimeout, status, detail).closing());
        }
    };
    // The parser refuses more than 128 levels, so that no walk over the value goes deep.
    let value = serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(format!("the body is no JSON: line {line}, column {column}"))
    })?;
    let errors = shared.validators.check(route.id, &value);
    if errors.is_empty() {
        Ok(value)
    } else {
        Err(invalid(errors))
    }
}

/// Forms of other sites cannot be JSON, so this too keeps them out.
fn is_json(headers: &HeaderMap) -> bool {
    let shown = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    shown.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}
