import { describe, expect, test } from "vitest";
import { add, branchOf, connect, freeId, insert, part, paste, refusal, remove, type Graph } from "./graph";

const graph: Graph = {
  nodes: [
    { id: "in", type: "source", ref_id: "hook" },
    { id: "split", type: "condition" },
    { id: "out", type: "sink", ref_id: "file" },
  ],
  edges: [
    { id: "e1", source_id: "in", target_id: "split" },
    { id: "e2", source_id: "split", target_id: "out", config: { label: "true" } },
  ],
};

describe("wires", () => {
  test("a wrong wire is refused with its reason (B2)", () => {
    expect(refusal(graph, { from: "out", to: "split" })).toContain("leave at a sink");
    expect(refusal(graph, { from: "split", to: "in" })).toContain("enter at a source");
    expect(refusal(graph, { from: "in", to: "in" })).toContain("itself");
    expect(refusal(graph, { from: "in", to: "split" })).toContain("connected already");
    expect(refusal(graph, { from: "in", to: "nothing" })).toContain("no such node");
    expect(refusal(graph, { from: "split", to: "out", branch: "false" })).toBeUndefined();
  });

  test("a circle is refused over any number of edges", () => {
    const longer = add(graph, { type: "filter" }, { from: "split", to: "", branch: "false" });
    expect(refusal(longer, { from: "filter", to: "split" })).toContain("circle");
  });
});

describe("changes", () => {
  test("a node on an edge keeps both ends and the branch", () => {
    const changed = insert(graph, "e2", { type: "mapping" });
    const edges = changed.edges.map((edge) => [edge.source_id, branchOf(edge), edge.target_id]);
    expect(edges).toEqual([
      ["in", undefined, "split"],
      ["split", "true", "mapping"],
      ["mapping", undefined, "out"],
    ]);
  });

  test("no edge is left hanging in the air", () => {
    const changed = remove(graph, new Set(["split"]), new Set());
    expect([changed.nodes.length, changed.edges.length]).toEqual([2, 0]);
  });

  test("what is pasted has ids of its own, and the edges between", () => {
    const { graph: pasted, ids } = paste(graph, part(graph, new Set(["split", "out"])));
    expect([...ids]).toEqual(["split-2", "out-2"]);
    const added = pasted.edges.at(-1);
    expect([added?.source_id, added?.target_id, added && branchOf(added)]).toEqual([
      "split-2",
      "out-2",
      "true",
    ]);
  });

  test("members that the editor does not know are kept", () => {
    const odd: Graph = { nodes: [{ id: "a", type: "filter", tier: "Hot" }], edges: [] };
    expect(connect(odd, { from: "a", to: "a" }).nodes[0]?.["tier"]).toBe("Hot");
  });

  test("ids are counted up until one is free", () => {
    expect([freeId(["in"], "out"), freeId(["in", "in-2"], "in")]).toEqual(["out", "in-3"]);
  });
});
