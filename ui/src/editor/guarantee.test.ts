import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import type { Graph } from "./graph";
import { guarantee, level, type Promised } from "./guarantee";

const graph: Graph = {
  nodes: [
    { id: "in", type: "source" },
    { id: "keep", type: "filter" },
    { id: "pg", type: "sink" },
    { id: "web", type: "sink" },
  ],
  edges: [
    { id: "a", source_id: "in", target_id: "keep" },
    { id: "b", source_id: "keep", target_id: "pg" },
    { id: "c", source_id: "keep", target_id: "web" },
  ],
};

const connector = (promises: unknown) => ({ promises }) as Schemas["Connector"];
const known: Record<string, Schemas["Connector"]> = {
  in: connector({ rereadable: false }),
  pg: connector({ repeats: "transactional" }),
  web: connector({ repeats: "at_least_once" }),
};

function promised(over: Partial<Promised> = {}): Promised {
  return { graph, acknowledge: undefined, buffer: undefined, connectorOf: (id) => known[id], ...over };
}

const of = (id: string, over?: Partial<Promised>) => {
  const edge = graph.edges.find((each) => each.id === id);
  if (!edge) throw new Error(id);
  return guarantee(promised(over), edge);
};

test("a pushed source with a file buffer is durable unless told otherwise", () => {
  expect([level(promised()), level(promised({ buffer: "ring" }))]).toEqual(["durable", "delivered"]);
  expect(of("a").short).toBe("durable");
  expect(of("a", { acknowledge: "delivered" }).short).toBe("delivered");
});

test("an edge promises what the sinks behind it do", () => {
  expect([of("b").short, of("c").short]).toEqual(["effectively once", "at least once"]);
});

test("less than the workflow requires is said", () => {
  const require = { repeats: "idempotent" };
  expect([of("b", { require }).tooLittle, of("c", { require }).tooLittle]).toEqual([false, true]);
});

test("what is not known is not promised", () => {
  expect(of("b", { connectorOf: () => undefined }).short).toBe("–");
});
