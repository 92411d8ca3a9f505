import { expect, test } from "vitest";
import type { DeadLetter } from "../../api/deadLetters";
import { groups, piece, silent } from "./letters";
import { letterSearch, opened } from "./search";

function letter(node: string, seq: number, over: Partial<DeadLetter> = {}): DeadLetter {
  return {
    node,
    seq,
    message_id: `${node}-${seq}`,
    reason: "no",
    kind: "rejected",
    origin: { at: "sink", id: "pg" },
    sinks: ["pg"],
    attempts: 1,
    at_ms: seq,
    state: "open",
    ...over,
  };
}

test("groups are by place and kind, the largest first, with the latest reason", () => {
  const found = groups([
    letter("a", 1, { origin: { at: "node", id: "map" }, kind: "invalid" }),
    letter("a", 2, { reason: "old" }),
    letter("b", 9, { reason: "new" }),
  ]);
  expect(found.map((group) => [group.origin.id, group.kind, group.count, group.reason])).toEqual([
    ["pg", "rejected", 2, "new"],
    ["map", "invalid", 1, "no"],
  ]);
  expect([found[0]?.firstMs, found[0]?.lastMs]).toEqual([2, 9]);
});

test("pages over several nodes repeat nothing and leave nothing out", () => {
  const stored = [1, 2, 3, 4].map((seq) => letter("a", seq)).concat([2, 900].map((seq) => letter("b", seq)));
  const ask = (from: number, limit: number) => ({
    total: stored.length,
    nodes: ["a", "b"].map((node) => ({ node, answered: true })),
    data: ["a", "b"].flatMap((node) =>
      stored.filter((each) => each.node === node && each.seq >= from).slice(0, limit),
    ),
  });
  const seen: string[] = [];
  let from: number | undefined = 0;
  while (from !== undefined) {
    const { rows, next } = piece(ask(from, 2), 2);
    seen.push(...rows.map((row) => row.message_id));
    from = next;
  }
  expect(seen.sort()).toEqual(stored.map((each) => each.message_id).sort());
});

test("nodes that did not answer are named", () => {
  const nodes = [
    { node: "a", answered: true },
    { node: "b", answered: false },
  ];
  expect(silent({ nodes })).toEqual(["b"]);
});

test("an address is taken over as far as it makes sense", () => {
  expect(letterSearch({ workflow: 7, closed: true, from: "x", open: "a/b", kind: "" })).toEqual({
    workflow: "7",
    closed: true,
  });
  expect(opened("node-1/42")).toEqual({ node: "node-1", seq: 42 });
});
