use hermod_sdk::Message;
use serde_json::{Value, json};

use super::*;

fn graph(value: Value, sinks: &[&str]) -> Result<Graph, Problems> {
    let document: GraphDocument = serde_json::from_value(value).unwrap();
    let sinks: Vec<Text> = sinks.iter().map(|sink| Text::from(*sink)).collect();
    Graph::compile(&document, &sinks)
}

fn problem(value: Value) -> String {
    graph(value, &["s"])
        .err()
        .expect("must not compile")
        .to_string()
}

fn run(graph: &Graph, payload: &'static str, sinks: usize) -> Evaluated {
    let mut out = Evaluated::default();
    graph.evaluate(Message::new("m", payload), SinkSet::all(sinks), &mut out);
    out.to.resize_with(sinks, Vec::new);
    out
}

fn diamond() -> Graph {
    graph(
        json!({
            "nodes": [
                {"id": "in", "type": "source", "ref_id": "src"},
                {"id": "c", "type": "condition", "config": {"conditions": [{"field": "after.total", "operator": ">", "value": "100"}]}},
                {"id": "x", "type": "mapping", "config": {"fields": {"size": "big"}}},
                {"id": "y", "type": "transformation", "config": {"transType": "set", "column.size": "small"}},
                {"id": "a", "type": "sink", "ref_id": "a"},
                {"id": "b", "type": "sink", "ref_id": "b"}],
            "edges": [
                {"id": "1", "source_id": "in", "target_id": "c"},
                {"id": "2", "source_id": "c", "target_id": "x", "config": {"label": "true"}},
                {"id": "3", "source_id": "c", "target_id": "y", "source_handle": "false"},
                {"id": "4", "source_id": "x", "target_id": "a"},
                {"id": "5", "source_id": "y", "target_id": "a"},
                {"id": "6", "source_id": "in", "target_id": "b"}]}),
        &["a", "b"],
    )
    .unwrap()
}

#[test]
fn a_diamond_loses_nothing_and_branches_are_taken_by_label() {
    let graph = diamond();
    for (payload, size) in [
        (r#"{"total":100.01}"#, "big"),
        (r#"{"total":100}"#, "small"),
    ] {
        let mut out = run(&graph, payload, 2);
        assert_eq!(out.to[0][0].payload.value().unwrap()["size"], size);
        assert_eq!(out.to[1][0].payload.bytes(), payload);
        assert_eq!((out.filtered, out.failures.len()), (0, 0));
    }
}

#[test]
fn a_failure_on_one_branch_leaves_the_other_delivered() {
    let out = run(&diamond(), "not json", 2);
    assert_eq!((out.to[0].len(), out.to[1].len()), (0, 1));
    assert_eq!(out.failures[0].node, "c");
    assert!(out.failures[0].sinks.contains(0) && !out.failures[0].sinks.contains(1));
    assert_eq!(out.failures[0].message.payload.bytes(), "not json");
}

#[test]
fn only_the_path_of_the_asked_sink_is_walked_and_the_rest_is_not_filtered() {
    let mut out = Evaluated::default();
    let mut only = SinkSet::default();
    only.insert(1);
    diamond().evaluate(Message::new("m", "{}"), only, &mut out);
    assert_eq!((out.to[0].len(), out.to[1].len(), out.filtered), (0, 1, 0));
    assert_eq!(out.processed[1], 0);
}

#[test]
fn filtered_messages_are_counted_as_filtered_and_not_as_failed() {
    let graph = graph(
        json!({
            "nodes": [{"id": "in", "type": "source"}, {"id": "f", "type": "filter", "config": {"field": "@table", "operator": "=", "value": "orders"}}, {"id": "o", "type": "sink", "ref_id": "s"}],
            "edges": [{"id": "1", "source_id": "in", "target_id": "f"}, {"id": "2", "source_id": "f", "target_id": "o"}]}),
        &["s"],
    )
    .unwrap();
    let out = run(&graph, "binary is fine here", 1);
    assert_eq!(
        (out.filtered, out.failures.len(), out.to[0].len()),
        (1, 0, 0)
    );
}

#[test]
fn comparisons_are_exact_and_missing_fields_satisfy_only_the_negations() {
    let holds = |payload: &'static str, field: &str, operator: &str, value: Value| {
        let graph = graph(
            json!({
                "nodes": [{"id": "in", "type": "source"}, {"id": "f", "type": "filter", "config": {"field": field, "operator": operator, "value": value}}, {"id": "o", "type": "sink", "ref_id": "s"}],
                "edges": [{"id": "1", "source_id": "in", "target_id": "f"}, {"id": "2", "source_id": "f", "target_id": "o"}]}),
            &["s"],
        );
        run(&graph.unwrap(), payload, 1).to[0].len() == 1
    };
    let big = r#"{"n":9007199254740993,"t":"2026-01-02","list":[1,"a"],"none":null,"flag":true}"#;
    for (field, operator, value, expected) in [
        ("n", "=", json!("9007199254740993"), true),
        ("n", "=", json!("9007199254740992"), false),
        ("n", ">", json!("9007199254740992"), true),
        ("n", "<=", json!("9007199254740993.0"), true),
        ("t", ">", json!("2026-01-01"), true),
        ("t", ">", json!("2026-01-03"), false),
        ("list", "contains", json!("a"), true),
        ("list", "contains", json!("1"), true),
        ("t", "regex", json!("^2026-"), true),
        ("t", "not_regex", json!("^2026-"), false),
        ("none", "exists", json!(null), true),
        ("none", "=", json!(null), true),
        ("flag", "=", json!("true"), true),
        ("gone", "=", json!(""), false),
        ("gone", "!=", json!("x"), true),
        ("gone", ">", json!("0"), false),
        ("gone", "not_contains", json!("x"), true),
        ("gone", "not_exists", json!(null), true),
        ("list.1", "=", json!("a"), true),
        ("@id", "=", json!("m"), true),
        ("@metadata.x", "exists", json!(null), false),
    ] {
        assert_eq!(
            holds(big, field, operator, value.clone()),
            expected,
            "{field} {operator} {value}"
        );
    }
}

#[test]
fn copies_keep_numbers_exactly() {
    let graph = graph(
        json!({
            "nodes": [{"id": "in", "type": "source"}, {"id": "m", "type": "mapping", "config": {"fields": {"copy.of": "source.n", "gone": "source.nothing"}}}, {"id": "o", "type": "sink", "ref_id": "s"}],
            "edges": [{"id": "1", "source_id": "in", "target_id": "m"}, {"id": "2", "source_id": "m", "target_id": "o"}]}),
        &["s"],
    )
    .unwrap();
    let out = run(&graph, r#"{"n":0.1000000000000000000000000010}"#, 1);
    let expected = r#"{"n":0.1000000000000000000000000010,"copy":{"of":0.1000000000000000000000000010},"gone":null}"#;
    assert_eq!(out.to[0][0].payload.bytes(), expected);
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let source = json!({"id": "in", "type": "source"});
    let sink = json!({"id": "o", "type": "sink", "ref_id": "s"});
    let edge = |from: &str, to: &str| json!({"id": format!("{from}{to}"), "source_id": from, "target_id": to});
    let text = problem(json!({"nodes": [source, sink], "edges": [edge("in", "gone")]}));
    assert!(
        text.contains("/edges/0/target_id: there is no node `gone`"),
        "{text}"
    );
    let text = problem(json!({"nodes": [sink], "edges": []}));
    assert!(text.contains("no node of type `source`"), "{text}");
    let text = problem(json!({"nodes": [source, source, sink], "edges": []}));
    assert!(
        text.contains("stands twice") && text.contains("several sources"),
        "{text}"
    );
    let loops = json!({"id": "l", "type": "mapping", "config": {"fields": {"a": 1}}});
    let text = problem(
        json!({"nodes": [source, loops, sink], "edges": [edge("in", "l"), edge("l", "l"), edge("l", "o")]}),
    );
    assert!(
        text.contains("/nodes/1: nodes form a cycle: `l` → `l`"),
        "{text}"
    );
    let text = problem(json!({"nodes": [source, {"id": "r", "type": "router"}], "edges": []}));
    assert!(
        text.contains("/nodes/1/type: node type `router` is not built yet"),
        "{text}"
    );
    let call =
        json!({"id": "l", "type": "mapping", "config": {"fields": {"a": "lower(source.b)"}}});
    let text =
        problem(json!({"nodes": [source, call, sink], "edges": [edge("in", "l"), edge("l", "o")]}));
    assert!(
        text.contains("/nodes/1/config/fields/a: function `lower` is not built yet"),
        "{text}"
    );
    let labelled =
        json!({"id": "e", "source_id": "in", "target_id": "o", "config": {"label": "true"}});
    let text = problem(json!({"nodes": [source, sink], "edges": [labelled]}));
    assert!(
        text.contains("a `source` has no branches, so no `true`"),
        "{text}"
    );
}
