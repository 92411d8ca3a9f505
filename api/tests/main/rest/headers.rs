//! What answers say to browsers.

use std::sync::Arc;

use hermod_api::{Api, ApiOptions};
use hermod_storage::{Memory, registry::Registry};

use super::{
    desk::{Desk, Visitor, api_options},
    platform::Fake,
};

#[tokio::test]
async fn every_answer_protects_pages() {
    let (desk, ann) = Desk::administered().await;
    for (who, path) in [
        (&ann, "/api/me"),
        (&Visitor::nobody(), "/api/me"),
        (&ann, "/api/nothing"),
        (&ann, "/livez"),
        (&ann, "/elsewhere"),
    ] {
        let answer = desk.get(who, path).await;
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'self'"));
        assert!(!policy.contains("unsafe-eval"));
        assert_eq!(answer.header("strict-transport-security"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!(
        desk.get(&ann, "/api/me").await.header("cache-control"),
        Some("no-store")
    );
    let https = Visitor::nobody().with("x-forwarded-proto", "https");
    let answer = desk.get(&https, "/api/setup").await;
    assert!(answer.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn answers_to_pushed_requests_protect_pages_too() {
    let (desk, _) = Desk::administered().await;
    for path in ["/api/webhooks/none", "/api/graphql/none"] {
        let https = Visitor::nobody().with("x-forwarded-proto", "https");
        let answer = desk.send(&https, "POST", path, "{}").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert!(
            answer.header("strict-transport-security").is_some(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn only_named_origins_read_answers() {
    let options = ApiOptions {
        allow_origins: vec!["https://ui.example".to_owned()],
        hsts: true,
        ..api_options()
    };
    let desk = Desk::with(options, Arc::new(Memory::new())).await;
    let from = |origin: &str| Visitor::nobody().with("origin", origin);
    let ours = desk.get(&from("https://ui.example"), "/api/setup").await;
    assert_eq!(
        ours.header("access-control-allow-origin"),
        Some("https://ui.example")
    );
    assert_eq!(ours.header("vary"), Some("origin"));
    assert!(ours.header("strict-transport-security").is_some());
    for other in [
        "https://ui.example.evil",
        "https://evil",
        "null",
        "http://ui.example",
    ] {
        let answer = desk.get(&from(other), "/api/setup").await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{other}"
        );
    }
    let asks = from("https://ui.example").with("access-control-request-method", "PUT");
    let asked = desk.send(&asks, "OPTIONS", "/api/users/x", "").await;
    assert_eq!(asked.status, 204);
    assert!(
        asked
            .header("access-control-allow-headers")
            .unwrap()
            .contains("x-csrf-token")
    );
    let asks = from("https://evil").with("access-control-request-method", "PUT");
    let asked = desk.send(&asks, "OPTIONS", "/api/users/x", "").await;
    assert_eq!(asked.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn options_that_would_let_everybody_in_are_refused() {
    let registry = Registry::new(Arc::new(Memory::new()));
    for origin in [
        "*",
        "https://*.example",
        "https://a.example/",
        "ui.example",
        "file:///x",
    ] {
        let options = ApiOptions {
            allow_origins: vec![origin.to_owned()],
            ..ApiOptions::default()
        };
        let api = Api::new(options, registry.clone(), Fake::new(registry.clone()));
        assert!(api.is_err(), "{origin}");
    }
    let options = ApiOptions {
        worker_registration_token: Some(hermod_sdk::Secret::new("short")),
        ..ApiOptions::default()
    };
    let shown = format!("{options:?}");
    assert!(!shown.contains("short"), "i10: {shown}");
    let api = Api::new(options, registry.clone(), Fake::new(registry.clone()));
    assert!(api.is_err());
}
