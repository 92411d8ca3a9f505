//! What every answer says to browsers.

use axum::body::Body;
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_SECURITY_POLICY, HeaderName,
        HeaderValue, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

use super::{ApiError, ApiOptions};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Two years. Source: hstspreload.org.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Origins whose pages may use the API.
pub(crate) struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Takes exact origins, `https://host[:port]`; `*` and patterns are none.
    pub(crate) fn new(origins: &[String]) -> Result<Self, ApiError> {
        let read = |text: &String| {
            let unusable = |reason: &str| ApiError::Option {
                option: "HERMOD_CORS_ALLOW_ORIGINS",
                reason: format!("`{text}` {reason}"),
            };
            let url = url::Url::parse(text).map_err(|_| unusable("is no origin"))?;
            // A star is a valid part of a host's name to the parser; whoever writes one means a pattern.
            let plain = url.origin().ascii_serialization() == *text && !text.contains('*');
            if !plain || !matches!(url.scheme(), "http" | "https") {
                return Err(unusable(
                    "is not written as browsers do: scheme, host and port only",
                ));
            }
            HeaderValue::from_str(text).map_err(|_| unusable("is no origin"))
        };
        Ok(Self(origins.iter().map(read).collect::<Result<_, _>>()?))
    }

    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        headers.get(ORIGIN).filter(|origin| self.0.contains(origin))
    }

    /// Answers a browser that asks before it sends.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed(headers).is_some() {
            let said = [
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
                (
                    ACCESS_CONTROL_ALLOW_HEADERS,
                    "authorization, content-type, if-match, x-csrf-token",
                ),
                (ACCESS_CONTROL_MAX_AGE, "600"),
            ];
            for (name, value) in said {
                response
                    .headers_mut()
                    .insert(name, HeaderValue::from_static(value));
            }
        }
        Some(response)
    }

    /// Lets a page of an allowed origin read the answer.
    pub(crate) fn allow(&self, headers: &HeaderMap, response: &mut Response<Body>) {
        if self.0.is_empty() {
            return;
        }
        let said = response.headers_mut();
        said.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed(headers) {
            said.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            said.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            said.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("etag, hermod-store-age-ms, retry-after"),
            );
        }
    }
}

/// Returns whether a proxy says that the request came by HTTPS.
pub(crate) fn is_https(headers: &HeaderMap) -> bool {
    let first = headers
        .get(FORWARDED_PROTO)
        .and_then(|value| value.to_str().ok());
    first.is_some_and(|text| {
        text.split(',')
            .next()
            .is_some_and(|p| p.trim().eq_ignore_ascii_case("https"))
    })
}

/// Adds what protects pages.
pub(crate) fn protect(options: &ApiOptions, https: bool, response: &mut Response<Body>) {
    let said = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&options.content_security_policy) {
        said.insert(CONTENT_SECURITY_POLICY, policy);
    }
    said.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    said.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    said.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if options.hsts || https {
        said.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
}
