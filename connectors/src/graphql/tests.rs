use hermod_sdk::validate;

use super::*;
use crate::source;

const JSON: (&str, &str) = ("content-type", "application/json");

fn open(config: &Value) -> GraphqlSource {
    let config = validate::<GraphqlConfig>(&source("graphql").unwrap().schema(), config).unwrap();
    GraphqlSource::open(config).unwrap()
}

fn post(
    source: &GraphqlSource,
    pairs: &[(&'static str, &str)],
    body: &str,
) -> Result<Message, Refusal> {
    let parse = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), value.parse().unwrap())
    };
    let headers: HeaderMap = pairs.iter().map(parse).collect();
    let request = Request {
        method: &Method::POST,
        path: "orders",
        query: "",
        headers: &headers,
    };
    let mut messages = source.accept(&request, Bytes::copy_from_slice(body.as_bytes()))?;
    assert_eq!(messages.len(), 1);
    Ok(messages.remove(0))
}

#[test]
fn the_whole_body_is_the_payload_and_query_and_variables_are_its_fields() {
    let source = open(&json!({"path": "/api/graphql/orders/", "key_field": "variables.id"}));
    let body = r#"{ "query": "mutation($id: ID!) { order(id: $id) }", "variables": {"id": 9007199254740993}, "operationName": null }"#;
    let json = ("content-type", "Application/JSON; charset=utf-8");
    let mut message = post(&source, &[json, ("idempotency-key", "o-1")], body).unwrap();
    assert_eq!(message.payload.bytes(), body, "bytes stay as they came");
    let value = message.payload.value().unwrap();
    assert_eq!(value["variables"]["id"].to_string(), "9007199254740993");
    assert!(value["query"].as_str().unwrap().starts_with("mutation"));
    assert_eq!(message.id, "o-1");
    assert_eq!(message.table, "orders");
    assert_eq!(message.key.unwrap(), "9007199254740993");
    assert_eq!(message.metadata.get("content_type").unwrap(), json.1);
}

#[test]
fn a_body_that_is_only_a_query_becomes_the_same_form() {
    let source = open(&json!({"path": "orders", "key_header": "X-Tenant"}));
    let headers = [("content-type", "application/graphql"), ("x-tenant", "7")];
    let mut message = post(&source, &headers, "{ a(b: \"c\\n\") }").unwrap();
    assert_eq!(message.payload.bytes(), r#"{"query":"{ a(b: \"c\\n\") }"}"#);
    assert_eq!(
        message.payload.value().unwrap()["query"],
        "{ a(b: \"c\\n\") }"
    );
    assert_eq!(message.key.unwrap(), "7");
    assert_eq!(message.id, "", "the engine gives it one");
}

#[test]
fn variables_may_be_absent_or_null() {
    let source = open(&json!({"path": "orders"}));
    for body in [
        r#"{"query": "{a}"}"#,
        r#"{"query": "{a}", "variables": null}"#,
    ] {
        assert!(post(&source, &[JSON], body).is_ok(), "{body}");
    }
}

#[test]
fn what_is_no_graphql_request_is_refused_with_the_reason() {
    let source = open(&json!({"path": "orders"}));
    for (body, reason) in [
        ("", "body is not JSON (line 1, column 0)"),
        (
            "{\"query\": sentinel",
            "body is not JSON (line 1, column 11)",
        ),
        ("[]", "body is not a JSON object"),
        ("\"sentinel\"", "body is not a JSON object"),
        ("{}", "`query` is missing"),
        (r#"{"query": 7}"#, "`query` is not a text"),
        (r#"{"query": null}"#, "`query` is not a text"),
        (r#"{"query": " "}"#, "`query` is empty"),
        (
            r#"{"query": "{a}", "variables": ["sentinel"]}"#,
            "`variables` is not an object",
        ),
    ] {
        let refusal = post(&source, &[JSON], body).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Malformed, "{body}");
        assert_eq!(refusal.message, reason, "{body}");
    }
    let graphql = ("content-type", "application/graphql");
    assert_eq!(
        post(&source, &[graphql], "\n").unwrap_err().message,
        "`query` is empty"
    );
    for pairs in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/jsonp")],
    ] {
        let refusal = post(&source, pairs, r#"{"query": "{a}"}"#).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::UnsupportedType, "{pairs:?}");
    }
}

#[test]
fn the_key_is_asked_for_before_the_body_is_looked_at() {
    let source = open(&json!({"path": "orders", "api_key": "hunter2"}));
    for pairs in [&[JSON][..], &[JSON, ("x-api-key", "wrong")]] {
        let refusal = post(&source, pairs, "not json").unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unauthenticated);
    }
    for key in [
        ("x-api-key", "hunter2"),
        ("authorization", "Bearer hunter2"),
    ] {
        assert!(post(&source, &[JSON, key], r#"{"query": "{a}"}"#).is_ok());
    }
}

#[test]
fn other_methods_long_bodies_and_bad_ids_are_refused() {
    let source = open(&json!({"path": "orders", "body_bytes_max": 16}));
    assert_eq!(source.body_bytes_max(), 16);
    assert!(post(&source, &[JSON], r#"{"query": "{a}"}"#).is_ok());
    let refusal = post(&source, &[JSON], r#"{"query": "{ a}"}"#).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    let id = ("idempotency-key", "");
    let refusal = post(&source, &[JSON, id], r#"{"query": "{a}"}"#).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Malformed);
    let request = Request {
        method: &Method::GET,
        path: "orders",
        query: "query={a}",
        headers: &HeaderMap::new(),
    };
    let refusal = source.accept(&request, Bytes::new()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Malformed);
}

#[test]
fn configuration_is_checked_across_fields() {
    let schema = source("graphql").unwrap().schema();
    let config = json!({"path": "a b", "api_key": "", "key_field": "a", "key_header": "é"});
    let found = validate::<GraphqlConfig>(&schema, &config).unwrap_err();
    let pointers: Vec<_> = found.iter().map(|problem| &*problem.pointer).collect();
    assert_eq!(
        pointers,
        ["/path", "/api_key", "/key_header", "/key_header"]
    );
    let open_to_all: GraphqlConfig = serde_json::from_value(json!({"path": "x"})).unwrap();
    assert!(
        GraphqlSource::warning(&open_to_all)
            .unwrap()
            .contains("`x`")
    );
}
