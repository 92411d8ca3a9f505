use hermod_sdk::Operation;
use proptest::prelude::*;

use super::*;

fn read(config: &Value) -> Result<Predicate, String> {
    let mut report = Report::default();
    let map = config.as_object().unwrap();
    let mut section = Section::of(map, "");
    let read = Predicate::read(&mut section, &mut report);
    section.judge(&Keys::NONE, &mut report);
    match read {
        Some((predicate, _)) if report.problems.is_empty() => Ok(predicate),
        _ => Err(report.problems.to_string()),
    }
}

fn holds(message: &Message, field: &str, operator: &str, value: &Value) -> bool {
    let config = json!({"field": field, "operator": operator, "value": value});
    let predicate = read(&config).unwrap_or_else(|problems| panic!("{config}: {problems}"));
    predicate.holds(&mut message.clone()).unwrap()
}

#[test]
fn each_operator_compares_as_the_table_says() {
    let payload = r#"{"n": 9007199254740993, "price": 0.10, "huge": 1e400, "t": "2026-01-02", "zip": "01234",
        "digits": "100.0", "word": "many", "flag": true, "none": null, "list": [1, "a"], "deep": {"x": {"y": 1}}}"#;
    let message = Message::new("m", payload);
    for (field, operator, value, expected) in [
        // Numbers, digit by digit, whether the value is a number or its text.
        ("n", "=", json!("9007199254740993"), true),
        ("n", "=", json!("9007199254740992"), false),
        ("n", "=", json!(9_007_199_254_740_993_u64), true),
        ("n", ">", json!("9007199254740992"), true),
        ("n", "<=", json!("9007199254740993.0"), true),
        ("price", "=", json!("0.1"), true),
        ("price", "<", json!("0.10000000000000000000000001"), true),
        ("huge", ">", json!("1e399"), true),
        ("huge", "<", json!("1e401"), true),
        ("n", ">", json!("word"), false),
        ("n", "<=", json!("word"), false),
        // Text equals text letter by letter: leading zeros matter.
        ("zip", "=", json!("1234"), false),
        ("zip", "=", json!("01234"), true),
        ("zip", "=", json!(1234), true),
        ("digits", "=", json!("100"), false),
        ("digits", "=", json!(100), true),
        // Text is ordered as a number if the value is one, else by its letters.
        ("digits", ">", json!("9"), true),
        ("digits", ">=", json!("100"), true),
        ("word", ">", json!("9"), false),
        ("word", "<=", json!("9"), false),
        ("t", ">", json!("2026-01-01"), true),
        ("t", "<", json!("2026-01-03"), true),
        // Other values are equal to themselves and to their names.
        ("flag", "=", json!(true), true),
        ("flag", "=", json!("true"), true),
        ("flag", "=", json!("false"), false),
        ("flag", ">", json!("0"), false),
        ("none", "=", json!(null), true),
        ("none", "=", json!(""), false),
        ("none", "!=", json!(null), false),
        ("deep", "=", json!("x"), false),
        // Parts.
        ("word", "contains", json!("an"), true),
        ("n", "contains", json!("0993"), true),
        ("list", "contains", json!("a"), true),
        ("list", "contains", json!("1.0"), true),
        ("list", "contains", json!("b"), false),
        ("deep", "contains", json!("x"), true),
        ("deep", "contains", json!("y"), false),
        ("none", "contains", json!("ul"), false),
        ("t", "regex", json!("^2026-"), true),
        ("t", "not_regex", json!("^2026-"), false),
        ("n", "regex", json!("^9007"), true),
        ("none", "regex", json!("null"), false),
        // Presence; null is there.
        ("none", "exists", json!(null), true),
        ("gone", "exists", json!(null), false),
        ("gone", "not_exists", json!(null), true),
        // Paths.
        ("deep.x.y", "=", json!("1"), true),
        ("list.1", "=", json!("a"), true),
        ("list.9", "exists", json!(null), false),
        ("word.x", "exists", json!(null), false),
    ] {
        let found = holds(&message, field, operator, &value);
        assert_eq!(found, expected, "{field} {operator} {value}");
    }
}

#[test]
fn a_missing_field_satisfies_only_the_negations() {
    let message = Message::new("m", "{}");
    for (operator, expected) in [
        ("=", false),
        (">", false),
        (">=", false),
        ("<", false),
        ("<=", false),
        ("contains", false),
        ("regex", false),
        ("exists", false),
        ("!=", true),
        ("not_contains", true),
        ("not_regex", true),
        ("not_exists", true),
    ] {
        assert_eq!(
            holds(&message, "gone", operator, &json!("")),
            expected,
            "{operator}"
        );
    }
}

#[test]
fn fields_beside_the_payload_are_found_without_parsing_it() {
    let mut message = Message::new("m-1", vec![0xff, 0x00])
        .with_operation(Operation::Update)
        .with_table("orders")
        .with_key("k");
    message.metadata.set("tenant", "a");
    for (field, operator, value, expected) in [
        ("@id", "=", "m-1", true),
        ("@operation", "=", "update", true),
        ("@operation", "!=", "delete", true),
        ("@table", "regex", "^ord", true),
        ("@schema", "exists", "", false),
        ("@database", "!=", "x", true),
        ("@key", "=", "k", true),
        ("@metadata.tenant", "=", "a", true),
        ("@metadata.other", "exists", "", false),
    ] {
        assert_eq!(
            holds(&message, field, operator, &json!(value)),
            expected,
            "{field} {operator}"
        );
    }
    let binary = Message::new("m", "{}").with_key(vec![0xff]);
    assert!(!holds(&binary, "@key", "exists", &json!(null)));
    assert!(
        !read(&json!({"field": "@table", "operator": "exists"}))
            .unwrap()
            .reads_payload()
    );
}

#[test]
fn what_the_original_writes_in_front_of_a_path_is_left_out_unless_the_payload_has_it() {
    let plain = Message::new("m", r#"{"total": 5}"#);
    for field in ["total", "after.total", "payload.total", "source.total"] {
        assert!(holds(&plain, field, "=", &json!("5")), "{field}");
    }
    let nested = Message::new("m", r#"{"total": 5, "after": {"id": 1}}"#);
    assert!(holds(&nested, "after.id", "=", &json!("1")));
    assert!(!holds(&nested, "after.total", "exists", &json!(null)));
    let own = Message::new("m", r#"{"@id": "own"}"#);
    assert!(holds(&own, "payload.@id", "=", &json!("own")));
}

#[test]
fn a_deleted_row_is_judged_by_what_it_was() {
    let mut deleted = Message::new("m", "").with_operation(Operation::Delete);
    assert!(!holds(&deleted, "tenant", "=", &json!("a")));
    deleted.before = Some(bytes::Bytes::from_static(br#"{"tenant": "a"}"#));
    assert!(holds(&deleted, "tenant", "=", &json!("a")));
    let predicate = read(&json!({"field": "tenant", "operator": "exists"})).unwrap();
    deleted.before = Some(bytes::Bytes::from_static(b"{"));
    let error = predicate.holds(&mut deleted).unwrap_err();
    assert_eq!(
        error.reason,
        "image before the change is not JSON (line 1, column 1)"
    );
}

#[test]
fn what_is_not_json_is_an_error_and_no_mismatch() {
    let predicate = read(&json!({"field": "a", "operator": "not_exists"})).unwrap();
    let error = predicate
        .holds(&mut Message::new("m", "secret text"))
        .unwrap_err();
    assert_eq!(error.reason, "payload is not JSON (line 1, column 1)");
}

#[test]
fn all_conditions_must_hold_and_a_list_may_come_as_text() {
    let list = json!([
        {"field": "a", "operator": ">", "value": "1"},
        {"field": "a", "operator": "<", "value": "3"}]);
    for conditions in [list.clone(), Value::String(list.to_string())] {
        let predicate = read(&json!({"conditions": conditions})).unwrap();
        for (payload, expected) in [
            (r#"{"a":2}"#, true),
            (r#"{"a":1}"#, false),
            (r#"{"a":3}"#, false),
        ] {
            assert_eq!(
                predicate.holds(&mut Message::new("m", payload)).unwrap(),
                expected
            );
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_mistake_has_its_place() {
    let long = "(a|b)".repeat(20_000);
    for (config, expected) in [
        (json!({}), "/: `field` is missing\n/: `operator` is missing"),
        (
            json!({"field": "a", "operator": "="}),
            "/value: `value` is missing; operator `=` needs one",
        ),
        (
            json!({"field": "a", "operator": "not_contain", "value": 1}),
            "/operator: there is no operator `not_contain`; `not_contains` may be meant; there are `=`, ",
        ),
        (
            json!({"field": "a", "operator": "like", "value": 1}),
            "/operator: there is no operator `like`; there are `=`, ",
        ),
        (
            json!({"field": "a", "operator": "=", "value": [1]}),
            "/value: must be text, a number, true, false or null",
        ),
        (
            json!({"field": "a", "operator": ">", "value": true}),
            "/value: `>` compares numbers or text",
        ),
        (
            json!({"field": "a", "operator": "regex", "value": "a("}),
            "/value: is not a regular expression: unclosed group",
        ),
        (
            json!({"field": "a", "operator": "regex", "value": long}),
            "/value: is not a regular expression: Compiled regex exceeds size limit",
        ),
        (
            json!({"field": "@tabel", "operator": "exists"}),
            "/field: there is no field `@tabel` of a message; there are `@id`, ",
        ),
        (
            json!({"field": "@metadata.", "operator": "exists"}),
            "/field: there is no field `@metadata.`",
        ),
        (
            json!({"field": "@operation", "operator": "=", "value": "insert"}),
            "/value: no operation is `insert`; there are `event`, `create`, ",
        ),
        (
            json!({"field": 1, "operator": "exists"}),
            "/field: is not text",
        ),
        (
            json!({"conditions": []}),
            "/conditions: at least one condition is needed",
        ),
        (
            json!({"conditions": "nonsense"}),
            "/conditions: is not a list of conditions",
        ),
        (
            json!({"conditions": {"a": 1}}),
            "/conditions: is not a list of conditions",
        ),
        (
            json!({"conditions": [1]}),
            "/conditions/0: is not an object",
        ),
        (
            json!({"conditions": [{"field": "a", "operator": "exists", "valeu": 1}]}),
            "/conditions/0/valeu: unknown key `valeu`; `value` may be meant",
        ),
        (
            json!({"conditions": [{"field": "a", "operator": "exists"}], "value": 1}),
            "/value: stands beside `conditions`",
        ),
    ] {
        let problems = read(&config)
            .err()
            .unwrap_or_else(|| panic!("{config} was taken"));
        assert!(
            problems.starts_with(expected),
            "{config}:\n{problems}\ninstead of\n{expected}"
        );
    }
}

proptest! {
    #[test]
    fn integers_compare_as_integers_whatever_their_form(a: i128, b: i128) {
        let (number, text) = (format!(r#"{{"a":{a}}}"#), format!(r#"{{"a":"{a}"}}"#));
        for (payload, as_text) in [(number, false), (text, true)] {
            let message = Message::new("m", payload);
            let wanted = json!(b.to_string());
            for (operator, expected) in [(">", a > b), (">=", a >= b), ("<", a < b), ("<=", a <= b)] {
                prop_assert_eq!(holds(&message, "a", operator, &wanted), expected);
            }
            prop_assert_eq!(holds(&message, "a", "=", &wanted), a == b, "as text: {}", as_text);
        }
    }

    #[test]
    fn negations_hold_exactly_when_their_opposites_do_not(payload in "\\{\"a\":(null|true|-?[1-9][0-9]{0,30}(\\.[0-9]{1,30})?|\"[a-z0-9]{0,3}\"|\\[1\\]|\\{\\})\\}|\\{\\}", value in "[a-z0-9]{0,2}|null|true") {
        let message = Message::new("m", payload);
        for (one, other) in [("=", "!="), ("contains", "not_contains"), ("regex", "not_regex"), ("exists", "not_exists")] {
            let value = json!(value);
            prop_assert_ne!(holds(&message, "a", one, &value), holds(&message, "a", other, &value));
        }
    }
}
