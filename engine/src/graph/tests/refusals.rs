//! What a graph is refused for, and where.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_mistake_of_a_graph_has_its_place() {
    let set = |id| node(id, "mapping", json!({"fields": {"a": 1}}));
    let straight = || vec![edge("in", "o")];
    let cases: Vec<(Vec<Value>, Vec<Value>, &str)> = vec![
        (
            vec![sink("o")],
            vec![],
            "/nodes: there is no node of type `source`",
        ),
        (
            vec![source(), json!({"id": "in2", "type": "source"}), sink("o")],
            straight(),
            "/nodes/1: several sources in one workflow are not built yet; use one workflow for each",
        ),
        (
            vec![source(), sink("o"), sink("o")],
            straight(),
            "/nodes/2/id: node `o` stands twice",
        ),
        (
            vec![source(), sink("o")],
            vec![edge("in", "gone")],
            "/edges/0/target_id: there is no node `gone`",
        ),
        (
            vec![source(), sink("o")],
            vec![edge("gone", "o")],
            "/edges/0/source_id: there is no node `gone`",
        ),
        (
            vec![source(), sink("o"), set("m")],
            vec![edge("in", "o"), edge("m", "in")],
            "/edges/1/target_id: nothing leads into a source",
        ),
        (
            vec![source(), sink("o"), set("m")],
            vec![edge("in", "o"), edge("o", "m")],
            "/edges/1/source_id: node `o` is a sink and leads nowhere",
        ),
        (
            vec![source(), sink("o")],
            vec![edge("in", "o"), edge("in", "o")],
            "/edges/1: an edge from `in` to `o` stands twice; each message would be written twice",
        ),
        (
            vec![source(), sink("o")],
            vec![
                json!({"id": "e", "source_id": "in", "target_id": "o"}),
                json!({"id": "e", "source_id": "in", "target_id": "o"}),
            ],
            "/edges/1/id: edge `e` stands twice",
        ),
        (
            vec![source(), sink("o")],
            vec![labelled("in", "o", "true")],
            "/edges/0/config/label: a `source` has no branches, so no `true`; leave the label out, or branch with a `condition`",
        ),
        (
            vec![
                source(),
                node("f", "filter", json!({"field": "a", "operator": "exists"})),
                sink("o"),
            ],
            vec![
                edge("in", "f"),
                json!({"source_id": "f", "target_id": "o", "source_handle": "false"}),
            ],
            "/edges/1/config/label: a `filter` has no branches, so no `false`",
        ),
        (
            vec![
                source(),
                node(
                    "c",
                    "condition",
                    json!({"field": "a", "operator": "exists"}),
                ),
                sink("o"),
            ],
            vec![edge("in", "c"), labelled("c", "o", "yes")],
            "/edges/1/config/label: node `c` has the branches `true`, `false`, not `yes`",
        ),
        (
            vec![
                source(),
                node(
                    "c",
                    "condition",
                    json!({"field": "a", "operator": "exists"}),
                ),
                sink("o"),
            ],
            vec![edge("in", "c"), edge("c", "o")],
            "/edges/1/config/label: the label is missing; node `c` has the branches `true`, `false`",
        ),
        (
            vec![source(), set("a"), set("b"), set("c"), sink("o")],
            vec![
                edge("in", "a"),
                edge("a", "b"),
                edge("b", "c"),
                edge("c", "a"),
                edge("b", "o"),
            ],
            "/nodes/2: nodes form a cycle: `b` → `c` → `a` → `b`",
        ),
        (
            vec![source(), set("a"), sink("o")],
            vec![edge("in", "a"), edge("a", "a"), edge("a", "o")],
            "/nodes/1: nodes form a cycle: `a` → `a`",
        ),
    ];
    for (nodes, edges, expected) in cases {
        let problems = compile(&nodes, &edges, &["o"])
            .err()
            .map_or_else(String::new, |p| p.to_string());
        assert!(
            problems.starts_with(expected),
            "{problems}\ninstead of\n{expected}"
        );
    }
    let handle = json!({"source_id": "in", "target_id": "o", "source_handle": "right-middle"});
    assert!(compile(&[source(), sink("o")], &[handle], &["o"]).is_ok());
    let many: Vec<String> = (0..65).map(|index| format!("s{index}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let problems = compile(&[source()], &[], &many).err().unwrap().to_string();
    assert_eq!(problems, "/nodes: 65 sinks; a workflow has at most 64");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_mistake_of_a_node_has_its_place() {
    for (kind, config, expected) in [
        (
            "router",
            json!({}),
            "/nodes/1/type: node type `router` is not built yet; there are `source`, `sink`, `condition`, `filter`, `mapping`",
        ),
        (
            "filtre",
            json!({}),
            "/nodes/1/type: there is no node type `filtre`; `filter` may be meant; there are ",
        ),
        (
            "transformation",
            json!({}),
            "/nodes/1/config: `transType` is missing",
        ),
        (
            "transformation",
            json!({"transType": "mask", "field": "email"}),
            "/nodes/1/config/transType: transformation `mask` is not built yet; there are `filter_data`, `validate`, `advanced`, `set`",
        ),
        (
            "mapping",
            json!({}),
            "/nodes/1/config/fields: at least one field is needed: `fields: {PATH: VALUE}`",
        ),
        (
            "mapping",
            json!({"fields": [1]}),
            "/nodes/1/config/fields: is not an object of paths and values",
        ),
        (
            "mapping",
            json!({"fields": {"a..b": 1}}),
            "/nodes/1/config/fields/a..b: `a..b` is not a path",
        ),
        (
            "mapping",
            json!({"column.": 1}),
            "/nodes/1/config/column.: `` is not a path",
        ),
        (
            "mapping",
            json!({"column.a": "upper(source.b)"}),
            "/nodes/1/config/column.a: function `upper` is not built yet; give a value or `source.PATH`",
        ),
        (
            "mapping",
            json!({"fields": {"a/b": "now()"}}),
            "/nodes/1/config/fields/a~1b: function `now` is not built yet",
        ),
        (
            "mapping",
            json!({"fields": {"a": 1, "a.b": 2}}),
            "/nodes/1/config/fields/a.b: `a.b` is set by `a` too",
        ),
        (
            "mapping",
            json!({"fields": {"a": 1}, "column.a": 2}),
            "/nodes/1/config/column.a: `a` is set by `a` too",
        ),
        (
            "mapping",
            json!({"feilds": {"a": 1}}),
            "/nodes/1/config/fields: at least one field is needed: `fields: {PATH: VALUE}`\n/nodes/1/config/feilds: unknown key `feilds`; `fields` may be meant",
        ),
        (
            "mapping",
            json!({"fields": {"a": 1}, "onError": "drop"}),
            "/nodes/1/config/onError: `drop` is not built yet; a message that a node fails on becomes a dead letter (`fail`)",
        ),
        (
            "mapping",
            json!({"fields": {"a": 1}, "statusField": "s"}),
            "/nodes/1/config/statusField: marking instead of failing is not built yet",
        ),
        (
            "filter",
            json!({"field": "a", "operator": "exists", "asField": true}),
            "/nodes/1/config/asField: marking instead of dropping is not built yet",
        ),
        (
            "filter",
            json!({"field": "a", "operator": "="}),
            "/nodes/1/config/value: `value` is missing; operator `=` needs one",
        ),
        (
            "sink",
            json!({"sequential": true}),
            "/nodes/1/config/sequential: writing to a sink in the middle of a graph is not built yet",
        ),
        (
            "sink",
            json!({"colour": "red"}),
            "/nodes/1/config/colour: unknown key `colour`",
        ),
    ] {
        let nodes = [source(), node("n", kind, config.clone()), sink("o")];
        let problems = compile(&nodes, &[edge("in", "o")], &["o"])
            .err()
            .map_or_else(String::new, |p| p.to_string());
        assert!(
            problems.starts_with(expected),
            "{config}:\n{problems}\ninstead of\n{expected}"
        );
    }
    for config in [
        json!({"sequential": false, "label": "Out"}),
        json!({"description": "x"}),
    ] {
        let nodes = [
            source(),
            json!({"id": "o", "type": "sink", "ref_id": "o", "config": config}),
        ];
        assert!(compile(&nodes, &[edge("in", "o")], &["o"]).is_ok());
    }
    let original =
        json!({"transType": "filter_data", "field": "a", "operator": "exists", "onError": "fail"});
    assert_eq!(
        through("transformation", original).nodes()[1].kind,
        "filter"
    );
}
