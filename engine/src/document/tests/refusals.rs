//! What a document is refused for, and where.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_beyond_a_limit_or_in_the_wrong_place_is_refused_with_its_place() {
    for (pointer, value, place, expected) in [
        (
            "/workflow/buffer",
            json!({"type": "disk"}),
            "/workflow/buffer/type",
            "`disk` is not one of `file`, `ring`",
        ),
        (
            "/workflow/buffer",
            json!({}),
            "/workflow/buffer",
            "`type` is missing; it is `file` or `ring`",
        ),
        (
            "/workflow/buffer",
            json!({"type": "file", "messages": 5}),
            "/workflow/buffer/messages",
            "unknown key `messages`",
        ),
        (
            "/workflow/buffer",
            json!({"type": "ring", "bytes": "5 GB"}),
            "/workflow/buffer/bytes",
            "is not a whole number",
        ),
        (
            "/workflow/acknowledge",
            json!("replicated"),
            "/workflow/acknowledge",
            "level `replicated` is not built yet; it comes with the cluster",
        ),
        (
            "/workflow/acknowledge",
            json!("asap"),
            "/workflow/acknowledge",
            "`asap` is not one of `delivered`, `durable`, `replicated`",
        ),
        (
            "/workflow/retry_interval",
            json!("soon"),
            "/workflow/retry_interval",
            "is not a duration like `250ms`",
        ),
        (
            "/workflow/max_retries",
            json!(-1),
            "/workflow/max_retries",
            "is not a whole number",
        ),
        (
            "/workflow/active",
            json!("perhaps"),
            "/workflow/active",
            "is neither true nor false",
        ),
        (
            "/workflow/require",
            json!({"confirm": "durable"}),
            "/workflow/require/confirm",
            "unknown key `confirm`; `confirms` may be meant",
        ),
        (
            "/workflow/id",
            json!("x".repeat(101)),
            "/workflow/id",
            "is not allowed; use up to 100 letters",
        ),
        ("/workflow/id", json!(5), "/workflow/id", "is not text"),
        (
            "/workflow/nodes",
            json!({}),
            "/workflow/nodes",
            "is not a list",
        ),
        (
            "/workflow/nodes",
            json!(vec![json!({}); 10_001]),
            "/workflow/nodes",
            "10001 entries; at most 10000 are read",
        ),
        (
            "/workflow/nodes/1/type",
            Value::Null,
            "/workflow/nodes/1",
            "`type` is missing",
        ),
        (
            "/workflow/nodes/1/id",
            json!("a\nb"),
            "/workflow/nodes/1/id",
            "is not an id",
        ),
        (
            "/workflow/nodes/1/config",
            json!([]),
            "/workflow/nodes/1/config",
            "is not an object",
        ),
        (
            "/workflow/edges/0/label",
            json!("x"),
            "/workflow/edges/0/config/label",
            "a `source` has no branches",
        ),
        (
            "/workflow/edges",
            json!([]),
            "/workflow/nodes/1",
            "nothing leads to sink node `n2`",
        ),
        (
            "/workflow/edges",
            json!([]),
            "/workflow/nodes/0",
            "no sink can be reached from here, so nothing is delivered",
        ),
        (
            "/sources/0/type",
            json!("fike"),
            "/sources/0/type",
            "there is no source of type `fike`; `fake` may be meant",
        ),
        (
            "/sources/0/config",
            json!("x"),
            "/sources/0/config",
            "is not an object",
        ),
        (
            "/sources/0/state",
            json!({"id": 5}),
            "/sources/0/state",
            "taking over a position of the original is not built yet",
        ),
        (
            "/sinks/0/cron",
            json!("x"),
            "/sinks/0/cron",
            "unknown key `cron`",
        ),
        (
            "/sinks/0/batch",
            json!({"vhost": "x"}),
            "/sinks/0/batch/vhost",
            "unknown key `vhost`",
        ),
        (
            "/sinks/0/batch",
            json!({"messages": 0}),
            "/sinks/0/batch/messages",
            "is not between 1 and 100000",
        ),
        (
            "/sinks/0/batch",
            json!({"wait": "1h"}),
            "/sinks/0/batch/wait",
            "is not between 0ms and 600000ms",
        ),
        (
            "/sinks/0/retry",
            json!({"interval": "2d"}),
            "/sinks/0/retry/interval",
            "is not between 0ms and 86400000ms",
        ),
        (
            "/sinks/0/on_outage",
            json!("drop"),
            "/sinks/0/on_outage",
            "`drop` is not one of `wait`, `dead_letter`",
        ),
        (
            "/sinks/0/config/batch_size",
            json!(5),
            "/sinks/0/config/batch_size",
            "belongs beside `config`: `batch: {messages: …}`",
        ),
        (
            "/sinks/0/config/shard_count",
            json!(4),
            "/sinks/0/config/shard_count",
            "sharded delivery is not built yet",
        ),
    ] {
        let mut bundle = bundle("fake");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        bundle.pointer_mut(parent).unwrap()[key] = value;
        let problems = problems(&bundle);
        let found = problems
            .iter()
            .any(|one| one.pointer == place && one.message.contains(expected));
        assert!(found, "{place}: {expected} is not in\n{problems}");
    }
}

#[test]
fn more_sinks_than_a_workflow_can_have_are_refused() {
    let mut bundle = bundle("fake");
    for index in 0..64 {
        let id = format!("more{index}");
        let list = |pointer: &str, value: Value, bundle: &mut Value| {
            bundle
                .pointer_mut(pointer)
                .unwrap()
                .as_array_mut()
                .unwrap()
                .push(value);
        };
        list(
            "/workflow/nodes",
            json!({"id": id, "type": "sink", "ref_id": id}),
            &mut bundle,
        );
        list(
            "/workflow/edges",
            json!({"source_id": "n1", "target_id": id}),
            &mut bundle,
        );
        list(
            "/sinks",
            json!({"id": id, "type": "fake", "config": {"path": "x"}}),
            &mut bundle,
        );
    }
    assert_eq!(
        problems(&bundle).to_string(),
        "/sinks: 65 sinks; a workflow has at most 64"
    );
}

#[test]
fn i9_a_document_of_any_length_is_answered() {
    let mut bundle = bundle("fake");
    let set = json!({"fields": {"a": 1}});
    let node = json!({"id": "m", "type": "mapping", "config": set});
    bundle["workflow"]["nodes"] = Value::Array(vec![node; 20_000]);
    assert!(
        problems(&bundle)
            .to_string()
            .contains("/workflow/nodes: 20000 entries; at most 10000 are read")
    );
}

/// Lists the pointers to every value of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointers(value, &format!("{at}/{}", escape(key)), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_document_with_any_value_damaged_is_answered_with_a_plan_or_a_reason() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("false"),
        json!("a/b"),
        json!("sink"),
        json!("source"),
        json!("transformation"),
        json!("n1"),
        json!([]),
        json!([[]]),
        json!([{}]),
        json!({}),
        json!({"": {}}),
        json!({"label": "true"}),
        json!({"conditions": [{}]}),
    ];
    let mut answered = 0;
    for name in ["exported", "original_keys", "misdrawn"] {
        let path = format!(
            "{}/testdata/bundles/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let whole: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut places = Vec::new();
        pointers(&whole, "", &mut places);
        for place in places {
            // Each place gets another one; all at each place would take most of a minute.
            for value in odd.iter().cycle().skip(answered).take(1) {
                let mut damaged = whole.clone();
                *damaged.pointer_mut(&place).unwrap() = value.clone();
                match check(&damaged, &CATALOG) {
                    Ok(checked) => assert!(!checked.plan.sinks.is_empty(), "{place} = {value}"),
                    Err(problems) => assert!(!problems.is_empty(), "{place} = {value}"),
                }
                answered += 1;
            }
        }
    }
    assert!(answered > 200, "{answered}");
}
