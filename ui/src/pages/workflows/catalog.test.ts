import { expect, test } from "vitest";
import { freeName, TEMPLATES } from "./catalog";

test("a template names what it makes after itself, and its graph holds together", () => {
  for (const template of TEMPLATES) {
    const made = template.bundle("mine", "value") as {
      workflow: { id: string; nodes: { id: string; ref_id: string }[]; edges: { source_id: string }[] };
      sources: { id: string }[];
      sinks: { id: string }[];
    };
    expect(made.workflow.id).toBe("mine");
    expect(made.workflow.nodes.map((node) => node.ref_id)).toEqual([made.sources[0]?.id, made.sinks[0]?.id]);
    expect(made.workflow.edges[0]?.source_id).toBe(made.workflow.nodes[0]?.id);
  }
});

test("a name that is taken gets a number", () => {
  expect(freeName("a", [])).toBe("a");
  expect(freeName("a", ["a", "a-2"])).toBe("a-3");
});
