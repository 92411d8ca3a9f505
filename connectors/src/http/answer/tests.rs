use hermod_sdk::ErrorKind;

use super::*;

fn answer(status: u16, body: &'static str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after: None,
        location: None,
        body: Bytes::from_static(body.as_bytes()),
        cut: false,
    }
}

fn headers(value: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", value.parse().unwrap());
    headers
}

#[test]
fn case_http6_every_class_of_status_has_its_kind() {
    let kinds = [
        (200, None),
        (204, None),
        (299, None),
        (301, Some(ErrorKind::Auth)),
        (304, Some(ErrorKind::Auth)),
        (400, Some(ErrorKind::Rejected)),
        (401, Some(ErrorKind::Auth)),
        (403, Some(ErrorKind::Auth)),
        (404, Some(ErrorKind::Auth)),
        (405, Some(ErrorKind::Auth)),
        (408, Some(ErrorKind::Unavailable)),
        (409, Some(ErrorKind::Rejected)),
        (413, Some(ErrorKind::Rejected)),
        (422, Some(ErrorKind::Rejected)),
        (425, Some(ErrorKind::Unavailable)),
        (429, Some(ErrorKind::Throttled)),
        (500, Some(ErrorKind::Unavailable)),
        (503, Some(ErrorKind::Unavailable)),
        (799, Some(ErrorKind::Unavailable)),
    ];
    for (status, kind) in kinds {
        assert_eq!(
            failure(StatusCode::from_u16(status).unwrap()),
            kind,
            "{status}"
        );
    }
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let cases = [
        ("7", Some(7)),
        (" 120 ", Some(120)),
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("999999999", Some(3600)),
        ("soon", None),
        ("-5", None),
    ];
    for (text, seconds) in cases {
        let wait = retry_after(&headers(text), now);
        assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn case_es1_case_es2_each_item_is_read() {
    let body = r#"{"errors": true, "items": [
        {"index": {"status": 201}}, {"index": {"status": 429}}, {"status": 503},
        {"create": {"status": 400, "error": {"reason": "no such field"}}}, {"odd": 1}]}"#;
    let Written::Each(outcomes) = answer(200, body).items("/items", 5).unwrap() else {
        panic!("not all are written");
    };
    assert_eq!(outcomes[0], Outcome::Written);
    assert!(matches!(outcomes[1], Outcome::Retry { .. }));
    assert!(matches!(outcomes[2], Outcome::Retry { .. }));
    assert!(
        matches!(&outcomes[3], Outcome::Rejected { reason } if reason.contains("no such field"))
    );
    assert!(matches!(outcomes[4], Outcome::Retry { .. }));
}

#[test]
fn i3_a_list_of_another_length_is_no_result() {
    for body in [r#"{"items": [{"status": 200}]}"#, "{}", "", "not json"] {
        let error = answer(200, body).items("/items", 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{body}");
    }
}

#[test]
fn case_es2_a_success_that_hides_failures_is_no_success() {
    let hidden = answer(
        200,
        r#"{"items": [{"index": {"status": 201}}, {"index": {"status": 503}}]}"#,
    );
    assert_eq!(hidden.hidden_failure().unwrap().kind(), ErrorKind::Auth);
    let plain = [
        r#"{"items": [{"status": 200}, {"status": "shipped"}]}"#,
        r#"{"items": 3}"#,
        "ok",
        "",
    ];
    for body in plain {
        assert!(answer(200, body).hidden_failure().is_none(), "{body}");
    }
}

#[test]
fn the_reason_is_the_other_sides_own_words() {
    let error = answer(422, "{\"error\": {\"message\": \"total\\nis missing\"}}")
        .error("POST `http://x/`")
        .unwrap();
    assert_eq!(
        error.to_string(),
        "POST `http://x/` was answered with 422 Unprocessable Entity: total is missing"
    );
}

#[test]
fn a_redirect_names_its_target_without_its_query() {
    let mut redirect = answer(302, "");
    redirect.location = Some("https://user:pw@elsewhere.example/new?token=hunter2".to_owned());
    let text = redirect.error("POST `http://x/`").unwrap().to_string();
    assert!(text.contains("`https://elsewhere.example/new`"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("pw"), "{text}");
}
