use hermod_sdk::{Message, Operation};
use serde_json::{Value, json};

use super::*;

mod refusals;

fn document(nodes: &[Value], edges: &[Value]) -> GraphDocument {
    serde_json::from_value(json!({"nodes": nodes, "edges": edges})).unwrap()
}

fn compile(nodes: &[Value], edges: &[Value], sinks: &[&str]) -> Result<Graph, Problems> {
    let sinks: Vec<Text> = sinks.iter().map(|sink| Text::from(*sink)).collect();
    Graph::compile(&document(nodes, edges), &sinks)
}

fn source() -> Value {
    json!({"id": "in", "type": "source", "ref_id": "src"})
}

fn sink(id: &str) -> Value {
    json!({"id": id, "type": "sink", "ref_id": id})
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "cases read better with the literal in place"
)]
fn node(id: &str, kind: &str, config: Value) -> Value {
    json!({"id": id, "type": kind, "config": config})
}

fn edge(from: &str, to: &str) -> Value {
    json!({"source_id": from, "target_id": to})
}

fn labelled(from: &str, to: &str, label: &str) -> Value {
    json!({"source_id": from, "target_id": to, "config": {"label": label}})
}

fn evaluate(graph: &Graph, message: Message, sinks: usize) -> Evaluated {
    let mut out = Evaluated::default();
    graph.evaluate(message, SinkSet::all(sinks), &mut out);
    out.to.resize_with(sinks, Vec::new);
    out
}

fn only(sink: usize) -> SinkSet {
    let mut set = SinkSet::default();
    set.insert(sink);
    set
}

/// A chain from the source over one node to the sink `o`.
fn through(kind: &str, config: Value) -> Graph {
    let nodes = [source(), node("n", kind, config), sink("o")];
    compile(&nodes, &[edge("in", "n"), edge("n", "o")], &["o"])
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Large orders get their size set one way, small ones the other; all go to `a`, and as they came to `b`.
fn forked() -> (Vec<Value>, Vec<Value>) {
    let large = json!({"conditions": [{"field": "after.total", "operator": ">", "value": "100"}]});
    let nodes = vec![
        source(),
        node("c", "condition", large),
        node("x", "mapping", json!({"fields": {"size": "large"}})),
        node(
            "y",
            "transformation",
            json!({"transType": "set", "column.size": "small", "label": "Small"}),
        ),
        sink("a"),
        sink("b"),
    ];
    let edges = vec![
        edge("in", "c"),
        labelled("c", "x", "true"),
        json!({"source_id": "c", "target_id": "y", "source_handle": "false"}),
        edge("x", "a"),
        edge("y", "a"),
        edge("in", "b"),
    ];
    (nodes, edges)
}

fn forked_graph() -> Graph {
    let (nodes, edges) = forked();
    compile(&nodes, &edges, &["a", "b"]).unwrap()
}

#[test]
fn a_condition_takes_the_branch_of_its_label_and_a_diamond_loses_nothing() {
    let graph = forked_graph();
    for (payload, size) in [
        (r#"{"total":100.01}"#, "large"),
        (r#"{"total":100}"#, "small"),
    ] {
        let mut out = evaluate(&graph, Message::new("m", payload), 2);
        assert_eq!(out.to[0].len(), 1);
        assert_eq!(out.to[0][0].payload.value().unwrap()["size"], size);
        assert_eq!(out.to[1][0].payload.bytes(), payload);
        assert_eq!((out.filtered, out.failures.len()), (0, 0));
    }
}

#[test]
fn a_diamond_whose_one_side_filters_or_fails_still_delivers_the_other() {
    let filter = json!({"field": "@table", "operator": "=", "value": "never"});
    for (x, failures) in [
        (node("x", "filter", filter), 0),
        (node("x", "mapping", json!({"fields": {"a": 1}})), 1),
    ] {
        let nodes = [
            source(),
            x,
            node("y", "filter", json!({"field": "@id", "operator": "exists"})),
            sink("o"),
        ];
        let edges = [
            edge("in", "x"),
            edge("in", "y"),
            edge("x", "o"),
            edge("y", "o"),
        ];
        let out = evaluate(
            &compile(&nodes, &edges, &["o"]).unwrap(),
            Message::new("m", "text"),
            1,
        );
        assert_eq!(
            (out.to[0].len(), out.failures.len(), out.filtered),
            (1, failures, 0)
        );
    }
}

#[test]
fn i3_an_error_on_one_branch_leaves_the_other_branch_delivered() {
    let out = evaluate(&forked_graph(), Message::new("m", "not json"), 2);
    assert_eq!((out.to[0].len(), out.to[1].len(), out.filtered), (0, 1, 0));
    let failure = &out.failures[0];
    assert_eq!((&*failure.node, failure.sinks), ("c", only(0)));
    assert_eq!(failure.reason, "payload is not JSON (line 1, column 2)");
    assert_eq!(out.errors, [0, 1, 0, 0, 0, 0]);
}

#[test]
fn i3_a_failure_holds_the_message_as_it_entered_the_graph() {
    let nodes = [
        source(),
        node("first", "mapping", json!({"fields": {"a": 1}})),
        node("second", "mapping", json!({"fields": {"b.c": 1}})),
        sink("o"),
    ];
    let edges = [
        edge("in", "first"),
        edge("first", "second"),
        edge("second", "o"),
    ];
    let graph = compile(&nodes, &edges, &["o"]).unwrap();
    let out = evaluate(&graph, Message::new("m", r#"{ "b": "text" }"#), 1);
    assert_eq!(
        out.failures[0].message.payload.bytes(),
        r#"{ "b": "text" }"#
    );
    assert_eq!(&*out.failures[0].node, "second");
    assert_eq!(
        out.failures[0].reason,
        "`b` is not an object, so `b.c` cannot be set"
    );
}

#[test]
fn two_failing_ways_to_one_sink_are_one_dead_letter_for_it() {
    let set = |id| node(id, "mapping", json!({"fields": {"a": 1}}));
    let nodes = [source(), set("x"), set("y"), sink("a"), sink("b")];
    let edges = [
        edge("in", "x"),
        edge("in", "y"),
        edge("x", "a"),
        edge("y", "a"),
        edge("y", "b"),
    ];
    let graph = compile(&nodes, &edges, &["a", "b"]).unwrap();
    let mut out = Evaluated::default();
    for id in ["1", "2"] {
        graph.evaluate(Message::new(id, "text"), SinkSet::all(2), &mut out);
    }
    let failures: Vec<_> = out
        .failures
        .iter()
        .map(|f| (&*f.message.id, &*f.node, f.sinks))
        .collect();
    let expected = [
        ("1", "x", only(0)),
        ("1", "y", only(1)),
        ("2", "x", only(0)),
        ("2", "y", only(1)),
    ];
    assert_eq!(failures, expected);
    assert_eq!(out.errors, [0, 2, 2, 0, 0]);
}

#[test]
fn filtered_messages_are_counted_as_filtered_and_not_as_failed() {
    let graph = through(
        "filter",
        json!({"field": "@table", "operator": "=", "value": "orders"}),
    );
    let out = evaluate(&graph, Message::new("m", "binary is fine here"), 1);
    assert_eq!(
        (out.filtered, out.failures.len(), out.to[0].len()),
        (1, 0, 0)
    );
    assert_eq!(out.processed, [1, 1, 0]);
    let branch = [
        source(),
        node(
            "c",
            "condition",
            json!({"field": "a", "operator": "exists"}),
        ),
        sink("o"),
    ];
    let graph = compile(
        &branch,
        &[edge("in", "c"), labelled("c", "o", "true")],
        &["o"],
    )
    .unwrap();
    assert_eq!(evaluate(&graph, Message::new("m", "{}"), 1).filtered, 1);
}

#[test]
fn only_the_way_to_the_asked_sinks_is_walked_and_the_rest_is_not_filtered() {
    let graph = forked_graph();
    let mut out = Evaluated::default();
    graph.evaluate(Message::new("m", "not json"), only(1), &mut out);
    assert_eq!((out.to[0].len(), out.to[1].len(), out.filtered), (0, 1, 0));
    assert_eq!((out.processed[1], out.failures.len()), (0, 0));
    graph.evaluate(Message::new("m", "{}"), SinkSet::default(), &mut out);
    assert_eq!((out.to[1].len(), out.filtered), (1, 0));
}

#[test]
fn evaluating_alone_and_together_gives_a_sink_the_same() {
    let graph = forked_graph();
    for payload in [r#"{"total":1}"#, r#"{"total":1000}"#, "text", "{}", ""] {
        let together = evaluate(&graph, Message::new("m", payload), 2);
        for sink in 0..2 {
            let mut alone = Evaluated::default();
            graph.evaluate(Message::new("m", payload), only(sink), &mut alone);
            alone.to.resize_with(2, Vec::new);
            assert_eq!(alone.to[sink], together.to[sink], "{payload}");
            let failed = together
                .failures
                .iter()
                .any(|failure| failure.sinks.contains(sink));
            assert_eq!(!alone.failures.is_empty(), failed, "{payload}");
        }
    }
}

#[test]
fn what_one_copy_changes_no_other_copy_sees() {
    let set = |id, value| node(id, "mapping", json!({"fields": {"v": value}}));
    let nodes = [
        source(),
        set("x", 1),
        set("y", 2),
        sink("a"),
        sink("b"),
        sink("c"),
    ];
    let edges = [
        edge("in", "x"),
        edge("in", "y"),
        edge("in", "c"),
        edge("x", "a"),
        edge("y", "b"),
    ];
    let graph = compile(&nodes, &edges, &["a", "b", "c"]).unwrap();
    let out = evaluate(&graph, Message::new("m", r#"{ "v": 0 }"#), 3);
    let payloads: Vec<_> = out.to.iter().map(|to| to[0].payload.bytes()).collect();
    assert_eq!(payloads, [r#"{"v":1}"#, r#"{"v":2}"#, r#"{ "v": 0 }"#]);
}

#[test]
fn two_nodes_of_one_sink_feed_one_sink() {
    let second = json!({"id": "again", "type": "sink", "ref_id": "o"});
    let graph = compile(
        &[source(), sink("o"), second],
        &[edge("in", "o"), edge("in", "again")],
        &["o"],
    )
    .unwrap();
    assert_eq!(evaluate(&graph, Message::new("m", "x"), 1).to[0].len(), 2);
}

#[test]
fn nodes_of_sinks_that_are_gone_lead_nowhere() {
    let (nodes, edges) = forked();
    let graph = compile(&nodes, &edges, &["new", "b"]).unwrap();
    let out = evaluate(&graph, Message::new("m", "not json"), 2);
    assert_eq!(
        (out.to[0].len(), out.to[1].len(), out.failures.len()),
        (0, 1, 0)
    );
    assert!(graph.sinks_below(1).is_empty());
    assert_eq!(graph.sinks_below(0), only(1));
}

#[test]
fn numbers_binary_and_spacing_come_through_untouched() {
    let payload = r#"{ "n": 9007199254740993, "d": 0.10, "big": 123456789012345678901234567890.5, "z":1e400 }"#;
    let condition = json!({"field": "n", "operator": "=", "value": "9007199254740993"});
    let out = evaluate(&through("filter", condition), Message::new("m", payload), 1);
    assert_eq!(out.to[0][0].payload.bytes(), payload);

    let graph = through(
        "mapping",
        json!({"fields": {"copy.of": "source.d", "gone": "source.nothing", "n2": "source.n"}}),
    );
    let out = evaluate(&graph, Message::new("m", payload), 1);
    let expected = r#"{"n":9007199254740993,"d":0.10,"big":123456789012345678901234567890.5,"z":1e400,"copy":{"of":0.10},"gone":null,"n2":9007199254740993}"#;
    assert_eq!(out.to[0][0].payload.bytes(), expected);

    let binary: Vec<u8> = (0..=255).collect();
    let by_table = json!({"field": "@id", "operator": "exists"});
    let out = evaluate(
        &through("filter", by_table),
        Message::new("m", binary.clone()),
        1,
    );
    assert_eq!(out.to[0][0].payload.bytes(), binary);
}

#[test]
fn what_a_mapping_writes_is_spelled_as_in_the_document_also_once_it_was_stored() {
    let config = hermod_sdk::parse_json(br#"{"fields": {"a": 1E400, "b": [2e0]}}"#).unwrap();
    let nodes = [source(), node("x", "mapping", json!({})), sink("a")];
    let mut drawn = document(&nodes, &[edge("in", "x"), edge("x", "a")]);
    drawn.nodes[1].config = config.as_object().unwrap().clone();
    let stored = normal(&drawn);
    let text = serde_json::to_vec(&stored).unwrap();
    let back = GraphDocument::from_stored(&text).unwrap();
    assert_eq!(back, stored, "no new version at each start");
    let graph = Graph::compile(&back, &[Text::from("a")]).unwrap();
    let out = evaluate(&graph, Message::new("m", "{}"), 1);
    assert_eq!(out.to[0][0].payload.bytes(), r#"{"a":1E400,"b":[2e0]}"#);
}

#[test]
fn a_key_that_stands_twice_passes_what_only_reads_byte_for_byte() {
    let payload = r#"{"k":1, "k":2, "n":1E5}"#;
    let condition = json!({"field": "n", "operator": "=", "value": "100000"});
    let out = evaluate(&through("filter", condition), Message::new("m", payload), 1);
    assert_eq!(out.to[0][0].payload.bytes(), payload);
}

#[test]
fn mappings_read_all_before_they_write_any() {
    let graph = through(
        "mapping",
        json!({"fields": {"a": "source.b"}, "column.b": "source.a"}),
    );
    let out = evaluate(&graph, Message::new("m", r#"{"a":1,"b":2}"#), 1);
    assert_eq!(out.to[0][0].payload.bytes(), r#"{"a":2,"b":1}"#);
    let graph = through(
        "mapping",
        json!({"fields": {"time": "source.source.ts", "note": "Smith (retired)"}}),
    );
    let out = evaluate(&graph, Message::new("m", r#"{"source":{"ts":7}}"#), 1);
    assert_eq!(
        out.to[0][0].payload.bytes(),
        r#"{"source":{"ts":7},"time":7,"note":"Smith (retired)"}"#
    );
}

#[test]
fn i3_what_cannot_be_mapped_is_a_failure_and_never_passes_unmapped() {
    let graph = through("mapping", json!({"fields": {"a": 1}}));
    for (payload, reason) in [
        (
            "[1]",
            "payload is a list and not a JSON object, so no field can be set",
        ),
        (
            "5",
            "payload is a single value and not a JSON object, so no field can be set",
        ),
        ("", "payload is not JSON (line 1, column 0)"),
        (
            r#"{"x":[{"k":1,"k":2}]}"#,
            "payload's key `/x/0/k` stands twice in its object or cannot be kept, so no field can be changed",
        ),
    ] {
        let out = evaluate(&graph, Message::new("m", payload), 1);
        assert_eq!((out.to[0].len(), &*out.failures[0].reason), (0, reason));
    }
    let deleted = Message::new("m", "").with_operation(Operation::Delete);
    assert_eq!(evaluate(&graph, deleted, 1).to[0].len(), 1);
}

#[test]
fn the_stored_form_says_the_same_and_nothing_else() {
    let (nodes, edges) = forked();
    let drawn = document(&nodes, &edges);
    let stored = normal(&drawn);
    let expected = json!({
        "nodes": [
            {"id": "in", "type": "source", "ref_id": "src"},
            {"id": "c", "type": "condition", "config": {"conditions": [{"field": "after.total", "operator": ">", "value": "100"}]}},
            {"id": "x", "type": "mapping", "config": {"fields": {"size": "large"}}},
            {"id": "y", "type": "mapping", "config": {"fields": {"size": "small"}}},
            {"id": "a", "type": "sink", "ref_id": "a"},
            {"id": "b", "type": "sink", "ref_id": "b"}],
        "edges": [
            {"id": "", "source_id": "in", "target_id": "c"},
            {"id": "", "source_id": "c", "target_id": "x", "label": "true"},
            {"id": "", "source_id": "c", "target_id": "y", "label": "false"},
            {"id": "", "source_id": "x", "target_id": "a"},
            {"id": "", "source_id": "y", "target_id": "a"},
            {"id": "", "source_id": "in", "target_id": "b"}]});
    assert_eq!(serde_json::to_value(&stored).unwrap(), expected);
    let text = serde_json::to_vec(&stored).unwrap();
    let back: GraphDocument = serde_json::from_slice(&text).unwrap();
    assert_eq!((normal(&back), &back), (stored.clone(), &stored));
    let sinks = [Text::from("a"), Text::from("b")];
    let (first, second) = (
        Graph::compile(&drawn, &sinks).unwrap(),
        Graph::compile(&back, &sinks).unwrap(),
    );
    for payload in [r#"{"total":1}"#, r#"{"total":1000}"#, "text"] {
        let message = || Message::new("m", payload);
        assert_eq!(
            evaluate(&first, message(), 2).to,
            evaluate(&second, message(), 2).to
        );
    }
}

#[test]
fn i9_a_graph_of_the_largest_size_compiles_and_is_walked() {
    let set = json!({"fields": {"a": 1}});
    let mut nodes = vec![source(), sink("o")];
    let mut edges = Vec::new();
    let mut last = "in".to_owned();
    for index in 0..998 {
        let id = format!("m{index}");
        nodes.push(node(&id, "mapping", set.clone()));
        edges.push(edge(&last, &id));
        last = id;
    }
    edges.push(edge(&last, "o"));
    let graph = compile(&nodes, &edges, &["o"]).unwrap();
    assert_eq!(evaluate(&graph, Message::new("m", "{}"), 1).to[0].len(), 1);
    nodes.push(node("more", "mapping", set));
    let problems = compile(&nodes, &edges, &["o"]).err().unwrap().to_string();
    assert_eq!(problems, "/nodes: 1001 nodes; a workflow has at most 1000");
}

/// A row of forks whose ways meet again; each is a condition, or goes both ways.
fn row_of_forks(count: usize, conditions: bool) -> Result<Graph, Problems> {
    let exists = json!({"field": "a", "operator": "exists"});
    let kind = if conditions { "condition" } else { "filter" };
    let mut nodes = vec![source(), sink("o"), node("f0", kind, exists.clone())];
    let mut edges = vec![edge("in", "f0"), edge(&format!("f{count}"), "o")];
    for index in 0..count {
        let (from, to) = (format!("f{index}"), format!("f{}", index + 1));
        let last = if index + 1 == count { "filter" } else { kind };
        nodes.push(node(&to, last, exists.clone()));
        for side in ["true", "false"] {
            let id = format!("{side}{index}");
            nodes.push(node(&id, "filter", exists.clone()));
            edges.push(labelled(&from, &id, if conditions { side } else { "" }));
            edges.push(edge(&id, &to));
        }
    }
    compile(&nodes, &edges, &["o"])
}

#[test]
fn i9_copies_of_a_message_are_bounded_and_branches_are_no_copies() {
    let out = evaluate(
        &row_of_forks(10, false).unwrap(),
        Message::new("m", r#"{"a":1}"#),
        1,
    );
    assert_eq!(out.to[0].len(), 1024);
    for (count, copies) in [(11, 2048), (70, u64::MAX)] {
        let problems = row_of_forks(count, false).err().unwrap().to_string();
        let expected = format!("/edges: one message could become {copies} at the sinks");
        assert!(problems.starts_with(&expected), "{problems}");
    }
    let out = evaluate(
        &row_of_forks(70, true).unwrap(),
        Message::new("m", r#"{"a":1}"#),
        1,
    );
    assert_eq!(out.to[0].len(), 1);
}
